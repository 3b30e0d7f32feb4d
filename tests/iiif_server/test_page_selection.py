"""The pages of a rendering, as a request selects them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiif_server.page_selection import LONGEST, selected_pages, selection_of
from repository.errors import RequestInvalid


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", [1, 2, 3, 4, 5, 6]),
        ("2", [2]),
        ("2-4", [2, 3, 4]),
        ("5-", [5, 6]),
        ("6, 1-2,2", [1, 2, 6]),
    ],
)
def test_selection_gives_pages_once_in_the_order_of_the_book(text: str, numbers: list[int]) -> None:
    assert selected_pages(text, 6) == numbers


@pytest.mark.parametrize("text", ["0", "7", "3-2", "-3", "1-7", "x", "1,,2", "１", "1-2-3", "1," * LONGEST + "1"])
def test_what_selects_no_page_is_refused(text: str) -> None:
    with pytest.raises(RequestInvalid):
        selected_pages(text, 6)


@given(st.sets(st.integers(1, 40), min_size=1))
def test_written_selection_is_read_as_the_same_pages(numbers: set[int]) -> None:
    assert selected_pages(selection_of(numbers), 40) == sorted(numbers)
    assert selection_of([3, 1, 2, 6, 2]) == "1-3,6"
