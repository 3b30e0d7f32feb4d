"""The segments of the index on the local disk of a machine that searches or merges.

A search has the list read again when it is older than `FRESH_SECONDS`, and new segments copied from the store before it
goes on, for at most `PATIENCE_SECONDS`: until a large segment is complete, searches use the segments that they have.
All processes of a machine share the files. Each is renamed into place when it is complete. A file that the list does
not name any more, as after the deletion of a work, is removed as soon as no process searches it. A process locks what
it searches (`hold_segment`): although a removed file stays readable for those who have it open, another thread of such
a process may still have to open it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from iiif_server.search.segments import SegmentEntry, SegmentList, segment_name
from repository import paths
from repository.config import Settings
from repository.errors import IntegrityError, KeyNotFound, ShanbenError, StagingFault
from repository.localized import LocalizedText
from repository.storage.store import ObjectStore

FRESH_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 2.0
FIRST_SECONDS: Final = 20.0
"""How long the first search of a process waits."""

_ATTEMPTS: Final = 3
_NEW_SECONDS: Final = 60.0
"""How long a file stays that the list does not name: who copied it has perhaps read a newer list, and not opened it."""

_PART: Final = ".part"
_PART_SECONDS: Final = 3600.0
"""How long an incomplete file stays: nobody copies one segment for longer."""


class StoredSegmentDamaged(IntegrityError):
    """A part of the search index in the store has not the bytes after which it is named; no copy of it is kept."""

    code = "integrity.search"
    text = LocalizedText(
        "存储中检索索引的 {key} 损坏；请运行 shanben search rebuild 重新生成",
        "The part {key} of the search index is damaged in the store; run shanben search rebuild to make it again",
    )


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
    """Copy the segments that the folder does not have, and verify each by its name.

    Raises `KeyNotFound`, `StoredSegmentDamaged`, `StoreFault`, `StagingFault`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for segment in segments:
            target = local_path(folder, segment)
            if not target.exists():
                part = target.with_name(f"{target.name}.{os.getpid()}.{threading.get_ident()}{_PART}")
                _copy(store, segment, part)
                part.replace(target)
    except OSError as fault:
        raise StagingFault(reason=fault.strerror or str(fault)) from fault


def _copy(store: ObjectStore, segment: SegmentEntry, part: Path) -> None:
    """Write a segment into a file, which is removed if its bytes are not those after which the segment is named."""
    key, digest = paths.search_segment(segment.name), hashlib.sha256()
    with part.open("wb") as file:
        for chunk in store.chunks(key):
            digest.update(chunk)
            file.write(chunk)
    if segment_name(digest.hexdigest()) != segment.name:
        part.unlink()
        raise StoredSegmentDamaged(key=key)


def local_path(folder: Path, segment: SegmentEntry) -> Path:
    """Return the local copy of a segment."""
    return folder / f"{segment.name}.sqlite"


def hold_segment(path: Path) -> int:
    """Keep a local copy from being removed until the descriptor that is returned is closed. Raises `OSError`."""
    held = os.open(path, os.O_RDONLY)
    with suppress(OSError):  # the file system has no locks
        fcntl.flock(held, fcntl.LOCK_SH)
    return held


def remove_stale(folder: Path, kept: Iterable[SegmentEntry]) -> None:
    """Delete the local copies that are not listed, and that nobody holds."""
    for path in _unlisted(folder, kept):
        with suppress(FileNotFoundError):
            _remove_unless_held(path)


def _unlisted(folder: Path, kept: Iterable[SegmentEntry]) -> list[Path]:
    """Return the files that are not listed, without those that are perhaps being copied or about to be opened."""
    names = {local_path(folder, segment).name for segment in kept}
    now, found = time.time(), []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            seconds = _PART_SECONDS if path.suffix == _PART else _NEW_SECONDS
            if path.name not in names and path.stat().st_mtime < now - seconds:
                found.append(path)
    return found


def _remove_unless_held(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # the file system has no locks
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
        path.unlink()
    finally:
        os.close(descriptor)


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
            self._current = listed = self._copied()
            if self._folder.is_dir() and _unlisted(self._folder, listed.segments):
                newest = read_list(self._store)  # to copy may have taken long
                remove_stale(self._folder, [*listed.segments, *newest.segments])
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
