"""The shards of the index on the local disk of a machine that searches (`storage/local_copies.py`).

The first search has them copied from the store, and a search after `FRESH_SECONDS` has the list read again. Searches
use the shards that are complete meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from iiif_server.similarity.shards import INDEX, TABLE, ShardEntry, ShardList
from repository import paths
from repository.errors import KeyNotFound
from repository.storage.local_copies import CopySource, LocalCopies, StoredFile
from repository.storage.store import ObjectStore

FRESH_SECONDS: Final = 60.0
FIRST_SECONDS: Final = 20.0
"""How long a search waits while no shard has been copied yet."""

_STALE_SECONDS: Final = 3600.0
"""How long a file that is not listed any more stays: another process may be about to open it."""


def read_list(store: ObjectStore) -> ShardList:
    """Return the list of a store's shards; an empty one if there is none, or one of another release."""
    try:
        return ShardList.of_json(store.read(paths.SIMILAR_SHARDS))
    except (KeyNotFound, ValueError):
        return ShardList()


@dataclass(frozen=True, slots=True)
class SearchedShards:
    """The paths of shards without suffix, the number of their images, and of all images in the store's index."""

    paths: tuple[str, ...] = ()
    images: int = 0
    total: int = 0


class LocalShards:
    """The shards of a store, of at most `most_pages` pages, in a folder. Safe to use from several threads."""

    def __init__(
        self, store: ObjectStore, folder: Path, most_pages: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._most_pages = most_pages
        source = CopySource(store, read_list, self._files, FRESH_SECONDS, _STALE_SECONDS)
        self._copies = LocalCopies(source, folder, clock)

    @property
    def is_copying(self) -> bool:
        """Whether the list is being read, or shards are being copied."""
        return self._copies.is_copying

    def current(self) -> SearchedShards:
        """Return the shards to search. Raises `CopiesPending` while none has been copied, and `StoreFault`."""
        listed = self._copies.current(FIRST_SECONDS)
        chosen = self._chosen(listed)
        images, total = (sum(shard.images for shard in shards) for shards in (chosen, listed.shards))
        return SearchedShards(tuple(str(self._folder / _name(shard)) for shard in chosen), images, total)

    def _chosen(self, listed: ShardList) -> list[ShardEntry]:
        chosen: list[ShardEntry] = []
        pages = 0
        for shard in listed.shards:
            if pages + shard.pages <= self._most_pages:
                chosen.append(shard)
                pages += shard.pages
        return chosen

    def _files(self, listed: ShardList) -> list[StoredFile]:
        return [
            StoredFile(f"{shard.key}{suffix}", f"{_name(shard)}{suffix}")
            for shard in self._chosen(listed)
            for suffix in (TABLE, INDEX)
        ]


def _name(shard: ShardEntry) -> str:
    return shard.key.rpartition("/")[2]
