"""The stored features of a work: a line of JSON that lists its pages, then the records of all of them. (pure)

A picture much longer than wide, such as a scroll, is described in sections, each like a page of its own. 16,000 bytes a
page or section.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from math import ceil
from typing import Final

import msgspec

from iiif_server.pyramid.grid import Box
from iiif_server.similarity.records import FEATURE, DescribedPicture

FORMAT: Final = 1
"""Increase it when the same pages give other features or another file."""

PAGE_BYTES: Final = 16_000
"""The records of a page with all its features."""

_LONGEST: Final = 2.2
"""The ratio of the sides of the longest picture that is described whole."""

_SECTION: Final = 1.5
"""The ratio of the sides of a section."""

_OVERLAP: Final = 0.3


class PageFeatures(msgspec.Struct, frozen=True):
    """A page of the list: the image, the part of it, its hash in hexadecimal, and its number of records."""

    image: str
    box: tuple[int, int, int, int]
    hash: str
    count: int

    @property
    def bytes(self) -> int:
        """The length of its records."""
        return self.count * FEATURE.itemsize


class _Header(msgspec.Struct, frozen=True):
    format: int
    pages: list[PageFeatures]


def sections(width: int, height: int) -> list[Box]:
    """Return the parts of a picture that are described: the whole, or overlapping sections of a long one."""
    long, short = max(width, height), min(width, height)
    if long <= short * _LONGEST:
        return [Box(0, 0, width, height)]
    length = round(short * _SECTION)
    count = ceil((long - length) / (length * (1 - _OVERLAP))) + 1
    starts = [round((long - length) * number / (count - 1)) for number in range(count)]
    return [Box(start, 0, length, height) if width > height else Box(0, start, width, length) for start in starts]


def recipe(images: Sequence[tuple[str, ...]]) -> str:
    """Return a name of 16 characters for what decides the features of a work: the format, and what describes images."""
    lines = "\n".join(" ".join(image) for image in images)
    return (_prefix() + hashlib.sha256(lines.encode()).hexdigest())[:16]


def is_current(recipe_name: str) -> bool:
    """Return whether features with this name have the format of this release."""
    return recipe_name.startswith(_prefix())


def _prefix() -> str:
    return f"{FORMAT}-"


def pack(pages: Sequence[tuple[str, Box, DescribedPicture]]) -> Iterator[bytes]:
    """Yield the file of a work's features."""
    listed = [
        PageFeatures(image, (*box,), described.hash.hex(), len(described.features) // FEATURE.itemsize)
        for image, box, described in pages
    ]
    yield msgspec.json.encode(_Header(FORMAT, listed)) + b"\n"
    for *_, described in pages:
        yield described.features


def unpack(data: bytes) -> tuple[list[PageFeatures], int]:
    """Return the pages of a file, and the offset of the first record. `ValueError` for anything else."""
    line, found, records = data.partition(b"\n")
    header = msgspec.json.decode(line, type=_Header)
    if not found or header.format != FORMAT or len(records) != FEATURE.itemsize * sum(p.count for p in header.pages):
        raise ValueError("not the features of a work")
    return header.pages, len(line) + 1
