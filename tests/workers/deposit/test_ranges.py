"""Ranges of a work, built from the ``[[range]]`` tables of its record."""

from __future__ import annotations

import pytest

from workers.deposit.ranges import build_ranges
from workers.deposit.record import RangeTable

KEYS = ["volume-1/0001", "volume-1/0002", "volume-1/a-1", "volume-2/0001", "volume-2/0002"]


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        ("volume-1/0001", [0]),
        ("volume-1/0001-0002", [0, 1]),
        ("volume-1/0001-volume-2/0001", [0, 1, 2, 3]),
        ("volume-1/a-1", [2]),
        ("volume-1/0002-a-1", [1, 2]),
        ("volume-1/0001, volume-2/0002", [0, 4]),
        ("volume-1/0001-0002, volume-1/0002", [0, 1]),
    ],
)
def test_range_lists_pages_and_runs_of_pages(pages: str, expected: list[int]) -> None:
    ranges, faults = build_ranges([RangeTable("range[1]", "卷", pages, None)], KEYS)
    assert faults == ()
    assert ranges[0].pages == tuple(KEYS[place] for place in expected)


def table(label: str, pages: str | None = "volume-1/0001", parent: str | None = None) -> RangeTable:
    return RangeTable(f"range[{label}]", label, pages, parent)


@pytest.mark.parametrize(
    ("tables", "place"),
    [
        ([table("a", "volume-1/0009")], "range[a].pages"),
        ([table("a", "0001")], "range[a].pages"),
        ([table("a", "volume-2/0001-volume-1/0001")], "range[a].pages"),
        ([table("a", None)], "range[a].pages"),
        ([table("a", parent="b")], "range[a].parent"),
        ([table("a", parent="a")], "range[a].parent"),
        ([table("a", parent="b"), table("b", parent="a")], "range[a].parent"),
        ([table("a"), table("a"), table("b", parent="a")], "range[b].parent"),
        ([table("c", parent="a"), table("a", parent="b"), table("b", parent="a")], "range[a].parent"),
    ],
)
def test_inconsistent_ranges_are_refused(tables: list[RangeTable], place: str) -> None:
    ranges, faults = build_ranges(tables, KEYS)
    assert ranges == ()
    assert place in {fault.place for fault in faults}


def test_range_may_be_declared_before_its_parent() -> None:
    ranges, faults = build_ranges([table("學而", parent="卷一"), table("卷一", None), table("序")], KEYS)
    assert faults == ()
    assert [(part.label, [inner.label for inner in part.ranges]) for part in ranges] == [("卷一", ["學而"]), ("序", [])]
