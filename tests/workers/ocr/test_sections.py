"""The size at which the engine sees a page, and the parts that it sees of a wide one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from workers.ocr.sections import HEIGHT, LONGEST, WIDTH, reduced_size, sections


def test_a_page_is_read_a_thousand_pixels_wide() -> None:
    assert reduced_size(3840, 5600) == (WIDTH, 1458)


def test_a_small_page_is_not_enlarged() -> None:
    assert reduced_size(700, 900) == (700, 900)


def test_an_opening_and_a_scroll_are_read_at_the_height_of_a_page() -> None:
    assert reduced_size(5679, 4687) == (1696, HEIGHT)
    assert reduced_size(31502, 1516)[1] == HEIGHT


def test_a_hanging_scroll_is_read_whole_at_the_greatest_height() -> None:
    assert reduced_size(1516, 31502) == (115, LONGEST)


@given(st.integers(1, 40_000))
@settings(max_examples=50)
def test_each_place_belongs_to_one_part_which_shows_it(width: int) -> None:
    parts = sections(width)
    assert parts[0].left == 0.0
    assert parts[-1].right == width
    assert [part.right for part in parts[:-1]] == [part.left for part in parts[1:]]
    assert all(0 <= part.start <= part.left < part.right <= part.end <= width for part in parts)


def test_a_line_at_the_edge_of_a_part_is_whole_in_the_part_that_it_belongs_to() -> None:
    for before, after in zip(sections(5000), sections(5000)[1:], strict=False):
        assert before.end - before.right >= 90
        assert after.left - after.start >= 90
