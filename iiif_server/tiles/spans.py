"""Which ranges of a pyramid to read for many of its tiles at once. (pure)

The tiles of a pyramid lie in the order in which they were written, which is no order of the grid; but tiles that are
neighbours in the picture are mostly near each other in the file. So what is wanted is sorted by its place, and places
that touch, or nearly, are read as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple


class TileSpan(NamedTuple):
    """Where a tile lies in its file, in bytes, and the CRC-32 of what lies there (`PyramidDirectory.locate`)."""

    offset: int
    length: int
    crc: int


class Run(NamedTuple):
    """One range to read, and the places in it by their index among those wanted."""

    start: int
    length: int
    members: tuple[int, ...]


class Bounds(NamedTuple):
    """What may be read in vain, in bytes: at most `gap` between two places; and no run but of one is over `longest`."""

    gap: int
    longest: int


def runs(places: Sequence[TileSpan], bounds: Bounds) -> Iterator[Run]:
    """The ranges that hold `places`, each place in exactly one, in the order of the file.

    Of every range, at least half is wanted: a gap is bridged only while gaps are no more than what was gathered so far.
    Memory is `longest` bytes a range, or the one place that is longer.
    """
    members: list[int] = []
    start = end = wanted = 0
    for index in sorted(range(len(places)), key=places.__getitem__):
        place = places[index]
        reached = max(end, place.offset + place.length)
        in_vain = place.offset - start - wanted
        if members and place.offset - end <= bounds.gap and in_vain <= wanted and reached - start <= bounds.longest:
            members.append(index)
            wanted += place.length
            end = reached
            continue
        if members:
            yield Run(start, end - start, tuple(members))
        members, start, end, wanted = [index], place.offset, place.offset + place.length, place.length
    if members:
        yield Run(start, end - start, tuple(members))
