"""Brings a catalogue that was restored from a backup up to what the log and the works' objects hold.

Such a catalogue knows neither the later withdrawals and restrictions of works, nor later versions with redactions.

1. **Heed the log** (`heed_log`): of the entries that the catalogue does not know, the last change of the access to a
   work is put in force, unless it would open the work; and a job is enqueued for each work that they name. This is done
   when a process prepares the repository, before it serves, and before the log's writer learns the entries
   (`preservation/log/sequencer.py`): a crash before that repeats it.
2. **Publish the head** (`publish_head`): that job publishes the newest version of a work's object, with the lesser
   access of the catalogue's and the object's.
"""

from __future__ import annotations

from collections.abc import Sequence

from preservation.log.readable import stated_size
from preservation.log.sequencer import open_log
from preservation.ocfl import objects
from preservation.premis import access_of_event, parse_event
from repository.clock import timestamp
from repository.database.outbox import NewJob
from repository.model.access import is_same_access, lesser_access
from repository.model.work import WorkAccess
from repository.repository import Repository
from workers.execution.context import TaskContext
from workers.tasks.ingest import follow_up_jobs
from workers.tasks.jobs import access_job, collection_job, repair_work_job
from workers.tasks.preserve import access_unknown_to_catalogue, read_events, read_work
from workers.tasks.publish import publication_of, publish_work
from workers.tasks.pyramids import read_pyramid
from workers.tasks.texts import publish_texts


def heed_log(repository: Repository) -> None:
    """Put in force what the log knows of the access to works and the catalogue does not.

    An empty catalogue is left for a rebuild. Raises `DependencyMissing`, `LogInvalid`, `EventInvalid`, `StoreFault`,
    `DatabaseFault`.
    """
    ranges = repository.log_sequence.unknown_ranges(stated_size(repository.store))
    if not ranges or not repository.catalogue.counts().works:
        return
    log = open_log(repository)
    changes: dict[str, WorkAccess | None] = {}
    for start, end in ranges:
        for event in map(parse_event, log.entries(start, end)):
            if event.work and not event.is_kept_in_log:
                changes[event.work] = access_of_event(event) or changes.get(event.work)
    for work, access in changes.items():
        if repository.catalogue.version(work):
            if access is not None:
                _restrict(repository, work, access)
            repository.jobs.enqueue(repair_work_job(work))


def _restrict(repository: Repository, work: str, access: WorkAccess) -> None:
    """Put in force the lesser of a work's access and `access`.

    The reason of a change is not in the log: the job that publishes the object's version takes it from there.
    """

    def lesser(held: WorkAccess) -> WorkAccess:
        return lesser_access(held, access, repository.clock())

    def jobs(accessioned: str) -> Sequence[NewJob]:
        return [collection_job(accessioned)]

    repository.catalogue.change_access(work, lesser, jobs, timestamp(repository.clock()))


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
    access = lesser_access(stored.access, held.access, repository.clock())
    publish_texts(repository, head, context.examiner.read_text)
    publish_work(repository, head, access, pyramids)
    publication = publication_of(head, pyramids, events, inventory, {}, access=access, access_before=held.access)
    jobs = follow_up_jobs(repository, publication)
    if not is_same_access(access, stored.access):
        jobs.append(access_job(work))
    repository.catalogue.publish(publication, jobs, timestamp(repository.clock()))
