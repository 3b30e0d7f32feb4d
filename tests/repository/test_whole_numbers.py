from __future__ import annotations

import pytest

from repository.whole_numbers import parse_whole_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("12", 12),
        ("007", 7),
        ("100", 100),
        ("101", None),
        ("", None),
        ("-1", None),
        ("+1", None),
        (" 1", None),
        ("1_0", None),
        ("1.0", None),
        ("１", None),
        ("²", None),
        ("9" * 10_000, None),
        ("0" * 10_000, None),
    ],
)
def test_only_digits_within_the_bounds_are_a_number(text: str, number: int | None) -> None:
    assert parse_whole_number(text, 100) == number


def test_number_below_the_least_is_none() -> None:
    assert parse_whole_number("0", 100, 1) is None
    assert parse_whole_number("1", 100, 1) == 1
