"""Notes in double columns (夹注) are found by where they stand, and read right then left within their column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.ocr.notes import find_notes, read_columns
from workers.text.columns import in_columns
from workers.text.source import Box

FULL, PITCH = 80.0, 100.0
TOP = 100.0


def text(column: int, start: float, length: int) -> Box:
    """Return the box of a line of the text: the column from the right, the row where it begins, its characters."""
    left = 1000 - column * PITCH
    return left, TOP + start * FULL, left + FULL, TOP + (start + length) * FULL


def note(column: int, start: float, length: int, *, left: bool = False) -> Box:
    """Return the box of one line of a note, whose characters have half the size."""
    edge = 1000 - column * PITCH + (0 if left else FULL / 2)
    return edge - 4, TOP + start * FULL, edge + FULL / 2 + 4, TOP + (start + length / 2) * FULL


WITHIN = [text(0, 0, 3), note(0, 3, 8), note(0, 3, 7, left=True), text(0, 7, 3)]
NEXT = [note(1, 0, 20), note(1, 0, 20, left=True)]
ALONE = [text(2, 0, 4), note(2, 4, 1), text(2, 5, 4)]
PLAIN = [text(column, 0, 10) for column in range(5)]


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        (WITHIN, [False, True, True, False]),
        (WITHIN + NEXT, [False, True, True, False, True, True]),
        (WITHIN + ALONE, [False, True, True, False, False, True, False]),
        (NEXT + ALONE, [False] * 5),
        (PLAIN, [False] * 5),
        ([(820, 20, 1080, 60), *NEXT], [False] * 3),
        ([], []),
    ],
    ids=["within a column", "a column of notes", "one line", "no pair in the text", "equal", "a row above", "nothing"],
)
def test_lines_that_stand_in_pairs_within_a_column_are_notes(boxes: list[Box], expected: list[bool]) -> None:
    found = find_notes(boxes)[1]
    assert [index in found for index in range(len(boxes))] == expected
    assert [index for index, _ in read_columns(boxes)] == list(range(len(boxes)))


def test_a_note_is_read_before_its_column_goes_on_although_the_boxes_of_columns_overlap() -> None:
    leaning = [(left - 28 * (top > TOP), top, right + 22 * (top == TOP), bottom) for left, top, right, bottom in WITHIN]
    boxes = [*leaning, text(1, 0, 10)]
    assert read_columns(boxes[::-1]) == [(4, False), (3, True), (2, True), (1, False), (0, False)]


side = st.integers(0, 300).map(float)


@given(st.lists(st.tuples(side, side, side, side).map(lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3]))))
def test_any_lines_are_each_read_once(boxes: list[Box]) -> None:
    order = read_columns(boxes)
    assert sorted(index for index, _ in order) == list(range(len(boxes)))
    if not any(is_note for _, is_note in order):
        assert [index for index, _ in order] == in_columns(boxes)
