"""Brings a catalogue that was restored from a backup up to what the log and the works' objects hold.

Such a catalogue knows neither the later withdrawals and restrictions of works, nor later versions with redactions.

1. **Heed the log** (`heed_log`): of the entries that the catalogue does not know, the last change of the access to a
   work is put in force, unless it would open the work; and a job is enqueued for each work that they name. Versions
   that the catalogue knows are left out: the staff may have changed the access since. This is done when a process
   prepares the repository, before it serves, and before the log's writer learns the entries
   (`preservation/log/sequencer.py`): a crash before that repeats it.
2. **Publish the head** (`publish_head`): that job publishes the newest version of a work's object, with the access that
   the object holds; with the lesser one if a change is pending in the catalogue, of the staff or by the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from preservation.log.log import ProvenanceLog
from preservation.log.readable import stated_size
from preservation.log.sequencer import open_log
from preservation.ocfl import objects
from preservation.premis import access_of_event, parse_event, version_of_event
from repository.clock import timestamp
from repository.database.outbox import NewJob
from repository.errors import LogInvalid
from repository.model.access import is_same_access, lesser_access
from repository.model.work import Event, WorkAccess
from repository.paths import TILE_WIDTH
from repository.repository import Repository
from workers.execution.context import TaskContext
from workers.tasks.ingest import follow_up_jobs
from workers.tasks.jobs import access_job, collection_job, repair_work_job
from workers.tasks.preserve import access_unknown_to_catalogue, read_events, read_work
from workers.tasks.publish import publication_of, publish_work
from workers.tasks.pyramids import read_pyramid
from workers.tasks.texts import publish_texts

_STATES_VERSION: Final = b'"version":"v'
"""Part of each entry that names a version of a work, in canonical JSON. Most entries name none and are not parsed."""


def heed_log(repository: Repository) -> None:
    """Put in force what the log knows of the access to works and the catalogue does not.

    An empty catalogue is left for a rebuild. A damaged part of the log does not keep the others from being heeded.
    Raises `DependencyMissing`, `LogInvalid`, `EventInvalid`, `StoreFault`, `DatabaseFault`.
    """
    ranges = repository.log_sequence.unknown_ranges(stated_size(repository.store))
    if not ranges or not repository.catalogue.counts().works:
        return
    log = open_log(repository)
    faults: list[LogInvalid] = []
    stated: dict[str, _Stated] = {}
    for start, end in ranges:
        of_versions = (entry for entry in _entries(log, start, end, faults) if _STATES_VERSION in entry)
        for event in map(parse_event, of_versions):
            if event.work and not event.is_kept_in_log:
                stated.setdefault(event.work, _Stated()).note(event)
    for work, entries in stated.items():
        _heed(repository, work, entries)
    if faults:
        raise faults[0]


@dataclass(slots=True)
class _Stated:
    """What entries state of a work: its newest version, and the last change of its access with its version."""

    version: int = 0
    changed: int = 0
    access: WorkAccess | None = None

    def note(self, event: Event) -> None:
        version = version_of_event(event)
        self.version = max(self.version, version)
        if access := access_of_event(event):
            self.changed, self.access = version, access


def _heed(repository: Repository, work: str, stated: _Stated) -> None:
    known = repository.catalogue.version(work)
    if not 0 < known < stated.version:
        return
    if stated.access is not None and stated.changed > known:
        _restrict(repository, work, stated.access)
    repository.jobs.enqueue(repair_work_job(work))


def _entries(log: ProvenanceLog, start: int, end: int, faults: list[LogInvalid]) -> Iterator[bytes]:
    """Yield the entries ``[start, end)`` outside damaged bundles, whose faults are added to `faults`."""
    position, end = start, min(end, log.size)
    while position < end:
        try:
            for entry in log.entries(position, end):
                yield entry
                position += 1
        except LogInvalid as fault:
            faults.append(fault)
            position += TILE_WIDTH - position % TILE_WIDTH


def _restrict(repository: Repository, work: str, access: WorkAccess) -> None:
    """Put in force the lesser of a work's access and `access`; it is pending unless `access` shows more.

    The reason of a change is not in the log: the job that publishes the object's version takes it from there.
    """
    now, held = repository.clock(), repository.catalogue.access(work)
    shows_no_more = held is not None and is_same_access(lesser_access(access, held.access, now), access)

    def lesser(held: WorkAccess) -> WorkAccess:
        return lesser_access(held, access, now)

    def jobs(accessioned: str) -> Sequence[NewJob]:
        return [collection_job(accessioned)]

    repository.catalogue.change_access(work, lesser, jobs, timestamp(now), pend=shows_no_more)


def publish_head(context: TaskContext, work: str) -> None:
    """Publish the newest version of a work's object if the catalogue does not know it.

    The caller has claimed the work. Raises `ObjectInvalid`, `KeyNotFound`, `PyramidCorrupt`, `StoreFault`,
    `DatabaseFault`.
    """
    repository = context.repository
    stored, held = access_unknown_to_catalogue(repository, work), repository.catalogue.access(work)
    inventory = objects.read_inventory(repository.store, work)
    if stored is None or held is None or inventory is None:
        return
    head, events = read_work(repository.store, work), read_events(repository.store, work)
    pyramids = {image.identifier: read_pyramid(repository, image) for image in head.images()}
    # Unless it is pending, an older version of the object had the catalogue's access.
    lesser = lesser_access(stored.access, held.access, repository.clock())
    access = lesser if held.is_pending else stored.access
    publish_texts(repository, head, context.examiner.read_text)
    publish_work(repository, head, access, pyramids)
    publication = publication_of(head, pyramids, events, inventory, {}, access=access, access_before=held.access)
    jobs = follow_up_jobs(repository, publication)
    if not is_same_access(access, stored.access):
        jobs.append(access_job(work))
    repository.catalogue.publish(publication, jobs, timestamp(repository.clock()))
