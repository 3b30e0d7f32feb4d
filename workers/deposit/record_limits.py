"""Bounds the size and the structure of ``work.toml`` before it is parsed. (pure)

A TOML parser spends memory by the square of a key's length (40 KB of ``a.a.a...=1`` took 1.7 GB), stack by the depth of
brackets, and time by the square of a number's digits. No catalogue record comes near these limits.

Source: TOML 1.0, for what is a string, a comment, a key and a bracket.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from repository.localized import LocalizedText

MAX_BYTES: Final = 1 << 20
"""The largest record in bytes; a record of ten thousand pages, each with a label, has about half of it."""

MAX_PARTS: Final = 8
"""Parts of a dotted key (``a.b.c`` has three)."""

MAX_DEPTH: Final = 16
"""Brackets within brackets."""

MAX_WORD: Final = 100
"""Characters of a number, date or key without quotes."""

MAX_ENTRIES: Final = 100_000
"""Keys with values."""

_PIECE: Final = re.compile(r"""\"{3}|'{3}|["'\#]|[\n.,=\[\]{}]|[^\s"'\#.,=\[\]{}]+""")
"""The beginning of a text or comment, a separator, or a number, date or word."""

_ENDS: Final = {
    '"""': re.compile(r'\\.|"{3,5}', re.DOTALL),
    "'''": re.compile(r"'{3,5}"),
    '"': re.compile(r'\\.|["\n]'),
    "'": re.compile(r"['\n]"),
    "#": re.compile(r"(?=\n)"),
}
"""What ends a text or comment; an escaped character does not."""

_SEPARATORS: Final = frozenset("\n,=[]{}")


def exceeded_limit(text: str) -> tuple[int, LocalizedText] | None:
    """Return the line (from 1) and the description of the first limit that a record exceeds, or None."""
    parts, depth, entries = 1, 0, 0
    for position, piece in _pieces(text):
        if piece == ".":
            parts += 1
        elif piece in _SEPARATORS:
            parts = 1
            depth = max(0, depth + (piece in "[{") - (piece in "]}"))
            entries += piece == "="
        problem = _problem(piece, parts, depth, entries)
        if problem is not None:
            return text.count("\n", 0, position) + 1, problem
    return None


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Yield separators and words with their positions, without what texts and comments contain.

    They end at a text without end, where the parser ends too.
    """
    position = 0
    while match := _PIECE.search(text, position):
        position = match.end()
        ending = _ENDS.get(match[0])
        if ending is None:
            yield match.start(), match[0]
            continue
        end = ending.search(text, position)
        while end and end[0].startswith("\\"):
            end = ending.search(text, end.end())
        if end is None or (end[0] == "\n"):
            return
        position = end.end()


def _problem(piece: str, parts: int, depth: int, entries: int) -> LocalizedText | None:
    if parts > MAX_PARTS:
        return LocalizedText(f"键名超过 {MAX_PARTS} 段", f"a key has more than {MAX_PARTS} parts")
    if depth > MAX_DEPTH:
        return LocalizedText(f"括号嵌套超过 {MAX_DEPTH} 层", f"brackets are nested deeper than {MAX_DEPTH}")
    if len(piece) > MAX_WORD:
        return LocalizedText(
            f"数字或键名超过 {MAX_WORD} 个字符", f"a number or key is longer than {MAX_WORD} characters"
        )
    if entries > MAX_ENTRIES:
        return LocalizedText(f"超过 {MAX_ENTRIES} 项", f"there are more than {MAX_ENTRIES} keys")
    return None
