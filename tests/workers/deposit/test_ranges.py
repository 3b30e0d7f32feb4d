"""Ranges of a work, built from the ``[[range]]`` tables of its record."""

from __future__ import annotations

import pytest

from workers.deposit.ranges import MOST_PAGES, build_ranges
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


MANY = [f"{number:04d}" for number in range(1, 2001)]


def test_ranges_list_a_bounded_number_of_pages() -> None:
    """A record of 1 MiB may repeat a run 100,000 times, or state 30,000 ranges of all pages."""
    for tables in ([table("a", "0001-2000," * 100_000)], [table(str(number), "0001-2000") for number in range(30_000)]):
        ranges, faults = build_ranges(tables, MANY)
        assert ranges == ()
        assert [str(MOST_PAGES) in fault.message.en for fault in faults] == [True]
    allowed = [table(str(number), "0001-2000") for number in range(MOST_PAGES // len(MANY))]
    assert build_ranges(allowed, MANY)[1] == ()


def test_faults_of_a_long_list_of_pages_are_bounded() -> None:
    _, faults = build_ranges([table("a", "-" * 1_000_000), table("b", "x," * 500_000)], MANY)
    assert 1 < len(faults) <= 1000
    assert max(len(fault.message.en) for fault in faults) < 300


def test_many_ranges_in_a_tree_and_in_a_circle() -> None:
    """Time that grows with the square of 20,000 ranges would be noticed here."""
    tree = [table(str(number), "0001", str(number // 2) if number > 1 else None) for number in range(1, 20_001)]
    ranges, faults = build_ranges(tree, MANY)
    assert faults == ()
    assert len(ranges[0].ranges) == 2
    circle = [table(str(number), "0001", str((number + 1) % 20_000)) for number in range(20_000)]
    assert {fault.code for fault in build_ranges(circle, MANY)[1]} == {"range.parent"}
