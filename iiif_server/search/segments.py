"""The list of all segments of the index in a store, from the oldest to the newest. (pure)

A work that two segments have is searched in the newer one alone. A segment's name is a digest of its bytes, so that a
changed segment is another object, and no search reads half of one.
"""

from __future__ import annotations

from typing import Final

import msgspec

FORMAT: Final = 3
MOST_PAGES: Final = 250_000
"""The weight of the heaviest segment that is merged from others, about its pages with text."""

MERGED: Final = 6
"""Segments of about the same size that are merged into one."""


class SegmentEntry(msgspec.Struct, frozen=True):
    """A segment: its name, the works in it, how many of them it hides, the pages with text, and its bytes."""

    name: str
    works: int
    removed: int
    pages: int
    bytes: int

    @property
    def weight(self) -> int:
        """What it costs to write the segment again, in pages."""
        return self.pages + 10 * self.works


class SegmentList(msgspec.Struct, frozen=True):
    """All segments of a store."""

    format: int = FORMAT
    segments: list[SegmentEntry] = []

    @classmethod
    def of_json(cls, data: bytes) -> SegmentList:
        """Return the list of JSON. `ValueError` for anything else."""
        found = msgspec.json.decode(data, type=cls)
        if found.format != FORMAT:
            raise ValueError(f"format {found.format}")
        return found

    def to_json(self) -> bytes:
        """Return the list as JSON."""
        return msgspec.json.encode(self)


def segment_name(sha256: str) -> str:
    """Return the name of the segment whose bytes have this SHA-256."""
    return sha256[:32]


def mergeable(segments: list[SegmentEntry]) -> int:
    """Return how many segments, from the newest on, should be merged into one; 0 for none.

    At least `MERGED` are, of which the oldest weighs at most twice as much as all others, so that a work is written
    again only a few times. No merged one weighs more than `MOST_PAGES`.
    """
    merged, newer = 0, 0
    for count, segment in enumerate(reversed(segments), start=1):
        if newer + segment.weight > MOST_PAGES:
            break
        if count >= MERGED and segment.weight <= 2 * newer:
            merged = count
        newer += segment.weight
    return merged
