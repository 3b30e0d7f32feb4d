"""What a text may become by a correction: its lines, their places, and the limits. (pure)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from typing import Final

from repository.errors import RequestInvalid
from repository.localized import LocalizedText
from repository.model.text import PageText, TextLine
from repository.model.work import Page, Rectangle
from workers.text.places import is_on, is_visible
from workers.text.source import clean_line

MOST_LINES: Final = 500
MOST_LINE_CHARACTERS: Final = 1000
MOST_CHARACTERS: Final = 20_000
"""The most lines of a text that can be corrected here, the most characters of a line, and of all lines."""

_BLANK: Final = LocalizedText("至少须有一行文字", "at least one line must have text")
_LONG: Final = LocalizedText(
    f"一行不得超过 {MOST_LINE_CHARACTERS} 字，全页不得超过 {MOST_CHARACTERS} 字",
    f"a line may have {MOST_LINE_CHARACTERS} characters, and a page {MOST_CHARACTERS}",
)
_MANY: Final = LocalizedText(f"全页不得超过 {MOST_LINES} 行", f"a page may have {MOST_LINES} lines")
_NONCHARACTER: Final = LocalizedText("文字中有 U+FFFE 或 U+FFFF，请删去", "there is a U+FFFE or U+FFFF; remove it")
_OUTSIDE: Final = LocalizedText(
    "第 {number} 行的位置超出图像；图像宽 {width}、高 {height} 像素，宽高至少为 1",
    "line {number} is not on the picture, which is {width} pixels wide and {height} high; a place is at least 1 pixel"
    " wide and high",
)
_PICTURELESS: Final = LocalizedText(
    "此页没有图像，第 {number} 行不能有位置", "the page has no picture, so line {number} has no place on it"
)
_HIDDEN: Final = LocalizedText(
    "此页有遮盖部分：第 {number} 行须注明位置，且不得与遮盖部分重叠，否则读者看不到此行",
    "parts of this page are hidden: line {number} needs a place that does not overlap with them, because readers would"
    " not see the line otherwise",
)


class CorrectionInvalid(RequestInvalid):
    """Lines that a text cannot have, or places that its page has not."""

    text = LocalizedText("校正未保存：{reason}", "The correction was not saved: {reason}")

    def __init__(self, reason: LocalizedText) -> None:
        super().__init__(part="line", reason=reason)


def can_be_corrected(text: PageText) -> bool:
    """Return whether a text is within the limits of corrections."""
    return len(text.lines) <= MOST_LINES and _has_length_of_lines(text.lines)


def changed_lines(before: Sequence[TextLine], after: Sequence[TextLine]) -> int:
    """Return how many lines a correction changes, adds and removes; a line that is moved counts as well."""
    changes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return sum(max(end - start, new_end - new) for kind, start, end, new, new_end in changes if kind != "equal")


def checked_lines(page: Page, lines: Sequence[TextLine]) -> tuple[TextLine, ...]:
    """Return lines as they are read back from a file, without the empty ones. Raises `CorrectionInvalid`."""
    require_room(len(lines))
    if not _has_length_of_lines(lines):
        raise CorrectionInvalid(_LONG)
    if any("\ufffe" in line.text or "\uffff" in line.text for line in lines):
        raise CorrectionInvalid(_NONCHARACTER)
    kept: list[TextLine] = []
    for number, line in enumerate(lines, start=1):
        if text := clean_line(line.text):
            _check_place(page, number, line.region)
            kept.append(replace(line, text=text))
    if not kept:
        raise CorrectionInvalid(_BLANK)
    return tuple(kept)


def require_room(count: int) -> None:
    """Raise `CorrectionInvalid` if a page has too many lines."""
    if count > MOST_LINES:
        raise CorrectionInvalid(_MANY)


def _has_length_of_lines(lines: Sequence[TextLine]) -> bool:
    lengths = [len(line.text) for line in lines]
    return max(lengths, default=0) <= MOST_LINE_CHARACTERS and sum(lengths) <= MOST_CHARACTERS


def _check_place(page: Page, number: int, region: Rectangle | None) -> None:
    """Raise `CorrectionInvalid` if the line with this number, from 1, has an invalid place on its page."""
    if not page.images:
        if region:
            raise CorrectionInvalid(_PICTURELESS.format(number=number))
        return
    image = page.images[0]
    if region and not is_on(image, region):
        raise CorrectionInvalid(_OUTSIDE.format(number=number, width=image.width, height=image.height))
    if not is_visible(region, page):
        raise CorrectionInvalid(_HIDDEN.format(number=number))
