"""Builds the search index: segments in the store, and the list that names them (`iiif_server/search/segments.py`).

- A publication, a deletion and a harvest mark what they change in their transaction (`database/search_changes.py`).
  One job writes the marked works and partners' records into a new, small segment, merges segments when there are many
  of about the same size, and then puts the list. A search reads the list, so that it finds either the old or the new
  state of a work.
- `rebuild_index` writes all works and records into new segments.

A deleted work leaves every segment at once: those that have it are written again without it.

The index is derived data: it may be deleted at any time. A crash leaves a segment that no list names, which the next
run removes; marks are removed after the list was put. Memory is bounded by the text of one work and FTS5's buffers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from iiif_server.search.documents import content_version, indexed_work, removed_work, work_blocks, work_version
from iiif_server.search.local_segments import copy_segments, local_path, read_list, remove_stale, segments_folder
from iiif_server.search.segment_file import IndexedContent, contents_of, write_segment
from iiif_server.search.segments import MOST_PAGES, SegmentEntry, SegmentList, mergeable, segment_name
from repository import paths
from repository.clock import timestamp
from repository.database.outbox import Job
from repository.database.search import UnindexedChange
from repository.errors import Busy
from repository.localized import LocalizedText
from repository.model.harvest import HarvestedRecord, parts_of_identifier, record_identifier
from repository.model.text import best_texts
from repository.repository import Repository
from repository.storage.content import MovableFile
from repository.texts import TextsDamaged, texts_of, texts_version
from workers.execution.context import TaskContext
from workers.execution.scratch import scratch_directory
from workers.harvest.indexing import indexed_partner_record
from workers.tasks.jobs import search_index_job

_LOCK: Final = "search-index"
_BUSY: Final = LocalizedText("检索索引", "the search index")
_WAIT_SECONDS: Final = 5.0
_LONG_WAIT_SECONDS: Final = 120.0
_BATCH_WORKS: Final = 500
_BATCH_PAGES: Final = 20_000
"""The works, and the pages with text, after which a segment of changes is closed, so that they can be found soon."""

_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class RebuiltIndex:
    """The segments of an index that was built again, and of how many works and partners' records they are."""

    segments: tuple[SegmentEntry, ...]
    works: int
    records: int


def index_changes(context: TaskContext, job: Job) -> Mapping[str, object]:
    """Run a job of kind ``search``: write what has changed into a new segment, or ``check`` for what differs.

    Raises `Busy`, `SegmentDamaged`, `StoreFault`, `StagingFault`, `DatabaseFault`.
    """
    repository = context.repository
    if job.arguments.get("check"):
        return {"differing": mark_differing(repository)}
    with repository.locks.hold(_LOCK, _WAIT_SECONDS, Busy(what=_BUSY)):
        changes = repository.search.unindexed(_BATCH_WORKS)
        if not changes:
            return {"works": 0}
        indexed: list[UnindexedChange] = []
        entry = _write(repository, _changed(repository, changes, indexed), most_pages=_BATCH_PAGES)
        segments = [segment for segment in _listed(repository) if entry is None or segment.name != entry.name]
        segments = _without(repository, segments, _deleted(repository, indexed))
        segments = _merged(repository, [*segments, entry] if entry else segments)
        _put_list(repository, segments)
        repository.search.forget(indexed)
    if repository.search.unindexed(1):
        repository.jobs.enqueue(search_index_job())
    return {"works": len(indexed), "segments": len(segments)}


def mark_differing(repository: Repository) -> int:
    """Mark works and records whose version in the index is not that in the database; enqueue a job. Return how many.

    Raises `SegmentDamaged`, `StoreFault`, `StagingFault`, `DatabaseFault`.
    """
    held = _held_versions(repository)
    versions = ((work, str(version)) for work, version in _versions(repository))
    records = ((record_identifier(record.source, record.key), record.digest) for record in _records(repository))
    differing = [
        identifier
        for identifier, version in chain(versions, records)
        if not held.pop(identifier, "").startswith(content_version(version))
    ]
    differing += held
    if differing:
        repository.search.mark(differing, [search_index_job()], timestamp(repository.clock()))
    return len(differing)


def rebuild_index(repository: Repository, on_work: Callable[[], None] = lambda: None) -> RebuiltIndex:
    """Write all works and records into new segments. `on_work` is called after each work.

    Raises `Busy`, `StoreFault`, `StagingFault`, `DatabaseFault`.
    """
    records = 0

    def all_records() -> Iterator[IndexedContent]:
        nonlocal records
        for record in _records(repository):
            records += 1
            yield indexed_partner_record(record), ()

    with repository.locks.hold(_LOCK, _LONG_WAIT_SECONDS, Busy(what=_BUSY)):
        changes = repository.search.unindexed(1 << 30)
        contents = chain(_all_works(repository, on_work), all_records())
        segments = []
        while entry := _write(repository, contents, most_pages=MOST_PAGES):
            segments.append(entry)
        _put_list(repository, segments)
        repository.search.forget_all(changes)
    return RebuiltIndex(tuple(segments), sum(each.works for each in segments) - records, records)


def _listed(repository: Repository) -> list[SegmentEntry]:
    return read_list(repository.store).segments


def _all_works(repository: Repository, on_work: Callable[[], None]) -> Iterator[IndexedContent]:
    for work, _ in _versions(repository):
        content = _content(repository, work)
        if not content[0].removed:
            yield content
        on_work()


def _versions(repository: Repository) -> Iterator[tuple[str, int]]:
    """Yield the works of the catalogue with their versions."""
    last = ""
    while rows := repository.search.versions_after(last, _PAGE):
        yield from ((work, version) for work, version, _ in rows)
        last = rows[-1][0]


def _records(repository: Repository) -> Iterator[HarvestedRecord]:
    """Yield the records that partners offer."""
    last = ("", "")
    while records := repository.harvests.offered_after(last, _PAGE):
        yield from records
        last = (records[-1].source, records[-1].key)


def _changed(
    repository: Repository, changes: Sequence[UnindexedChange], indexed: list[UnindexedChange]
) -> Iterator[IndexedContent]:
    """Yield works and partners' records as the index has them; those that are not there hide what the index had."""
    pairs = [parts_of_identifier(change.identifier) for change in changes]
    records = repository.harvests.chosen([(source, key) for source, key in pairs if key])
    offered = {record_identifier(record.source, record.key): record for record in records}
    for change, (_, key) in zip(changes, pairs, strict=True):
        record = offered.get(change.identifier)
        if not key:
            content = _content(repository, change.identifier)
        elif record is None:
            content = removed_work(change.identifier), ()
        else:
            content = indexed_partner_record(record), ()
        indexed.append(change)
        yield content


def _content(repository: Repository, identifier: str) -> IndexedContent:
    """Return a work as the index has it; one that the catalogue does not have hides what the index had."""
    work, state = repository.catalogue.work(identifier), repository.search.version(identifier)
    if work is None or state is None:
        return removed_work(identifier), ()
    version, accessioned = state
    try:
        texts = best_texts(texts_of(repository.store, identifier))
        mark = texts_version(repository.store, identifier)
    except TextsDamaged:  # the record can be found meanwhile
        texts, mark = {}, "damaged"
    record = indexed_work(work, work_version(version, mark), accessioned, has_text=bool(texts))
    return record, work_blocks(work, texts)


def _write(repository: Repository, works: Iterator[IndexedContent], most_pages: int) -> SegmentEntry | None:
    """Write works into a segment until it has so many pages, and put it into the store; None without works."""
    pages = 0

    def counted() -> Iterator[IndexedContent]:
        nonlocal pages
        for work, blocks in works:
            listed = list(blocks)
            pages += sum(len(block.pages) for block in listed) + 1
            yield work, listed
            if pages >= most_pages:
                return

    with scratch_directory(repository.settings.staging) as scratch:
        path = Path(scratch) / "segment"
        size = write_segment(path, counted())
        if not size.works:
            return None
        with path.open("rb") as file:
            name = segment_name(hashlib.file_digest(file, "sha256").hexdigest())
        repository.store.put(paths.search_segment(name), MovableFile(path))
    return SegmentEntry(name, size.works, size.removed, size.pages, size.bytes)


def _deleted(repository: Repository, indexed: Sequence[UnindexedChange]) -> frozenset[str]:
    """Return which of some works the catalogue does not have any more.

    Records that a partner has deleted are not among them: other segments hide them until they are merged.
    """
    works = (each.identifier for each in indexed if not parts_of_identifier(each.identifier)[1])
    return frozenset(work for work in works if repository.search.version(work) is None)


def _without(repository: Repository, segments: list[SegmentEntry], deleted: frozenset[str]) -> list[SegmentEntry]:
    """Return segments that have nothing of deleted works. Those that have are written again: deletions are rare."""
    if not deleted:
        return segments
    folder = segments_folder(repository.settings)
    copy_segments(repository.store, folder, segments)
    kept = (_rewritten(repository, local_path(folder, segment), segment, deleted) for segment in segments)
    return [segment for segment in kept if segment]


def _rewritten(
    repository: Repository, path: Path, segment: SegmentEntry, deleted: frozenset[str]
) -> SegmentEntry | None:  # fmt: skip
    """Return a segment without some works; None if it has no others."""
    held = {work.identifier for work, _ in contents_of(path) if not work.removed}
    if held.isdisjoint(deleted):
        return segment
    works = ((work, blocks) for work, blocks in contents_of(path) if work.identifier not in deleted)
    return _write(repository, works, most_pages=1 << 40)


def _merged(repository: Repository, segments: list[SegmentEntry]) -> list[SegmentEntry]:
    """Return the segments with the newest of them merged, if that is due. Works that are hidden leave the oldest."""
    count = mergeable(segments)
    if not count:
        return segments
    kept, merged = segments[:-count], segments[-count:]
    folder = segments_folder(repository.settings)
    copy_segments(repository.store, folder, merged)
    works = _newest(folder, merged, hides=bool(kept))
    entry = _write(repository, works, most_pages=1 << 40)
    return [*kept, entry] if entry else kept


def _newest(folder: Path, segments: Sequence[SegmentEntry], *, hides: bool) -> Iterator[IndexedContent]:
    """Yield the newest state of each work of some segments; hidden works only if older segments may have them."""
    seen: set[str] = set()
    for segment in reversed(segments):
        path = local_path(folder, segment)
        for work, blocks in contents_of(path):
            if work.identifier not in seen and (hides or not work.removed):
                yield work, blocks
            seen.add(work.identifier)


def _held_versions(repository: Repository) -> dict[str, str]:
    """Return the version of each work that the index has."""
    segments = _listed(repository)
    folder = segments_folder(repository.settings)
    copy_segments(repository.store, folder, segments)
    held: dict[str, str] = {}
    for segment in segments:
        for work, _ in contents_of(local_path(folder, segment)):
            held[work.identifier] = "" if work.removed else work.version
    return {work: version for work, version in held.items() if version}


def _put_list(repository: Repository, segments: Iterable[SegmentEntry]) -> None:
    """Put the list, then delete the segments that it does not name."""
    listed = SegmentList(segments=list(segments))
    repository.store.put(paths.SEARCH_SEGMENTS, listed.to_json())
    kept = {paths.search_segment(segment.name) for segment in listed.segments}
    for item in list(repository.store.list(paths.SEARCH_SEGMENT_FILES)):
        if item.key not in kept:
            repository.store.delete(item.key)
    folder = segments_folder(repository.settings)
    if folder.is_dir():
        remove_stale(folder, listed.segments)
