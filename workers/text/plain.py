"""Reads plain text of one page, a line of the page a line. (pure)"""

from __future__ import annotations

from workers.text.source import SourcePage, SourceText, TextForm, line_of


def read_plain(text: str) -> SourceText:
    """Return the text of a page. Raises `TextProblem` for a line that is too long."""
    lines = (line_of(line) for line in text.splitlines())
    return SourceText(TextForm.PLAIN, (SourcePage(tuple(line for line in lines if line)),))
