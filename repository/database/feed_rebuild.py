"""The feed of changes after a rebuild of the catalogue.

A feed that exists stays as it is, so that its pages stay as partners have read them. What a feed restored from a backup
has missed is appended, as of now:

- an update of each work of which an event is later than its newest activity;
- a deletion of each work that is no longer in public view, and a creation of each that is again.

A database that was lost has no feed. It is derived from the events of all works, in the order of their times and then
of the log: an accession creates or updates a work, a withdrawal deletes it, a restoration creates it again, any other
change updates it. Then what differs from the catalogue is appended, as above.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from repository.clock import Clock
from repository.database.change_tables import FEED, ChangeRow, FeedHeadRow, FeedRecordRow
from repository.database.changes import append_published, append_withdrawn, insert_rows, set_head, set_sets
from repository.database.tables import EventRow, WorkRow
from repository.model.changes import ChangeKind
from repository.model.work import EventType, WorkState
from repository.model.work_json import work_of_json

_TYPES: Final = (EventType.ACCESSION.value, EventType.METADATA_MODIFICATION.value)
"""The types of events that the feed reports."""

_BATCH: Final = 500


def rebuild_feed(session: Session, clock: Clock) -> None:
    """Complete the feed in the transaction that has rebuilt the catalogue and its events."""
    size = session.scalar(select(FeedHeadRow.size).where(FeedHeadRow.name == FEED).with_for_update())
    if not size:
        _derive(session)
    works = list(session.scalars(select(WorkRow.identifier).order_by(WorkRow.identifier)))
    for start in range(0, len(works), _BATCH):
        _complete(session, works[start : start + _BATCH], clock)
    gone = select(FeedRecordRow.work).outerjoin(WorkRow, WorkRow.identifier == FeedRecordRow.work)
    lost = gone.where(FeedRecordRow.deleted.is_(False), WorkRow.identifier.is_(None)).order_by(FeedRecordRow.number)
    for work in list(session.scalars(lost)):
        append_withdrawn(session, work, clock)


def _derive(session: Session) -> None:
    """Fill an empty feed from the events. In memory are the newest activity of each work and one batch."""
    newest: dict[str, dict[str, Any]] = {}
    batch: list[dict[str, Any]] = []
    size, time = 0, ""
    for work, kind, happened in _activities(session):
        time = max(time, happened)
        batch.append({"number": size, "kind": kind.value, "work": work, "time": time, "origin": None})
        newest[work] = {"work": work, "number": size, "time": time, "deleted": kind is ChangeKind.DELETE}
        size += 1
        if len(batch) == _BATCH:
            insert_rows(session, ChangeRow, batch)
            batch = []
    insert_rows(session, ChangeRow, batch)
    insert_rows(session, FeedRecordRow, list(newest.values()))
    set_head(session, size, time)


def _activities(session: Session) -> Iterator[tuple[str, ChangeKind, str]]:
    """Yield the work, kind and time of each activity that the events tell of, in order."""
    shown: dict[str, bool] = {}
    withdrawn: set[str] = set()
    columns = EventRow.work, EventRow.type, EventRow.time, EventRow.detail
    query = select(*columns).where(EventRow.type.in_(_TYPES), EventRow.work.is_not(None))
    order = EventRow.time, EventRow.log_index.nulls_last(), EventRow.work, EventRow.position
    for row in session.execute(query.order_by(*order).execution_options(yield_per=_BATCH)):
        state = row.detail.get("state") if "change" in row.detail else None
        if state is not None:
            (withdrawn.discard if state == WorkState.PUBLISHED.value else withdrawn.add)(row.work)
        kind = _kind(was_shown=shown.get(row.work), is_shown=row.work not in withdrawn)
        shown[row.work] = row.work not in withdrawn
        if kind is not None:
            yield row.work, kind, row.time


def _kind(*, was_shown: bool | None, is_shown: bool) -> ChangeKind | None:
    if is_shown:
        return ChangeKind.UPDATE if was_shown else ChangeKind.CREATE
    return ChangeKind.DELETE if was_shown else None


def _complete(session: Session, works: list[str], clock: Clock) -> None:
    """Append what the feed lacks of some works that the catalogue holds."""
    changed = func.max(EventRow.time)
    events = select(EventRow.work, changed).where(EventRow.work.in_(works), EventRow.type.in_(_TYPES))
    times = {row[0]: row[1] for row in session.execute(events.group_by(EventRow.work))}
    columns = WorkRow.identifier, WorkRow.state, WorkRow.document, FeedRecordRow.time, FeedRecordRow.class_set
    held = select(*columns).outerjoin(FeedRecordRow, FeedRecordRow.work == WorkRow.identifier)
    rows = session.execute(held.where(WorkRow.identifier.in_(works)).order_by(WorkRow.identifier)).all()
    for row in rows:
        if row.state != WorkState.PUBLISHED.value:
            append_withdrawn(session, row.identifier, clock)
            continue
        is_changed = row.time is not None and times.get(row.identifier, "") > row.time
        append_published(session, work_of_json(row.document), clock, changed=is_changed)
        if row.class_set is None:
            set_sets(session, row.identifier, work_of_json(row.document).record)
