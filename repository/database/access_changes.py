"""Changes of the access to a work: in force with the transaction, pending until the work's OCFL object holds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from repository.clock import Clock
from repository.database.changes import append_published, append_withdrawn
from repository.database.counters import add_to_counters
from repository.database.log_positions import LogPosition
from repository.database.outbox import NewJob, enqueue
from repository.database.rows import WORK_ACCESS_COLUMNS, access_values, event_values, work_access
from repository.database.search_changes import mark_access, mark_unindexed
from repository.database.tables import EventRow, WorkRow
from repository.model.access import is_same_access
from repository.model.work import Event, WorkAccess, WorkState
from repository.model.work_json import work_of_json

AccessChange = Callable[[WorkAccess], WorkAccess]
"""Returns the new access to a work from the one in force."""


@dataclass(frozen=True, slots=True)
class PreservedAccess:
    """The access that version `version` of a work's object holds, and all events of the object."""

    access: WorkAccess
    version: int
    events: Sequence[Event]


def change_access(
    session: Session,
    work: str,
    change: AccessChange,
    jobs: Callable[[str], Sequence[NewJob]],
    now: str,
    *,
    clock: Clock,
    pend: bool = False,
) -> WorkAccess | None:
    """Change the access to a work in the caller's transaction (see `Catalogue.change_access`)."""
    query = select(WorkRow.accessioned, *WORK_ACCESS_COLUMNS).where(WorkRow.identifier == work).with_for_update()
    row = session.execute(query).one_or_none()
    if row is None:
        return None
    before = work_access(row)
    after = change(before)
    if is_same_access(before, after):
        if pend:
            session.execute(update(WorkRow).where(WorkRow.identifier == work).values(access_pending=True))
        return before
    session.execute(update(WorkRow).where(WorkRow.identifier == work).values(access_values(after, pending=True)))
    if not _is_published(after):
        append_withdrawn(session, work, clock)
    mark_access(session, work)
    for job in sorted(jobs(row.accessioned), key=lambda job: job.key):
        enqueue(session, job, now)
    add_to_counters(session, published=_is_published(after) - _is_published(before))
    return after


def record_preserved(
    session: Session, work: str, preserved: PreservedAccess, jobs: Sequence[NewJob], now: str, *, clock: Clock
) -> None:
    """Record in the caller's transaction what a work's object holds (see `Catalogue.record_access`).

    The feed reports only now that a work has returned, because its manifest is there to be read.
    """
    query = (
        select(WorkRow.version, WorkRow.document, *WORK_ACCESS_COLUMNS)
        .where(WorkRow.identifier == work)
        .with_for_update()
    )
    row = session.execute(query).one_or_none()
    if row is None:
        return
    values: dict[str, object] = {"version": preserved.version}
    if work_access(row) == preserved.access:
        values |= {"access_pending": False}
    session.execute(update(WorkRow).where(WorkRow.identifier == work).values(values))
    if row.state == WorkState.PUBLISHED.value:
        append_published(session, work_of_json(row.document), clock, changed=row.version != preserved.version)
    mark_unindexed(session, work)
    known = set(session.scalars(select(EventRow.identifier).where(EventRow.work == work)))
    added = [
        event_values(number, event, LogPosition(None, None))
        for number, event in enumerate(preserved.events)
        if event.identifier not in known
    ]
    if added:
        session.execute(insert(EventRow), added)
    for job in sorted(jobs, key=lambda job: job.key):
        enqueue(session, job, now)
    add_to_counters(session, events=len(added))


def pending_access(session: Session) -> dict[str, WorkAccess]:
    """Return the access to every work whose object does not hold it yet."""
    query = select(WorkRow.identifier, *WORK_ACCESS_COLUMNS).where(WorkRow.access_pending)
    return {row.identifier: work_access(row) for row in session.execute(query)}


def lock_work(session: Session, work: str) -> tuple[WorkAccess | None, dict[str, int]]:
    """Lock a work's row until the transaction ends; return its access and what it contributes to the counters.

    Of two transactions that insert the same new work, the later one fails on its key and is retried.
    """
    columns = (*WORK_ACCESS_COLUMNS, WorkRow.images, WorkRow.master_bytes)
    query = select(*columns).where(WorkRow.identifier == work).with_for_update()
    row = session.execute(query).one_or_none()
    if row is None:
        return None, {}
    published = int(row.state == WorkState.PUBLISHED.value)
    return work_access(row), {"works": 1, "published": published, "images": row.images, "bytes": row.master_bytes}


def _is_published(access: WorkAccess) -> int:
    return int(access.state is WorkState.PUBLISHED)
