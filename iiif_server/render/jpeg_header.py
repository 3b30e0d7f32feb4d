"""The upper part of a JPEG as a JPEG: what lies below need not be decoded. (pure)

The frame header tells how many lines follow (ITU-T T.81, B.2.2); a decoder that is told of fewer stops there. Lines are
coded from the top, so those above are what they were, but for the last of them, which is smoothed with the colour of
the next: a line more is kept, up to the end of a row of coded units.
"""

from __future__ import annotations

from typing import Final

_START: Final = b"\xff\xd8"
_MARKER: Final = 0xFF
_SEQUENTIAL: Final = frozenset({0xC0, 0xC1})
"""Frames whose lines all come from the top, Huffman coded: baseline, and extended sequential."""

_UNIT: Final = 8


def upper_part(data: bytes, rows: int, height: int) -> tuple[bytes, int]:
    """A JPEG of at least the first `rows` lines of one that has `height`, and how many it has.

    That is `data` itself when it would be no less, is not sequential, or is not of that height: whoever decodes it will
    see what is wrong.
    """
    place = _frame(data)
    if place is None or int.from_bytes(data[place + 5 : place + 7], "big") != height:
        return data, height
    components = range(place + 11, place + 10 + 3 * data[place + 9], 3)
    unit = _UNIT * max((data[component] & 15 for component in components), default=1)
    kept = -(-(rows + 1) // unit) * unit
    if kept >= height:
        return data, height
    return data[: place + 5] + kept.to_bytes(2, "big") + data[place + 7 :], kept


def _frame(data: bytes) -> int | None:
    """Where the header of a sequential frame begins, whole; None when there is none before anything is coded."""
    place = len(_START)
    if not data.startswith(_START):
        return None
    while len(data) >= place + 10 and data[place] == _MARKER:
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        if data[place + 1] in _SEQUENTIAL:
            whole = len(data) >= place + 2 + length and length == 8 + 3 * data[place + 9]
            return place if whole else None
        if not _has_length(data[place + 1]):
            return None
        place += 2 + length
    return None


def _has_length(marker: int) -> bool:
    """Whether a marker begins a segment of tables or of an application, after which a sequential frame may come."""
    return marker in {0xC4, 0xDB, 0xDD, 0xFE} or 0xE0 <= marker <= 0xEF
