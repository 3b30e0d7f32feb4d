"""The frame header of a JPEG: what it states, and how a JPEG is shortened to its upper rows. (pure)

A JPEG is shortened so that the rows below are not decoded. The frame header states the number of lines (ITU-T T.81,
B.2.2), and a decoder stops after that many. Lines are coded from the top, so a smaller number does not change those
above, except the last: its chroma is smoothed with that of the next line. Therefore one line more is kept, up to the
end of a row of coded units.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_START: Final = b"\xff\xd8"
_MARKER: Final = 0xFF
_SEQUENTIAL: Final = frozenset({0xC0, 0xC1})
"""Frames that code their lines from the top with Huffman coding: baseline and extended sequential."""

_UNIT: Final = 8


class JpegFrame(NamedTuple):
    """The size in pixels and the number of components of a JPEG: 1 for grey, 3 for colours."""

    width: int
    height: int
    components: int


def jpeg_frame(data: bytes) -> JpegFrame:
    """Return what the header of a sequential JPEG states. Raises `ValueError` for any other data."""
    offset = _frame(data)
    if offset is None:
        raise ValueError("no sequential JPEG")
    height, width = (int.from_bytes(data[offset + place : offset + place + 2], "big") for place in (5, 7))
    return JpegFrame(width, height, data[offset + 9])


def upper_part(data: bytes, rows: int, height: int) -> tuple[bytes, int]:
    """Return a JPEG of at least the first `rows` lines of one of `height` lines, and its number of lines.

    Return `data` itself when nothing can be left out, and when it is not sequential or not of that height: the decoder
    then reports what is wrong.
    """
    offset = _frame(data)
    if offset is None or int.from_bytes(data[offset + 5 : offset + 7], "big") != height:
        return data, height
    components = range(offset + 11, offset + 10 + 3 * data[offset + 9], 3)
    unit = _UNIT * max((data[component] & 15 for component in components), default=1)
    lines = -(-(rows + 1) // unit) * unit
    if lines >= height:
        return data, height
    return data[: offset + 5] + lines.to_bytes(2, "big") + data[offset + 7 :], lines


def _frame(data: bytes) -> int | None:
    """Return the offset of a complete header of a sequential frame; None when none precedes the coded data."""
    offset = len(_START)
    if not data.startswith(_START):
        return None
    while len(data) >= offset + 10 and data[offset] == _MARKER:
        length = int.from_bytes(data[offset + 2 : offset + 4], "big")
        if data[offset + 1] in _SEQUENTIAL:
            whole = len(data) >= offset + 2 + length and length == 8 + 3 * data[offset + 9]
            return offset if whole else None
        if not _has_length(data[offset + 1]):
            return None
        offset += 2 + length
    return None


def _has_length(marker: int) -> bool:
    """Return whether a marker begins a segment of tables or of an application, which may precede a sequential frame."""
    return marker in {0xC4, 0xDB, 0xDD, 0xFE} or 0xE0 <= marker <= 0xEF
