"""Reads text marked as that of kanripo (Mandoku): https://www.kanripo.org . (pure)

=====================  ======================================================================================
mark                   meaning
=====================  ======================================================================================
``<pb:ID_ED_015-6a>``  a page begins: juan 015, leaf 6, side a
``¶``                  the end of a line of the edition; a line feed without it is none, unless a new block follows
``(甲/乙)``            a note in double columns (夹注), 甲 the right column, 乙 the left one
``&KR1234;``           a character that Unicode lacks, here □
``# …``, ``#+KEY: …``  a comment, a property
``** …``               a heading
=====================  ======================================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from workers.text.source import MISSING_CHARACTER, SourceLine, SourcePage, SourceText, TextForm, line_of

_MARK: Final = re.compile(r"<pb:([^<>\s]{1,200})>|<md:[^<>]{0,200}>|([¶()/])")
_CHARACTER: Final = re.compile(r"&(?:KR|CB|T|M)[0-9A-Za-z-]{1,20};")
_PROPERTY: Final = re.compile(r"#\+(TITLE|PROPERTY):[ \t]*(.*)", re.IGNORECASE)
_HEADING: Final = re.compile(r"\*+ ")


def is_kanripo(text: str) -> bool:
    """Return whether text has page marks of this form."""
    return "<pb:" in text


def read_kanripo(text: str) -> SourceText:
    """Return the pages of a text. What precedes the first page mark is on the first page. Raises `TextProblem`."""
    reading = _MarkedText()
    properties: dict[str, str] = {}
    for raw in text.splitlines():
        if match := _PROPERTY.match(raw):
            key, _, value = match[2].partition(" ") if match[1].upper() == "PROPERTY" else ("TITLE", "", match[2])
            properties.setdefault(key.upper(), value.strip())
        if raw.startswith("#") or not raw.strip(" \t"):
            reading.end_line()
        elif heading := _HEADING.match(raw):
            reading.end_line()
            reading.read(raw[heading.end() :])
            reading.end_line()
        else:
            reading.read(raw)
    words = (properties.get(key, "") for key in ("TITLE", "ID", "BASEEDITION"))
    return SourceText(
        TextForm.KANRIPO, reading.finish(), has_breaks=True, source=" ".join(filter(None, words)), language="lzh"
    )


@dataclass(slots=True)
class _MarkedText:
    """The pages so far, the lines of the last one, and the segment that is being read."""

    pages: list[SourcePage] = field(default_factory=list)
    name: str | None = None
    lines: list[SourceLine] = field(default_factory=list)
    segment: str = ""
    in_note: bool = False

    def read(self, raw: str) -> None:
        at = 0
        for mark in _MARK.finditer(raw):
            self.segment += raw[at : mark.start()]
            at = mark.end()
            self._obey(mark[1], mark[2] or "")
        self.segment += raw[at:]

    def _obey(self, page: str | None, sign: str) -> None:
        if page is not None:
            self.end_line()
            self._end_page()
            self.name = page.rpartition("_")[2]
        elif sign == "/" and not self.in_note:
            self.segment += sign
        elif sign:
            self.end_line()
            self.in_note = sign == "(" or (self.in_note and sign != ")")

    def end_line(self) -> None:
        text = _CHARACTER.sub(MISSING_CHARACTER, self.segment)
        self.segment = ""
        if line := line_of(text, is_note=self.in_note):
            self.lines.append(line)

    def _end_page(self) -> None:
        if self.name is not None:
            self.pages.append(SourcePage(tuple(self.lines), name=self.name))
            self.lines = []

    def finish(self) -> tuple[SourcePage, ...]:
        self.end_line()
        self._end_page()
        return tuple(self.pages)
