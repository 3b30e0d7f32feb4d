"""Changes of the access to a work: withdrawal, restoration, another level of access, and the end of a restriction.

1. **Change the catalogue** in one transaction (`change`): readers see the change when the image service looks the work
   up again (`iiif_server/image/resolved.py`). The transaction enqueues the jobs of steps 2 and 3. A crash before it
   changes nothing.
2. **Preserve the change** (`preserve_access`): commit a version of the work's OCFL object with its access record and
   its event, then write or remove the manifest, and record in the catalogue that the object holds the change. The work
   is claimed first, as by an ingest. While an ingest has the claim, the job waits; the change is in force regardless,
   and neither an ingest (`access.after_deposit`) nor a rebuild (`Catalogue.rebuild`) reverts it.
3. **Publish the collections** that list the work.
4. **Follow up** in jobs of their own: the provenance log, the features of pages and the replicas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from typing import Final

from repository.clock import timestamp
from repository.database.access_changes import AccessChange, PreservedAccess
from repository.database.outbox import Job, NewJob
from repository.errors import NotFound, SystemFault
from repository.localized import LocalizedText
from repository.model.access import has_ended, is_same_access, lesser_access
from repository.model.work import Access, Agent, WorkAccess, WorkState
from repository.repository import Repository
from workers.execution.context import TaskContext
from workers.execution.runner import FanOut
from workers.tasks import preserve
from workers.tasks.jobs import (
    access_job,
    collection_job,
    features_job,
    replicate_work_job,
    search_index_job,
    sequence_events_job,
)
from workers.tasks.preserve import access_unknown_to_catalogue
from workers.tasks.publish import publish_work


class CatalogueOutdated(SystemFault):
    """The work's object holds a later change of its access, which restricts it, than the catalogue knows."""

    code = "access.outdated"
    transient = False
    text = LocalizedText(
        "{work} 的对象中存有目录数据库所不知的利用变更，现按两者中较严的执行。数据库若由旧备份恢复，请先运行"
        " shanben rebuild，再作变更",
        "the object of {work} holds a change of access that the catalogue did not know; the lesser access of both is in"
        " force now. If the database was restored from a backup, run shanben rebuild, then change the access again",
    )


_MOST_ENDED: Final = 100
"""The largest number of restrictions that one run of the schedule ends."""


def withdraw(repository: Repository, work: str, reason: str) -> WorkAccess:
    """Withdraw a work from public view. Raises `NotFound`, `DatabaseFault`."""
    return change(repository, work, lambda access: replace(access, state=WorkState.WITHDRAWN), reason)


def restore(repository: Repository, work: str, reason: str = "") -> WorkAccess:
    """Return a withdrawn work to public view, with the access that it had. Raises `NotFound`, `DatabaseFault`."""
    return change(repository, work, lambda access: replace(access, state=WorkState.PUBLISHED), reason)


def set_level(repository: Repository, work: str, level: WorkAccess, reason: str = "") -> WorkAccess:
    """Set the access to a work, its `max_size` and `until` to those of `level`; a withdrawn work stays withdrawn.

    Raises `NotFound`, `DatabaseFault`.
    """

    def changed(access: WorkAccess) -> WorkAccess:
        return replace(access, access=level.access, max_size=level.max_size, until=level.until)

    return change(repository, work, changed, reason)


def change(
    repository: Repository, work: str, decide: AccessChange, reason: str = "", agent: Agent = Agent.STAFF
) -> WorkAccess:
    """Change the access to a work from now on, and enqueue the jobs that preserve and publish it. Return the access.

    `decide` returns the new access from the one in force. A change to the same access changes nothing. Raises
    `NotFound`, `DatabaseFault`.
    """
    now = timestamp(repository.clock())

    def changed(access: WorkAccess) -> WorkAccess:
        return replace(decide(access), changed=now, agent=agent, reason=reason or None)

    def jobs(accessioned: str) -> Sequence[NewJob]:
        return access_job(work), collection_job(accessioned)

    access = repository.catalogue.change_access(work, changed, jobs, now)
    if access is None:
        raise NotFound(what=work)
    return access


def end_restrictions(repository: Repository) -> int:
    """Record restrictions that have ended by themselves; return how many. Readers see their end without this.

    Raises `DatabaseFault`.
    """
    now = repository.clock()

    def ended(access: WorkAccess) -> WorkAccess:
        if not has_ended(access.until, now):
            return access
        return replace(access, access=Access.OPEN, max_size=None, until=None)

    works = repository.catalogue.ended_restrictions(now.astimezone(UTC).date().isoformat(), _MOST_ENDED)
    for work in works:
        change(repository, work, ended, agent=Agent.SOFTWARE)
    return len(works)


def preserve_access(context: TaskContext, job: Job) -> Mapping[str, object] | FanOut:
    """Run a job of kind ``access``: preserve and publish the access to `work` that the catalogue holds.

    Raises `Busy` while an ingest of the work is active, `CatalogueOutdated`, `NotFound`, `ObjectInvalid`,
    `DigestMismatch`, `StoreFault`, `DatabaseFault`.
    """
    repository, work = context.repository, job.arguments["work"]
    if job.plan is None:
        return FanOut((), {}, work)
    held, catalogued = repository.catalogue.access(work), repository.catalogue.work(work)
    if held is None or catalogued is None:
        raise NotFound(what=work)
    _refuse_to_open(repository, work, held.access)
    inventory, events = preserve.preserve_access(repository, work, held.access)
    publish_work(repository, catalogued, held.access, repository.catalogue.pyramids(work))
    follow_up = [
        sequence_events_job(),
        search_index_job(),
        features_job(work),
        *(replicate_work_job(store, work) for store in repository.replicas),
    ]
    now = timestamp(repository.clock())
    preserved = PreservedAccess(held.access, len(inventory.versions), events)
    repository.catalogue.record_access(work, preserved, follow_up, now)
    return {"identifier": work, "state": held.access.state.value}


def _refuse_to_open(repository: Repository, work: str, access: WorkAccess) -> None:
    """Raise `CatalogueOutdated` for an access that opens what a version unknown to the catalogue has restricted.

    A catalogue that was restored from a backup does not know of a later withdrawal, and a change of its access would
    revert that. The lesser access is in force in the catalogue then.
    """
    now = repository.clock()
    stored = access_unknown_to_catalogue(repository, work)
    lesser = lesser_access(access, stored.access, now) if stored else access
    if not is_same_access(lesser, access):
        repository.catalogue.change_access(work, lambda _: lesser, lambda _: (), timestamp(now))
        raise CatalogueOutdated(work=work)
