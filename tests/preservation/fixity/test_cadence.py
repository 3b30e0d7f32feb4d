"""When files are due: spread over the period, never later than it."""

from __future__ import annotations

from collections import Counter
from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preservation.fixity.cadence import (
    Hours,
    late_before,
    needed_rate,
    next_due,
    parse_hours,
    seconds_until_all_checked,
)

PETABYTE = 10**15


@given(st.text(max_size=20), st.integers(0, 40_000), st.integers(1, 400))
def test_a_unit_is_due_within_its_period_and_then_on_the_same_day_of_every_period(
    name: str, checked: int, period: int
) -> None:
    due = next_due(name, checked, period)
    assert checked < due <= checked + period
    assert next_due(name, due, period) == due + period


def test_what_was_checked_on_one_day_is_due_evenly_over_the_period() -> None:
    days = Counter(next_due(f"unit {number}", 20_000, 90) for number in range(9_000))
    assert set(days) == set(range(20_001, 20_091))
    assert max(days.values()) < 160


@pytest.mark.parametrize(
    ("text", "hours"),
    [("", Hours(0, 24)), ("22-6", Hours(22, 6)), ("9 - 17", Hours(9, 17)), ("0-24", Hours(0, 24))],
)
def test_hours_are_parsed(text: str, hours: Hours) -> None:
    assert parse_hours(text) == hours


@pytest.mark.parametrize("text", ["22", "a-b", "22-25", "-", "1-2-3"])
def test_other_texts_are_no_hours(text: str) -> None:
    assert parse_hours(text) is None


def test_hours_cross_midnight() -> None:
    night = Hours(22, 6)
    assert [hour for hour in range(24) if night.include(time(hour, 30))] == [0, 1, 2, 3, 4, 5, 22, 23]
    assert night.share == pytest.approx(1 / 3)


def test_a_petabyte_needs_129_megabytes_a_second() -> None:
    assert needed_rate(PETABYTE, 90, Hours()) == pytest.approx(129e6, rel=0.01)
    assert needed_rate(0, 90, Hours()) == 0


DAY = 86_400
AT_TEN = 10 * DAY
"""The bytes that a rate of ten bytes a second reads in a day."""


@pytest.mark.parametrize(
    ("due", "hours", "days"),
    [
        ([0, 0, 0], Hours(), 0),
        ([0, AT_TEN // 2, 0, 0, 0], Hours(), 1.5),
        ([0, 0, 0, AT_TEN // 2], Hours(), 3.5),
        ([AT_TEN, 0, 0, 0], Hours(), 1),
        ([2 * AT_TEN, 0, AT_TEN // 2, 0, 0], Hours(), 3.5),
        ([AT_TEN, 0, 0, 0], Hours(22, 6), 3),
    ],
    ids=["nothing due", "tomorrow", "last day", "now", "backlog delays the rest", "at night"],
)
def test_all_is_checked_when_the_last_of_it_was_due_and_the_rate_has_caught_up(
    due: list[int], hours: Hours, days: float
) -> None:
    assert seconds_until_all_checked(due, 10, hours) == pytest.approx(days * DAY, abs=2)


def test_late_is_what_was_due_for_a_tenth_of_the_period() -> None:
    assert late_before(100, 90) == 91
    assert late_before(100, 5) == 99
