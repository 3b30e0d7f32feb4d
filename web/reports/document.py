"""A report as sections of sentences and tables in one language, from which every form of it is made. (pure)

Cells have the text that people read and the bare value that programs read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_LONGEST_WORD: Final = 24
_SHORT, _SHORT_LATIN = 10, 16


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its text, its bare value, the path of the list or page that it leads to, and whether it is a number.

    `alert` marks what needs attention.
    """

    text: str
    value: str | int = ""
    path: str = ""
    is_number: bool = False
    alert: bool = False
    lang: str = ""

    @property
    def is_long(self) -> bool:
        """Whether a word of the text, such as a key, is too long for a line of a narrow column."""
        return any(len(word) > _LONGEST_WORD for word in self.text.split())

    @property
    def is_short(self) -> bool:
        """Whether the text, such as a time, stays on one line of a narrow screen, beside which a table scrolls."""
        return len(self.text) <= (_SHORT_LATIN if self.text.isascii() else _SHORT)


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table with its caption and the headings of its columns; the first cell of a row is its heading."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A section: its anchor, title, sentences, tables, and the names of its charts, which show what its tables do."""

    anchor: str
    title: str
    sentences: tuple[str, ...]
    tables: tuple[ReportTable, ...]
    charts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChartPicture:
    """A chart in a page: its URL, and its height in pixels, which a page keeps free for it."""

    url: str
    height: int


@dataclass(frozen=True, slots=True)
class Notice:
    """A matter that needs a decision: its text and the anchor of its section."""

    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class ReportDocument:
    """A whole report. `state` is that of the verdict, `lead` its sentences; `about` says what the report is of."""

    title: str
    state: str
    lead: str
    about: str
    notices: tuple[Notice, ...]
    sections: tuple[ReportSection, ...]
