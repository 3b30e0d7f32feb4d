"""Builds the tree of ranges from the ``[[range]]`` tables of a deposit record. (pure)"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from repository.faults import Fault
from repository.localized import LocalizedText
from repository.model import Range
from workers.deposit.record import RECORD_FILE, RangeTable

MOST_LEVELS: Final = 32
"""The most levels of nested ranges. A manifest of many more cannot be built."""


@dataclass(frozen=True, slots=True)
class _Node:
    """A range with its pages, before it has a place in the tree."""

    table: RangeTable
    pages: tuple[str, ...]


def build_ranges(tables: Sequence[RangeTable], keys: Sequence[str]) -> tuple[tuple[Range, ...], tuple[Fault, ...]]:
    """Return the tree of ranges over the page keys, in the order of the tables, and the faults of the tables.

    The tree is empty if there are faults.
    """
    faults: list[Fault] = []
    nodes = [_Node(table, _read_pages(table, keys, faults)) for table in tables]
    faults += _parent_faults(tables)
    if faults:
        return (), tuple(faults)
    return _children(None, nodes), ()


def _children(parent: str | None, nodes: Sequence[_Node]) -> tuple[Range, ...]:
    return tuple(
        Range(node.table.label, node.pages, _children(node.table.label, nodes))
        for node in nodes
        if node.table.parent == parent
    )


def _parent_faults(tables: Sequence[RangeTable]) -> list[Fault]:
    labels = [table.label for table in tables]
    parents = {table.label: table.parent for table in tables}
    problems = ((table, _parent_problem(table, labels, parents)) for table in tables)
    return [_range_fault(table, *problem) for table, problem in problems if problem]


def _parent_problem(
    table: RangeTable, labels: Sequence[str], parents: Mapping[str, str | None]
) -> tuple[str, str, str] | None:
    """Return the key at fault and the message in Chinese and English, or None."""
    parent = table.parent
    if parent is None:
        if table.pages is not None or table.label in parents.values():
            return None
        zh, en = "既无书页，也无下级目次；请补上 pages", "it has neither pages nor subordinate ranges; add pages"
        return "pages", zh, en
    if labels.count(parent) != 1:
        zh = f"上级目次“{parent}”须有且仅有一个；请核对"
        return "parent", zh, f'there must be exactly one range "{parent}"; check the labels'
    level = _level(table.label, parents)
    if level is None:
        return "parent", "上下级关系形成循环；请改正 parent", "its chain of parents is circular; correct parent"
    if level > MOST_LEVELS:
        zh, en = f"目次至多 {MOST_LEVELS} 级；请减少层次", f"ranges have at most {MOST_LEVELS} levels; use fewer"
        return "parent", zh, en
    return None


def _level(label: str, parents: Mapping[str, str | None]) -> int | None:
    """Return the level of a range, 1 for one without a parent; None if its chain of parents is circular."""
    above: str | None = label
    for level in range(len(parents) + 1):
        if above is None:
            return level
        above = parents.get(above)
    return None


def _read_pages(table: RangeTable, keys: Sequence[str], faults: list[Fault]) -> tuple[str, ...]:
    """Return the keys that ``pages`` lists: pages and runs ``first-last``, separated by commas."""
    positions = {key: position for position, key in enumerate(keys)}
    pages: list[str] = []
    for item in (part.strip() for part in (table.pages or "").split(",") if part.strip()):
        run = _find_run(item, positions)
        if run is None:
            faults.append(
                _range_fault(table, "pages", f"没有书页 {item}；请核对", f"there is no page {item}; check it")
            )
        elif run[0] > run[1]:
            faults.append(
                _range_fault(table, "pages", f"{item} 起止颠倒；请对调", f"{item} ends before it begins; swap its ends")
            )
        else:
            pages += keys[run[0] : run[1] + 1]
    return tuple(dict.fromkeys(pages))


def _find_run(item: str, positions: Mapping[str, int]) -> tuple[int, int] | None:
    """Return the positions where a page or run begins and ends. Names may contain hyphens, so each is tried."""
    if item in positions:
        return positions[item], positions[item]
    for match in re.finditer("-", item):
        first, last = item[: match.start()].strip(), item[match.end() :].strip()
        volume = first.rpartition("/")[0]
        end = positions.get(last, positions.get(f"{volume}/{last}") if volume else None)
        if first in positions and end is not None:
            return positions[first], end
    return None


def _range_fault(table: RangeTable, key: str, zh: str, en: str) -> Fault:
    text = LocalizedText(f"目次“{table.label}”：{zh}", f'range "{table.label}": {en}')
    return Fault(RECORD_FILE, f"{table.place}.{key}", "range." + key, text)
