"""The segments of the index on the local disk of a machine that searches or merges.

A search has the list read again when it is older than `FRESH_SECONDS`, and new segments copied from the store before it
goes on, for at most `PATIENCE_SECONDS`: until a large segment is complete, searches use the segments that they have.
All processes of a machine share the files. Each is renamed into place when it is complete, and a file that is deleted
stays readable for those who have it open.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from iiif_server.search.segments import SegmentEntry, SegmentList
from repository import paths
from repository.config import Settings
from repository.errors import KeyNotFound, ShanbenError, StagingFault
from repository.storage.store import ObjectStore

FRESH_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 2.0
FIRST_SECONDS: Final = 20.0
"""How long the first search of a process waits."""

_ATTEMPTS: Final = 3
_STALE_SECONDS: Final = 3600.0
"""How long a file that is not listed any more stays: another process may be about to open it."""


def read_list(store: ObjectStore) -> SegmentList:
    """Return the list of a store's segments; an empty one if there is none, or one of another release."""
    try:
        return SegmentList.of_json(store.read(paths.SEARCH_SEGMENTS))
    except (KeyNotFound, ValueError):
        return SegmentList()


def segments_folder(settings: Settings) -> Path:
    """Return the folder of local copies; one of this process if the data folder cannot be written."""
    if settings.is_read_only:
        return Path(tempfile.mkdtemp(prefix="shanben-search-"))
    return settings.cache / "search"


def copy_segments(store: ObjectStore, folder: Path, segments: Iterable[SegmentEntry]) -> None:
    """Copy the segments that the folder does not have. Raises `KeyNotFound`, `StoreFault`, `StagingFault`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for segment in segments:
            target = local_path(folder, segment)
            if not target.exists():
                part = target.with_name(f"{target.name}.{os.getpid()}.{threading.get_ident()}.part")
                with part.open("wb") as file:
                    file.writelines(store.chunks(paths.search_segment(segment.name)))
                part.replace(target)
    except OSError as fault:
        raise StagingFault(reason=fault.strerror or str(fault)) from fault


def local_path(folder: Path, segment: SegmentEntry) -> Path:
    """Return the local copy of a segment."""
    return folder / f"{segment.name}.sqlite"


def remove_stale(folder: Path, kept: Iterable[SegmentEntry]) -> None:
    """Delete local copies that have not been listed for an hour."""
    names = {local_path(folder, segment).name for segment in kept}
    limit = time.time() - _STALE_SECONDS
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            if path.name not in names and path.stat().st_mtime < limit:
                path.unlink()


class LocalSegments:
    """The segments of a store in a folder. Safe to use from several threads."""

    def __init__(self, store: ObjectStore, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._current: SegmentList | None = None
        self._fault: ShanbenError | None = None
        self._next = 0.0
        self._refreshing: threading.Thread | None = None

    def path(self, segment: SegmentEntry) -> Path:
        """Return the local copy of a segment."""
        return local_path(self._folder, segment)

    def current(self) -> SegmentList:
        """Return the segments to search, all of which are here.

        Raises `StoreFault` or `StagingFault` while none has been copied, and `KeyNotFound`.
        """
        with self._lock:
            if self._refreshing is None and self._clock() >= self._next:
                self._refreshing = threading.Thread(target=self._refresh, name="search-segments", daemon=True)
                self._refreshing.start()
            refreshing = self._refreshing
        if refreshing is not None:
            refreshing.join(FIRST_SECONDS if self._current is None else PATIENCE_SECONDS)
        if self._current is not None:
            return self._current
        if self._fault is not None:
            raise self._fault
        return SegmentList()

    def _refresh(self) -> None:
        try:
            listed = self._copied()
            if listed != self._current:
                self._current = listed
                remove_stale(self._folder, listed.segments)
            self._fault = None
        except ShanbenError as fault:
            self._fault = fault
        finally:
            with self._lock:
                self._refreshing = None
                self._next = self._clock() + FRESH_SECONDS

    def _copied(self) -> SegmentList:
        """Return the list when all segments are here. One that was replaced meanwhile has the list read again."""
        listed = read_list(self._store)
        for _ in range(_ATTEMPTS):
            with suppress(KeyNotFound):
                copy_segments(self._store, self._folder, listed.segments)
                return listed
            listed = read_list(self._store)
        copy_segments(self._store, self._folder, listed.segments)
        return listed
