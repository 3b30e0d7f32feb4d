"""Which ranges of a pyramid to read for several of its tiles. (pure)

Tiles are stored in the order in which they were written, not in that of the grid, but neighbours in the image are
mostly near each other in the file. So spans are sorted by offset, and those that are adjacent, or nearly, are read as
one range.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple


class TileSpan(NamedTuple):
    """The bytes of a tile in its file, and their CRC-32 (`PyramidDirectory.locate`)."""

    offset: int
    length: int
    crc: int


class Run(NamedTuple):
    """One range to read: `length` bytes from `start`, and the indexes of the spans in it."""

    start: int
    length: int
    members: tuple[int, ...]


class Bounds(NamedTuple):
    """Limits of a run in bytes: `gap` between two spans, and `longest` for a run of more than one span."""

    gap: int
    longest: int


def runs(spans: Sequence[TileSpan], bounds: Bounds) -> Iterator[Run]:
    """Yield the ranges that contain `spans`, each span in exactly one, in the order of the file.

    At least half of every range is needed: a gap is bridged only while gaps are at most the bytes of the spans so far.
    Memory: `longest` bytes for each range, or one span that is longer.
    """
    members: list[int] = []
    start = end = needed = 0
    for index in sorted(range(len(spans)), key=spans.__getitem__):
        span = spans[index]
        new_end = max(end, span.offset + span.length)
        unneeded = span.offset - start - needed
        if members and span.offset - end <= bounds.gap and unneeded <= needed and new_end - start <= bounds.longest:
            members.append(index)
            needed += span.length
            end = new_end
            continue
        if members:
            yield Run(start, end - start, tuple(members))
        members, start, end, needed = [index], span.offset, span.offset + span.length, span.length
    if members:
        yield Run(start, end - start, tuple(members))
