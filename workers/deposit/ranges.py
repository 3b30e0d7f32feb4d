"""Builds the tree of ranges from the ``[[range]]`` tables of a deposit record. (pure)"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from repository.errors import Fault
from repository.localized import LocalizedText
from repository.model import Range
from workers.deposit.record import RECORD_FILE, RangeTable


@dataclass(frozen=True, slots=True)
class _Node:
    """A range being put in its place in the tree."""

    table: RangeTable
    pages: tuple[str, ...]


def build_ranges(tables: Sequence[RangeTable], keys: Sequence[str]) -> tuple[tuple[Range, ...], tuple[Fault, ...]]:
    """The tree of ranges over the work's page keys, in the order declared, and what is wrong with the tables."""
    faults: list[Fault] = []
    nodes = [_Node(table, _read_pages(table, keys, faults)) for table in tables]
    _check_parents(tables, faults)
    if faults:
        return (), tuple(faults)
    return _children(None, nodes), ()


def _children(parent: str | None, nodes: Sequence[_Node]) -> tuple[Range, ...]:
    return tuple(
        Range(node.table.label, node.pages, _children(node.table.label, nodes))
        for node in nodes
        if node.table.parent == parent
    )


def _check_parents(tables: Sequence[RangeTable], faults: list[Fault]) -> None:
    labels = [table.label for table in tables]
    parents = {table.label: table.parent for table in tables}
    for table in tables:
        parent = table.parent
        if parent is None:
            if table.pages is None and table.label not in parents.values():
                faults.append(_range_fault(table, "pages", "没有书页，也没有下级", "it has neither pages nor parts"))
        elif labels.count(parent) != 1:
            zh, en = f"须有且仅有一个“{parent}”", f'there must be exactly one range "{parent}"'
            faults.append(_range_fault(table, "parent", zh, en))
        elif _is_cyclic(table.label, parents):
            faults.append(_range_fault(table, "parent", "上下级循环", "its parents lead back to it"))


def _is_cyclic(label: str, parents: Mapping[str, str | None]) -> bool:
    above = parents.get(label)
    for _ in parents:
        if above is None:
            return False
        if above == label:
            return True
        above = parents.get(above)
    return True


def _read_pages(table: RangeTable, keys: Sequence[str], faults: list[Fault]) -> tuple[str, ...]:
    """The keys that ``pages`` names: single pages and runs ``first-last``, separated by commas."""
    places = {key: place for place, key in enumerate(keys)}
    pages: list[str] = []
    for item in (part.strip() for part in (table.pages or "").split(",") if part.strip()):
        run = _find_run(item, places)
        if run is None:
            faults.append(_range_fault(table, "pages", f"没有书页 {item}", f"there is no page {item}"))
        elif run[0] > run[1]:
            faults.append(_range_fault(table, "pages", f"{item} 首尾颠倒", f"{item} runs backwards"))
        else:
            pages += keys[run[0] : run[1] + 1]
    return tuple(dict.fromkeys(pages))


def _find_run(item: str, places: Mapping[str, int]) -> tuple[int, int] | None:
    """Where a page or a run begins and ends. Names may hold hyphens, so each is tried as the one between the two."""
    if item in places:
        return places[item], places[item]
    for match in re.finditer("-", item):
        first, last = item[: match.start()].strip(), item[match.end() :].strip()
        volume = first.rpartition("/")[0]
        end = places.get(last, places.get(f"{volume}/{last}") if volume else None)
        if first in places and end is not None:
            return places[first], end
    return None


def _range_fault(table: RangeTable, key: str, zh: str, en: str) -> Fault:
    text = LocalizedText(f"范围“{table.label}”：{zh}", f'the range "{table.label}": {en}')
    return Fault(RECORD_FILE, f"{table.place}.{key}", "range." + key, text)
