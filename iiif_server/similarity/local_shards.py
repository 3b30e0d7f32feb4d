"""The shards of the index on the local disk of a machine that searches.

The first search has them copied from the store, and a search after `FRESH_SECONDS` has the list read again. Copying
runs in a thread of its own; searches use the shards that are complete meanwhile. All processes of a machine share the
files: each is renamed into place when it is complete, and a mapped file that is deleted stays readable.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from iiif_server.similarity.errors import SearchBusy
from iiif_server.similarity.shards import INDEX, TABLE, ShardEntry, ShardList
from repository import paths
from repository.errors import KeyNotFound, ShanbenError, StagingFault
from repository.storage.store import ObjectStore

FRESH_SECONDS: Final = 60.0
FIRST_SECONDS: Final = 20.0
"""How long a search waits while no shard has been copied yet."""

_STALE_SECONDS: Final = 3600.0
"""How long a file that is not listed any more stays: another process may be about to open it."""


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
        self._store = store
        self._folder = folder
        self._most_pages = most_pages
        self._clock = clock
        self._lock = threading.Lock()
        self._current: SearchedShards | None = None
        self._fault: ShanbenError | None = None
        self._next = 0.0
        self._copying: threading.Thread | None = None

    @property
    def is_copying(self) -> bool:
        """Whether the list is being read, or shards are being copied."""
        return self._copying is not None

    def current(self) -> SearchedShards:
        """Return the shards to search. Raises `SearchBusy` while none has been copied, and `StoreFault`."""
        with self._lock:
            if self._copying is None and self._clock() >= self._next:
                self._copying = threading.Thread(target=self._refresh, name="similar-shards", daemon=True)
                self._copying.start()
            copying, current = self._copying, self._current
        if current is None and copying is not None:
            copying.join(FIRST_SECONDS)
            current = self._current
        if current is not None:
            return current
        raise self._fault or SearchBusy()

    def _refresh(self) -> None:
        try:
            listed = self._listed()
            self._copy(listed)
            self._fault = None
        except ShanbenError as fault:
            self._fault = fault
        except OSError as fault:
            self._fault = StagingFault(reason=fault.strerror)
        finally:
            with self._lock:
                self._copying = None
                self._next = self._clock() + FRESH_SECONDS

    def _listed(self) -> ShardList:
        try:
            return ShardList.of_json(self._store.read(paths.SIMILAR_SHARDS))
        except (KeyNotFound, ValueError):  # not built yet, or of another release
            return ShardList()

    def _copy(self, listed: ShardList) -> None:
        total = sum(shard.images for shard in listed.shards)
        chosen: list[ShardEntry] = []
        pages = 0
        for shard in listed.shards:
            if pages + shard.pages <= self._most_pages:
                chosen.append(shard)
                pages += shard.pages
        self._folder.mkdir(parents=True, exist_ok=True)
        for shard in chosen:
            self._copy_shard(shard)
        images = sum(shard.images for shard in chosen)
        self._current = SearchedShards(tuple(str(self._path(shard)) for shard in chosen), images, total)
        self._remove_stale({f"{self._path(shard).name}{suffix}" for shard in chosen for suffix in (TABLE, INDEX)})

    def _copy_shard(self, shard: ShardEntry) -> None:
        for suffix in (TABLE, INDEX):
            target = Path(f"{self._path(shard)}{suffix}")
            if not target.exists():
                part = target.with_name(f"{target.name}.{os.getpid()}.part")
                with part.open("wb") as file:
                    file.writelines(self._store.chunks(f"{shard.key}{suffix}"))
                part.replace(target)

    def _path(self, shard: ShardEntry) -> Path:
        return self._folder / shard.key.rpartition("/")[2]

    def _remove_stale(self, kept: set[str]) -> None:
        limit = time.time() - _STALE_SECONDS
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):
                if path.name not in kept and path.stat().st_mtime < limit:
                    path.unlink()
