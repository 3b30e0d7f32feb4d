"""Builds the tree of ranges from the ``[[range]]`` tables of a deposit record. (pure)"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from repository.faults import Fault
from repository.localized import LocalizedText
from repository.model.work import Range
from workers.deposit.record import RangeTable
from workers.deposit.record_reader import RECORD_FILE

MOST_LEVELS: Final = 32
"""The most levels of nested ranges. A manifest of many more cannot be built."""

MOST_PAGES: Final = 200_000
"""The most pages that all ranges list together, repeated ones included: a manifest has an entry for each."""

_MOST_FAULTS: Final = 1000
_LONGEST_SHOWN: Final = 200
_LONGEST_ITEM: Final = 2048
"""More characters than a run of two pages has: each names a folder and a file of at most 255."""


@dataclass(frozen=True, slots=True)
class _Node:
    """A range with its pages, before it has a place in the tree."""

    table: RangeTable
    pages: tuple[str, ...]


def build_ranges(tables: Sequence[RangeTable], keys: Sequence[str]) -> tuple[tuple[Range, ...], tuple[Fault, ...]]:
    """Return the tree of ranges over the page keys, in the order of the tables, and the faults of the tables.

    The tree is empty if there are faults.
    """
    reader = _PageReader(keys)
    nodes: dict[str | None, list[_Node]] = {}
    for table in tables:
        nodes.setdefault(table.parent, []).append(_Node(table, reader.read(table)))
    faults = (*reader.faults, *_parent_faults(tables))
    return ((), faults) if faults else (_children(None, nodes), ())


def _children(parent: str | None, nodes: Mapping[str | None, Sequence[_Node]]) -> tuple[Range, ...]:
    """Return the ranges under a parent; `nodes` are by parent."""
    return tuple(
        Range(node.table.label, node.pages, _children(node.table.label, nodes), node.table.sequence)
        for node in nodes.get(parent, ())
    )


def _parent_faults(tables: Sequence[RangeTable]) -> list[Fault]:
    nested = {table.parent for table in tables}
    faults = [
        _range_fault(
            table,
            "sequence",
            "阅读次序（sequence）以 pages 逐一列出书页，不能有上下级；请改正",
            "a sequence lists its pages by pages, and is neither within a range nor has ranges; correct it",
        )
        for table in tables
        if table.sequence and (table.parent is not None or table.label in nested or not table.pages)
    ]
    labels = Counter(table.label for table in tables)
    parents = {table.label: table.parent for table in tables}
    levels, named = _levels(parents), set(parents.values())
    problems = ((table, _parent_problem(table, labels, named, levels[table.label])) for table in tables)
    return faults + [_range_fault(table, *problem) for table, problem in problems if problem]


def _parent_problem(
    table: RangeTable, labels: Mapping[str, int], parents: Collection[str | None], level: int | None
) -> tuple[str, str, str] | None:
    """Return the key at fault and the message in Chinese and English, or None.

    `labels` counts the ranges with each label, `parents` are the labels that ranges name as their parents.
    """
    parent = table.parent
    if parent is None:
        if table.pages is not None or table.label in parents:
            return None
        zh, en = "既无书页，也无下级目次；请补上 pages", "it has neither pages nor subordinate ranges; add pages"
        return "pages", zh, en
    if labels.get(parent) != 1:
        zh = f"上级目次“{parent}”须有且仅有一个；请核对"
        return "parent", zh, f'there must be exactly one range "{parent}"; check the labels'
    if level is None:
        return "parent", "上下级关系形成循环；请改正 parent", "its chain of parents is circular; correct parent"
    if level > MOST_LEVELS:
        zh, en = f"目次至多 {MOST_LEVELS} 级；请减少层次", f"ranges have at most {MOST_LEVELS} levels; use fewer"
        return "parent", zh, en
    return None


def _levels(parents: Mapping[str, str | None]) -> dict[str, int | None]:
    """Return the level of each range, 1 for one without a parent; None if its chain of parents is circular.

    `parents` has the label of each range's parent by its own label.
    """
    levels: dict[str, int | None] = {}
    for label in parents:
        chain: dict[str, None] = {}
        above: str | None = label
        while above is not None and above not in levels and above not in chain:
            chain[above] = None
            above = parents.get(above)
        level = 0 if above is None else levels.get(above)
        for link in reversed(chain):
            level = None if level is None else level + 1
            levels[link] = level
    return levels


class _PageReader:
    """Reads the pages of ranges from their tables, and collects the faults."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys
        self._positions = {key: position for position, key in enumerate(keys)}
        self._listed = 0
        self.faults: list[Fault] = []

    def read(self, table: RangeTable) -> tuple[str, ...]:
        """Return the keys that ``pages`` lists: pages and runs ``first-last``, separated by commas."""
        pages: dict[str, None] = {}
        for item in (part.strip() for part in (table.pages or "").split(",") if part.strip()):
            if len(self.faults) >= _MOST_FAULTS:
                break
            run = find_run(item, self._positions)
            if run is None:
                name = item[:_LONGEST_SHOWN]
                self._refuse(table, f"没有书页 {name}；请核对", f"there is no page {name}; check it")
            elif run[0] > run[1]:
                self._refuse(table, f"{item} 起止颠倒；请对调", f"{item} ends before it begins; swap its ends")
            elif not self._exceeds(table, run[1] + 1 - run[0]):
                pages |= dict.fromkeys(self._keys[run[0] : run[1] + 1])
        return tuple(pages)

    def _exceeds(self, table: RangeTable, added: int) -> bool:
        """Count pages; return whether they are too many, which is one fault."""
        is_new = self._listed <= MOST_PAGES
        self._listed += added
        if self._listed <= MOST_PAGES:
            return False
        if is_new:
            zh = f"各级目次所列书页合计超过 {MOST_PAGES}；请精简"
            self._refuse(table, zh, f"the ranges list more than {MOST_PAGES} pages together; list fewer")
        return True

    def _refuse(self, table: RangeTable, zh: str, en: str) -> None:
        self.faults.append(_range_fault(table, "pages", zh, en))


def find_run(item: str, positions: Mapping[str, int]) -> tuple[int, int] | None:
    """Return the positions where a page or run begins and ends. Names may contain hyphens, so each is tried."""
    if len(item) > _LONGEST_ITEM:
        return None
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
