"""The segments of the index on the local disk of a machine that searches or merges.

A search has the list read again when it is older than `FRESH_SECONDS`, and new segments copied before it goes on, for
at most `PATIENCE_SECONDS`: until a large segment is complete, searches use the segments that they have. After a
deletion the copies that have the work are removed as soon as no process searches them (`storage/local_copies.py`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from iiif_server.search.segments import SegmentEntry, SegmentList
from repository import paths
from repository.config import Settings
from repository.errors import KeyNotFound
from repository.storage.local_copies import CopySource, LocalCopies, StoredFile, copy_files, remove_unlisted
from repository.storage.store import ObjectStore

FRESH_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 2.0
FIRST_SECONDS: Final = 20.0
"""How long the first search of a process waits."""

_NEW_SECONDS: Final = 60.0
"""How long a file stays that the list does not name: who copied it has perhaps read a newer list, and not opened it."""


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
    """Copy the segments that the folder does not have.

    Raises `KeyNotFound`, `CopyDamaged`, `StoreFault`, `StagingFault`.
    """
    copy_files(store, folder, _files(segments))


def local_path(folder: Path, segment: SegmentEntry) -> Path:
    """Return the local copy of a segment."""
    return folder / _local_name(segment)


def remove_stale(folder: Path, kept: Iterable[SegmentEntry]) -> None:
    """Delete the local copies that are not listed, and that nobody holds."""
    remove_unlisted(folder, {_local_name(segment) for segment in kept}, _NEW_SECONDS)


class LocalSegments:
    """The segments of a store in a folder. Safe to use from several threads."""

    def __init__(self, store: ObjectStore, folder: Path) -> None:
        self._folder = folder
        source = CopySource(store, read_list, lambda listed: _files(listed.segments), FRESH_SECONDS, _NEW_SECONDS)
        self._copies = LocalCopies(source, folder)

    def paths(self) -> list[Path]:
        """Return the segments to search, from the oldest to the newest. Raises as `LocalCopies.current`."""
        listed = self._copies.current(FIRST_SECONDS, PATIENCE_SECONDS)
        return [local_path(self._folder, segment) for segment in listed.segments]


def _files(segments: Iterable[SegmentEntry]) -> list[StoredFile]:
    return [StoredFile(paths.search_segment(each.name), _local_name(each), each.name) for each in segments]


def _local_name(segment: SegmentEntry) -> str:
    return f"{segment.name}.sqlite"
