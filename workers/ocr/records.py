"""What the engine finds on a page, and the function of the child that finds it. (pure)"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from repository.errors import PyramidCorrupt
from repository.model.text import PageText, TextKind, TextLine
from repository.model.work import Rectangle
from repository.sandbox.functions import SandboxFunction


@dataclass(frozen=True, slots=True)
class RecognisedLine:
    """A line or a column: left, top, width and height in pixels of the image, and how sure the engine is, 0 to 1.

    `is_note` marks small characters in double columns (夹注).
    """

    text: str
    box: tuple[int, int, int, int]
    confidence: float
    is_note: bool


@dataclass(frozen=True, slots=True)
class RecognisedPage:
    """The lines of a page in reading order."""

    lines: tuple[RecognisedLine, ...]

    def text(self, page: str, engine: str) -> PageText:
        """Return the text of the page with this key, as this engine read it. Its quality is the mean confidence."""
        lines = tuple(TextLine(line.text, Rectangle(*line.box), line.is_note) for line in self.lines)
        return PageText(page, TextKind.OCR, lines, engine, self.quality())

    def quality(self) -> float | None:
        """Return the mean confidence of the characters; None without any."""
        count = sum(len(line.text) for line in self.lines)
        total = sum(len(line.text) * min(max(line.confidence, 0.0), 1.0) for line in self.lines)
        return round(total / count, 4) if count else None


RECOGNISE_PAGE: Final = SandboxFunction(
    "workers.ocr.child", "recognise_page", RecognisedPage, (PyramidCorrupt,), request=list[int]
)
