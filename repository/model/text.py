"""The text of pages: lines in reading order, where each stands on the picture, and where the text comes from. (pure)

A page may have several texts: a transcription, the output of OCR, a translation. Search, annotations, ALTO and the
plain-text view are made from these values; the files from which they were read are preserved unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from repository.model.work import Rectangle


class TextKind(StrEnum):
    """What a text of a page is."""

    TRANSCRIPTION = "transcription"
    OCR = "ocr"
    TRANSLATION = "translation"


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of a page, or a column of vertical text; `is_note` marks small characters in double columns (夹注).

    `region` is its bounding box in pixels of the page's first image, None where the source states none.
    """

    text: str
    region: Rectangle | None = None
    is_note: bool = False


@dataclass(frozen=True, slots=True)
class PageText:
    """One text of one page, its lines in reading order.

    `page` is the key of the page (`Page.key`). `source` says in words where the text comes from: a project, an edition,
    an engine with its version. `quality` is the estimated share of characters that are right, 0 to 1, None if unknown.
    `language` is a BCP 47 tag, None if unknown. `is_corrected` tells OCR that people have corrected from other OCR.
    """

    page: str
    kind: TextKind
    lines: tuple[TextLine, ...]
    source: str = ""
    quality: float | None = None
    language: str | None = None
    is_corrected: bool = False

    def plain(self) -> str:
        """Return the text as plain text, one line of the page a line."""
        return "".join(f"{line.text}\n" for line in self.lines)


def rank(text: PageText) -> tuple[int, bool, float]:
    """Return a key that sorts the texts of a page: the best to show and to search first.

    A transcription precedes corrected OCR, which precedes OCR as it came; a translation is last.
    """
    order = (TextKind.TRANSCRIPTION, TextKind.OCR, TextKind.TRANSLATION)
    return order.index(text.kind), not text.is_corrected, -(text.quality or 0.0)


def best_texts(texts: Iterable[PageText]) -> dict[str, PageText]:
    """Return the best text of each page by the page's key, without translations."""
    best: dict[str, PageText] = {}
    for text in sorted((text for text in texts if text.kind is not TextKind.TRANSLATION), key=rank):
        best.setdefault(text.page, text)
    return best
