"""When files are due: spread over the period, never later than it."""

from __future__ import annotations

from collections import Counter
from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preservation.fixity.cadence import Hours, late_before, needed_rate, next_due, parse_hours, seconds_until_done

PETABYTE = 10**15


@given(st.text(max_size=20), st.integers(0, 40_000), st.integers(1, 400))
def test_a_unit_is_due_within_its_period_and_then_on_the_same_day_of_every_period(
    name: str, checked: int, period: int
) -> None:
    due = next_due(name, checked, period)
    assert checked < due <= checked + period
    assert next_due(name, due, period) == due + period


def test_what_was_checked_on_one_day_is_due_evenly_over_the_period() -> None:
    days = Counter(next_due(f"/work/{number}", 20_000, 90) for number in range(9_000))
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


def test_what_is_due_ends_when_the_rate_has_caught_up() -> None:
    assert seconds_until_done([0, 100], 10, Hours()) == 0
    assert seconds_until_done([864_000, 0], 10, Hours()) == 86_400
    assert seconds_until_done([1_296_000, 432_000, 0], 10, Hours()) == 2 * 86_400
    assert seconds_until_done([864_000, 0], 10, Hours(22, 6)) == pytest.approx(3 * 86_400, abs=2)
    assert seconds_until_done([1_000_000, 1_000_000], 10, Hours()) is None


def test_late_is_what_was_due_for_a_tenth_of_the_period() -> None:
    assert late_before(100, 90) == 91
    assert late_before(100, 5) == 99
