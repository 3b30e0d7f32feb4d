"""The index in shards: a faiss file of descriptors and a table of pages for each, and the list of all. (pure)

A shard holds the pages of the works whose identifiers begin alike, at most about `SHARD_PAGES`. Its name follows from
the features that it holds, so that a changed shard is another object and a search never reads half of one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np

FORMAT: Final = 1
SHARD_PAGES: Final = 4000
TABLE: Final = ".npy"
INDEX: Final = ".ivf"
PAGE: Final = np.dtype(
    [
        ("image", "S18"),
        ("work", "S18"),
        ("recipe", "S16"),
        ("box", "<u4", (4,)),
        ("start", "<u8"),
        ("count", "<u4"),
        ("hash", "u1", (8,)),
    ]
)
"""A row of the table of a shard: a page, and where its features are in those of its work."""

_FAN_OUT: Final = 29
"""The number of characters that may follow in an identifier (`repository/identifiers.py`)."""


class ShardEntry(msgspec.Struct, frozen=True):
    """A shard in the list: the key of its objects without `TABLE` and `INDEX`, and the bytes of both.

    `images` counts the images, `pages` the rows: a long picture has several.
    """

    key: str
    images: int
    pages: int
    bytes: int


class ShardList(msgspec.Struct, frozen=True):
    """All shards of a store."""

    format: int = FORMAT
    shards: list[ShardEntry] = []

    @classmethod
    def of_json(cls, data: bytes) -> ShardList:
        """Return the list of JSON. `ValueError` for anything else."""
        found = msgspec.json.decode(data, type=cls)
        if found.format != FORMAT:
            raise ValueError(f"format {found.format}")
        return found

    def to_json(self) -> bytes:
        """Return the list as JSON."""
        return msgspec.json.encode(self)


def prefix_length(pages: int) -> int:
    """Return how many characters after the first of an identifier divide so many pages into shards."""
    length = 0
    while pages > SHARD_PAGES * _FAN_OUT**length:
        length += 1
    return length


def shard_name(prefix: str, keys: Iterable[str]) -> str:
    """Return the name of the shard that holds the features under `keys`."""
    digest = hashlib.sha256(f"shard {FORMAT}\n".encode())
    for key in keys:
        digest.update(f"{key}\n".encode())
    return f"{prefix or 'all'}-{digest.hexdigest()[:20]}"
