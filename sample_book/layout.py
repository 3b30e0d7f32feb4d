"""The layout of the pages of the sample book. (pure)

A woodblock prints one leaf, which is folded outward at its centre strip (版心). The photograph of a half-leaf therefore
shows half of that strip at the fold: on the left of an a-side, on the right of a b-side. Lengths are in pixels of a
page, with the origin at its top left corner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sample_book.text import AUTHOR, DYNASTY, TITLE, Juan

PAGE_WIDTH, PAGE_HEIGHT = 3840, 5600  # 21.5 megapixels, about 560 to the inch of a large-format book
SKY, EARTH, FOLD = 78, 96, 104  # margins around the paper: above, below, and beside the fold

COLUMNS, ROWS = 7, 12
COLUMN, ROW = 425, 350
HEART = 150  # half of the 版心
TOP = 860
BOTTOM = TOP + ROWS * ROW
BODY_WIDTH, BODY_HEIGHT = 391, 340  # the square of one character

RULE, THIN, THICK, GAP = 7, 10, 30, 20  # 界行; the two lines of the frame and the gap between them


class Side(StrEnum):
    """The half of a leaf, in reading order."""

    A = "a"
    B = "b"


@dataclass(frozen=True, slots=True)
class TextBox:
    """A rectangle: its upper left corner, width and height."""

    x: int
    y: int
    width: int
    height: int


SLIP = TextBox(290, 280, 740, 3180)  # 題簽, on the cover
HOLES = (420, 1990, 3560, 5160)  # where the cover is sewn, from the top
SEAM = 300  # distance of the holes from the spine


@dataclass(frozen=True, slots=True)
class Character:
    """A character and the box that contains its ink. `column` counts from 1 in reading order."""

    text: str
    box: TextBox
    column: int


@dataclass(frozen=True, slots=True)
class Fishtail:
    """Half of a fishtail mark (魚尾), which guides the fold. `fold` is the x of the fold, `toward` is +1 or -1."""

    fold: int
    toward: int
    y: int
    width: int = HEART
    shallow: int = 96
    deep: int = 200


@dataclass(frozen=True, slots=True)
class PageLayout:
    """The print of one block on one half-leaf.

    `bars` are rules and frame lines. `heart` has the characters of the centre strip (版心), which the fold divides and
    which are not part of the text. `stops` are the centres of the red circles after each line of the text.
    """

    side: Side
    characters: tuple[Character, ...]
    bars: tuple[TextBox, ...]
    heart: tuple[Character, ...] = ()
    fishtails: tuple[Fishtail, ...] = ()
    stops: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its characters, each with its row counted from 0; rows may be fractions."""

    cells: tuple[tuple[float, str], ...] = ()
    punctuated: bool = False


def set_column(text: str, row: float = 0.0, step: float = 1.0, *, punctuated: bool = False) -> Column:
    """Return a column of characters from `row` downward."""
    return Column(tuple((row + step * number, character) for number, character in enumerate(text)), punctuated)


def columns_of(juan: Juan) -> list[Column]:
    """Return a 卷 as columns: heading, author, each chapter from a new column, and the closing title."""
    author = ((4.5, DYNASTY), *((6.5 + number, name) for number, name in enumerate(AUTHOR)), (10.5, "撰"))
    columns = [set_column(TITLE + juan.label), Column(author)]
    for chapter in juan.chapters:
        text = "".join(chapter.lines)
        columns += [set_column(text[at : at + ROWS], punctuated=True) for at in range(0, len(text), ROWS)]
    blank = -(len(columns) + 1) % (2 * COLUMNS)
    return [*columns, *([Column()] * blank), set_column(TITLE + juan.label + "終")]


def half_leaves(columns: Sequence[Column]) -> list[Sequence[Column]]:
    """Return the columns of each half-leaf."""
    return [columns[at : at + COLUMNS] for at in range(0, len(columns), COLUMNS)]


def first_column(juan: Juan, chapter: int) -> int:
    """Return the column, counted from 0 over the 卷, in which a chapter begins."""
    return 2 + sum(-(-4 * len(before.lines) // ROWS) for before in juan.chapters[:chapter])


def text_page(columns: Sequence[Column], side: Side, juan: str, leaf: str) -> PageLayout:
    """Return a half-leaf of text: seven columns between rules, the frame, and half of the 版心."""
    placed = [_place(column, number, side) for number, column in enumerate(columns, start=1)]
    return PageLayout(
        side,
        tuple(character for column in placed for character in column),
        (*_rules(side), *_frame(side)),
        _heart(side, juan, leaf),
        (Fishtail(_turned(FOLD, side), 1 if side is Side.A else -1, TOP + 900),),
        tuple(
            stop
            for column, placing in zip(columns, placed, strict=True)
            if column.punctuated
            for stop in _stops(placing)
        ),
    )


def title_page() -> PageLayout:
    """Return the title page (內封): author, title and maker from right to left."""
    left, right = FOLD + HEART + 90, FOLD + HEART + COLUMNS * COLUMN - 90
    middle = (left + right) // 2
    dividers = tuple(TextBox(middle + offset, TOP, RULE, BOTTOM - TOP) for offset in (-690, 690 - RULE))
    author = _run(DYNASTY + AUTHOR + "次韻", TextBox(right - 565, TOP + 170, 430, 370), 1, step=400)
    title = _run(TITLE, TextBox(middle - 670, TOP + 250, 1340, 1200), 2, step=1240)
    maker = _run("數位善本庫樣本", TextBox(left + 135, TOP + 1250, 430, 370), 3, step=400)
    return PageLayout(
        Side.A, (*author, *title, *maker), (*_double_frame(TextBox(left, TOP, right - left, BOTTOM - TOP)), *dividers)
    )


def cover_slip(juan: str) -> PageLayout:
    """Return the title slip (題簽) of a cover: title and 卷 within a double frame."""
    inset = 76
    frame = TextBox(SLIP.x + inset, SLIP.y + inset, SLIP.width - 2 * inset, SLIP.height - 2 * inset)
    title = _run(TITLE, TextBox(SLIP.x + 100, SLIP.y + 210, SLIP.width - 200, 480), 1, step=520)
    label = _run(juan, TextBox(SLIP.x + 180, SLIP.y + 2170, SLIP.width - 360, 330), 1, step=360)
    return PageLayout(Side.A, (*title, *label), (*_lines_around(frame, 18, 13), *_lines_around(frame, 0, 6)))


def colophon_page(text: Sequence[str]) -> PageLayout:
    """Return the colophon (牌記): a framed notice in the middle of a b-side."""
    width, step = 410, 375
    measure = max(map(len, text))
    left = (PAGE_WIDTH - width * len(text)) // 2
    top = (TOP + BOTTOM - step * measure) // 2
    frame = TextBox(left - 70, top - 80, width * len(text) + 140, step * measure + 160)
    characters = tuple(
        character
        for number, run in enumerate(text, start=1)
        for character in _run(
            run, TextBox(left + width * (len(text) - number) + 5, top + 12, 400, 350), number, step=step
        )
    )
    return PageLayout(Side.B, characters, _double_frame(frame))


def _run(text: str, first: TextBox, column: int, *, step: int) -> tuple[Character, ...]:
    """Return characters one below the other, every `step`, the first of them in `first`."""
    return tuple(
        Character(character, TextBox(first.x, first.y + number * step, first.width, first.height), column)
        for number, character in enumerate(text)
    )


def _turned(x: int, side: Side) -> int:
    return x if side is Side.A else PAGE_WIDTH - x


def _turned_span(left: int, right: int, side: Side) -> tuple[int, int]:
    return (left, right) if side is Side.A else (PAGE_WIDTH - right, PAGE_WIDTH - left)


def _place(column: Column, number: int, side: Side) -> tuple[Character, ...]:
    left, _ = _turned_span(FOLD + HEART, FOLD + HEART + COLUMNS * COLUMN, side)
    x = left + (COLUMNS - number) * COLUMN + (COLUMN - BODY_WIDTH) // 2
    inset = (ROW - BODY_HEIGHT) // 2
    return tuple(
        Character(text, TextBox(x, round(TOP + row * ROW) + inset, BODY_WIDTH, BODY_HEIGHT), number)
        for row, text in column.cells
    )


def _stops(characters: Sequence[Character]) -> tuple[tuple[int, int], ...]:
    """Return one circle after every fourth character, at its lower right."""
    return tuple((last.box.x + last.box.width - 18, last.box.y + last.box.height - 26) for last in characters[3::4])


def _rules(side: Side) -> tuple[TextBox, ...]:
    """Return the rules (界行): one on the left of each column, on a b-side on its right."""
    offsets = (FOLD + HEART + number * COLUMN for number in range(COLUMNS))
    return tuple(TextBox(_turned(offset, side) - RULE // 2, TOP, RULE, BOTTOM - TOP) for offset in offsets)


def _frame(side: Side) -> tuple[TextBox, ...]:
    """Return the frame (四周雙邊): a thin line within a thick one, on the three sides other than the fold."""
    right = FOLD + HEART + COLUMNS * COLUMN
    reach = GAP + THIN + THICK
    lines = [(right, right + THIN, TOP, BOTTOM), (right + THIN + GAP, right + reach, TOP - reach, BOTTOM + reach)]
    lines += [(FOLD, right + THIN, TOP - THIN, TOP), (FOLD, right + reach, TOP - reach, TOP - THIN - GAP)]
    lines += [(FOLD, right + THIN, BOTTOM, BOTTOM + THIN), (FOLD, right + reach, BOTTOM + THIN + GAP, BOTTOM + reach)]
    spans = ((*_turned_span(left, end, side), top, bottom) for left, end, top, bottom in lines)
    return tuple(TextBox(left, top, end - left, bottom - top) for left, end, top, bottom in spans)


def _double_frame(inner: TextBox) -> tuple[TextBox, ...]:
    """Return a thin and a thick line around a box."""
    return (*_lines_around(inner, 0, THIN), *_lines_around(inner, THIN + GAP, THICK))


def _lines_around(inner: TextBox, distance: int, weight: int) -> tuple[TextBox, ...]:
    reach = distance + weight
    wide, high = inner.width + 2 * reach, inner.height + 2 * reach
    left, top = inner.x - reach, inner.y - reach
    return (
        TextBox(left, top, wide, weight),
        TextBox(left, top + high - weight, wide, weight),
        TextBox(left, top, weight, high),
        TextBox(left + wide - weight, top, weight, high),
    )


def _heart(side: Side, juan: str, leaf: str) -> tuple[Character, ...]:
    """Return the text of the 版心: title above the fishtail, 卷 and leaf below it, 樣本 (specimen) at the foot."""
    width, height, step = 270, 216, 232
    left = _turned(FOLD, side) - width // 2
    runs = ((TITLE, TOP + 110), (juan, TOP + 1180), (leaf, TOP + 2560), ("樣本", BOTTOM - 2 * step - 50))
    return tuple(
        character for text, top in runs for character in _run(text, TextBox(left, top, width, height), 0, step=step)
    )
