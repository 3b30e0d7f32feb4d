"""Publishes manifests and collections again after an upgrade, or a change of the settings that they depend on.

The recurring work compares the edition of the store's documents with that of this process (`is_outdated`). A job then
compares the works in the order of their identifiers, a batch at a time. For each whose manifest differs it enqueues a
job that claims the work, as an ingest does, publishes the manifest, and appends an update to the feed of changes. The
next batch begins when these jobs have ended; after the last one the collections are published. A process of an earlier
release than that of the documents does nothing of this. A process that dies leaves the record of the batch before, and
the next process continues from there. A manifest that cannot be built fails its job and stays as it is: a sweep reports
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from repository import paths
from repository.database.outbox import Job
from repository.repository import Repository
from repository.storage.store import read_if_present
from workers.execution.context import TaskContext
from workers.execution.runner import FanOut
from workers.published_edition import (
    begin_edition,
    is_of_later_release,
    is_outdated,
    mark_older,
    published_edition,
    record_edition,
    wanted_edition,
)
from workers.tasks.jobs import PUBLISH_MANIFEST, REPUBLISH, manifest_job, republish_job
from workers.tasks.publish import manifest_of, publish_all, publish_work

_BATCH: Final = 500


def queue_republishing(repository: Repository) -> bool:
    """Enqueue the next batch unless one is in progress; return whether documents are outdated. Raises `StoreFault`."""
    if repository.jobs.active(REPUBLISH, 1) or repository.jobs.active(PUBLISH_MANIFEST, 1):
        return True
    if not is_outdated(repository) or is_of_later_release(repository):
        return False
    begin_edition(repository)
    repository.jobs.enqueue(republish_job(wanted_edition(repository)))
    return True


def republish(context: TaskContext, job: Job) -> Mapping[str, object]:
    """Run a job of kind ``republish``: compare the next batch of works.

    Raises `Busy`, `ManifestInvalid`, `StoreFault`, `DatabaseFault`.
    """
    repository, wanted = context.repository, wanted_edition(context.repository)
    published = published_edition(repository)
    if job.arguments["edition"] != wanted or not is_outdated(repository) or is_of_later_release(repository):
        return {"works": 0}  # another release, or other settings, queued it
    after = published.after if published.edition == wanted else ""
    works = repository.catalogue.identifiers_after(after, _BATCH, shown=True)
    differing = [work for work in works if _differs(repository, work)]
    for work in differing:
        repository.jobs.enqueue(manifest_job(work))
    if works:
        record_edition(repository, works[-1])
    else:
        publish_all(repository)
        record_edition(repository)
    return {"works": len(works), "differing": len(differing)}


def publish_again(context: TaskContext, job: Job) -> Mapping[str, object] | FanOut:
    """Run a job of kind ``manifest``: publish the manifest of `work` again, and tell partners if it has changed.

    Raises `Busy` while another job changes the work, `ManifestInvalid`, `StoreFault`, `DatabaseFault`.
    """
    repository, work = context.repository, job.arguments["work"]
    if is_of_later_release(repository):
        mark_older(repository)  # the work is compared again, until a process of that release runs its job
        return {"published": False}
    if job.plan is None:
        return FanOut((), {"differs": _differs(repository, work)}, work)
    held, catalogued = repository.catalogue.access(work), repository.catalogue.work(work)
    if held is None or catalogued is None or not job.plan["differs"]:
        return {"published": False}
    publish_work(repository, catalogued, held.access, repository.catalogue.pyramids(work))
    repository.changes.update(work)  # also if a process died before this, and the manifest does not differ any more
    return {"published": True}


def _differs(repository: Repository, work: str) -> bool:
    """Return whether the stored manifest of a work in public view is not what this process builds."""
    held, catalogued = repository.catalogue.access(work), repository.catalogue.work(work)
    if held is None or catalogued is None:
        return False
    wanted = manifest_of(repository, catalogued, held.access, repository.catalogue.pyramids(work))
    return wanted is not None and read_if_present(repository.store, paths.manifest(work)) != wanted
