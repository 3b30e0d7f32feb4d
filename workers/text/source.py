"""Text as a file states it, before it is assigned to the pages of a work. (pure)"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from repository.localized import LocalizedText
from repository.model.text import TextKind

MAX_BYTES: Final = 16 << 20
"""The largest file of text in bytes; ALTO of a newspaper page has about 2 MB, a book of a million signs 3."""

MAX_PAGES: Final = 20_000
MAX_LINES: Final = 200_000
MAX_LINE: Final = 20_000
"""The most pages and lines of a file, and characters of a line."""

MISSING_CHARACTER: Final = "□"
"""Stands for a character that the file names but does not encode, or that cannot be read."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\ufeff\ufffe\uffff\ud800-\udfff]")
_SPACE: Final = re.compile(r"[ \t\r\n\u2028\u2029]+")
_WIDE: Final = r"[\u2e80-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
_SPACE_AMONG_WIDE: Final = re.compile(rf"(?<={_WIDE}) (?={_WIDE})")

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in the units of the file."""


class TextForm(StrEnum):
    """The form of a file of text."""

    ALTO = "alto"
    PAGE = "page"
    HOCR = "hocr"
    TEI = "tei"
    PLAIN = "plain"
    KANRIPO = "kanripo"


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line as the file states it; `box` is None if the file states no place."""

    text: str
    box: Box | None = None
    is_note: bool = False


@dataclass(frozen=True, slots=True)
class SourcePage:
    """A page of a file: what the file calls it, the file name of its picture, its size, and its lines in order.

    `name` and `image` are '' if the file does not state them. `size` is width and height in the units of the boxes;
    None if the boxes are in pixels of the picture.
    """

    lines: tuple[SourceLine, ...]
    name: str = ""
    image: str = ""
    size: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class SourceText:
    """The text of a file. `has_breaks` tells a file that divides its text into pages itself from one of a single page.

    `kind`, `source`, `quality` and `language` are what the file lets one conclude; the record of a work may say more.
    """

    form: TextForm
    pages: tuple[SourcePage, ...]
    has_breaks: bool = False
    kind: TextKind = TextKind.TRANSCRIPTION
    source: str = ""
    quality: float | None = None
    language: str | None = None


class TextProblem(Exception):
    """A file of text that cannot be read: a code, the place in the file, and what is wrong."""

    def __init__(self, code: str, place: str, message: LocalizedText) -> None:
        self.code = code
        self.place = place
        self.message = message
        super().__init__(message.en)


def clean_line(text: str) -> str:
    """Return a line without control characters, its hyphen at the end as ``-``, and without hidden hyphens elsewhere.

    Runs of white space are one space, and none between ideographs. An ideographic space stays, because it indents.
    """
    text = _SPACE.sub(" ", _CONTROL.sub("", text.replace("\t", " ").replace("\n", " "))).strip(" ")
    text = _SPACE_AMONG_WIDE.sub("", text)
    if text.endswith(("\u00ad", "\u00ac")):
        text = f"{text[:-1]}-"
    return text.replace("\u00ad", "").rstrip("\u3000 ")


def line_of(text: str, box: Box | None = None, *, is_note: bool = False) -> SourceLine | None:
    """Return a line, None if nothing is in it. Raises `TextProblem` for a line of more than `MAX_LINE` characters."""
    cleaned = clean_line(text)
    if len(cleaned) > MAX_LINE:
        raise too_large(f"{MAX_LINE} 字", f"{MAX_LINE} characters in a line")
    return SourceLine(cleaned, box, is_note) if cleaned else None


def joined_box(boxes: Iterable[Box | None]) -> Box | None:
    """Return the smallest box around boxes, None if there are none."""
    known = [box for box in boxes if box]
    if not known:
        return None
    lefts, tops, rights, bottoms = zip(*known, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def mean(values: Iterable[float]) -> float | None:
    """Return the mean of shares from 0 to 1, None without any."""
    shares = [min(max(value, 0.0), 1.0) for value in values]
    return round(sum(shares) / len(shares), 4) if shares else None


def too_large(zh: str, en: str) -> TextProblem:
    """Return the problem of a file that exceeds a limit."""
    return TextProblem(
        "text.limit",
        "",
        LocalizedText(f"超出上限（{zh}）；请拆分此文件", f"the file exceeds a limit ({en}); split it"),
    )


_NOTES: Final = frozenset(
    {
        "note",
        "inline",
        "interlinear",
        "commentary",
        "annotation",
        "warichu",
        "夹注",
        "夾注",
        "割注",
        "小注",
        "双行小注",
        "注",
    }
)


def means_note(word: str) -> bool:
    """Return whether a word by which a file classifies a line means small characters in double columns (夹注)."""
    return word.strip().casefold() in _NOTES
