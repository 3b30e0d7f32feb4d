"""The feed of changes for partners (IIIF Change Discovery 1.0), and the records to harvest (OAI-PMH 2.0).

An activity is appended in the transaction of the change itself. The row of `FeedHeadRow` is locked from then until the
commit, so numbers have no gaps, and a reader who sees an activity sees all earlier ones. Times never go back: an
activity is at least as late as the one before it. So a range of times is a range of numbers.

The feed is locked after the rows of works, and before holdings and counters, so that transactions do not deadlock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from repository.clock import Clock, system_clock, timestamp
from repository.database.change_tables import FEED, ChangeRow, FeedHeadRow, FeedRecordRow
from repository.database.engine import Sessions, read_session, run_transaction
from repository.database.holdings import class_of
from repository.database.rows import WORK_ACCESS_COLUMNS, work_access
from repository.database.tables import WorkRow
from repository.model.access import rights_under
from repository.model.changes import (
    CLASSES,
    HOLDERS,
    Change,
    ChangeKind,
    FeedRecord,
    RecordRange,
    set_of_class,
    set_of_holder,
)
from repository.model.work import Record, Work, WorkState
from repository.model.work_json import work_of_json

_BATCH: Final = 500
_PUBLISHED: Final = WorkRow.state == WorkState.PUBLISHED.value


class ChangeFeed:
    """The feed and the records of one database. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions, clock: Clock = system_clock) -> None:
        self._sessions = sessions
        self._clock = clock

    def size(self) -> int:
        """Return the number of activities."""
        with read_session(self._sessions) as session:
            return session.scalar(select(FeedHeadRow.size).where(FeedHeadRow.name == FEED)) or 0

    def activities(self, start: int, end: int) -> list[Change]:
        """Return the activities with the numbers from `start` on and before `end`, in order."""
        query = select(ChangeRow).where(ChangeRow.number >= start, ChangeRow.number < end)
        with read_session(self._sessions) as session:
            rows = session.scalars(query.order_by(ChangeRow.number)).all()
        return [Change(row.number, ChangeKind(row.kind), row.time, row.work, row.origin) for row in rows]

    def refresh(self, origin: str | None = None) -> int:
        """Append a refresh, then an update of every published work; return the number of works.

        With `origin`, the public address that the repository had before, the works move from there instead.
        """
        kind = ChangeKind.UPDATE if origin is None else ChangeKind.MOVE

        def action(session: Session) -> int:
            number, time = append(session, [(ChangeKind.REFRESH, None)], self._clock)
            query = select(FeedRecordRow.work).where(FeedRecordRow.deleted.is_(False)).order_by(FeedRecordRow.number)
            works = list(session.scalars(query))
            append(session, [(kind, work) for work in works], self._clock, origin)
            rows = [{"key": work, "place": number + 1 + place} for place, work in enumerate(works)]
            _renumber(session, rows, time)
            return len(works)

        return run_transaction(self._sessions, action)

    def update(self, work: str) -> None:
        """Append that the manifest of a work has changed, if the work is in public view."""

        def action(session: Session) -> None:
            row = _record_row(session, work)
            if row is not None and not row.deleted:
                _append_one(session, ChangeKind.UPDATE, work, row, self._clock)

        run_transaction(self._sessions, action)

    def records(self, wanted: RecordRange, limit: int, *, with_works: bool = True) -> list[FeedRecord]:
        """Return at most `limit` records in the order of their newest activities; without their works if not wanted.

        A record that changes during a harvest moves to the end, so no page of the list misses it.
        """
        with read_session(self._sessions) as session:
            bounds = _bounds(session, wanted)
            if bounds is None:
                return []
            query = _records(with_works=with_works).where(*bounds).order_by(FeedRecordRow.number).limit(limit)
            return [_record(row) for row in session.execute(query)]

    def record(self, work: str, *, with_work: bool = True) -> FeedRecord | None:
        """Return the record of a work, without the work if not wanted; None for one that was never published."""
        with read_session(self._sessions) as session:
            row = session.execute(_records(with_works=with_work).where(FeedRecordRow.work == work)).one_or_none()
        return _record(row) if row else None

    def count_records(self, wanted: RecordRange) -> int:
        """Return how many records a harvester asks for."""
        with read_session(self._sessions) as session:
            bounds = _bounds(session, wanted)
            if bounds is None:
                return 0
            return session.scalar(select(func.count()).select_from(FeedRecordRow).where(*bounds)) or 0

    def first_time(self) -> str | None:
        """Return the time before which no record is; None without records."""
        query = select(FeedRecordRow.time).order_by(FeedRecordRow.time, FeedRecordRow.number).limit(1)
        with read_session(self._sessions) as session:
            return session.scalar(query)

    def holder_sets(self) -> dict[str, str]:
        """Return the names of the holders of published works by their sets; one look into the index for each."""
        found: dict[str, str] = {}
        columns = FeedRecordRow.holder_set, FeedRecordRow.holder
        shown = select(*columns).where(FeedRecordRow.deleted.is_(False)).limit(1)
        query = shown.order_by(FeedRecordRow.holder_set, FeedRecordRow.number)
        with read_session(self._sessions) as session:
            last = ""
            while row := session.execute(query.where(FeedRecordRow.holder_set > last)).one_or_none():
                last = row.holder_set or ""
                found[last] = row.holder or ""
        return found


def append_published(session: Session, work: Work, clock: Clock, *, changed: bool) -> None:
    """Append that a work is in public view: created when it was not before, else updated if it has `changed`."""
    row = _record_row(session, work.identifier)
    is_new = row is None or row.deleted
    if is_new or changed:
        _append_one(session, ChangeKind.CREATE if is_new else ChangeKind.UPDATE, work.identifier, row, clock)
        set_sets(session, work.identifier, work.record)


def append_withdrawn(session: Session, work: str, clock: Clock) -> None:
    """Append that a work has left public view, unless it was not in view before."""
    row = _record_row(session, work)
    if row is not None and not row.deleted:
        _append_one(session, ChangeKind.DELETE, work, row, clock)


def append(
    session: Session, activities: Sequence[tuple[ChangeKind, str | None]], clock: Clock, origin: str | None = None
) -> tuple[int, str]:
    """Append activities (kind, work) that happen now; return the number of the first, and their time."""
    query = select(FeedHeadRow.size, FeedHeadRow.time).where(FeedHeadRow.name == FEED)
    head = session.execute(query.with_for_update()).one()
    first, time = head.size, max(head.time, timestamp(clock()))
    rows = [
        {"number": number, "kind": kind.value, "work": work, "time": time, "origin": origin}
        for number, (kind, work) in enumerate(activities, start=first)
    ]
    insert_rows(session, ChangeRow, rows)
    set_head(session, first + len(rows), time)
    return first, time


def insert_rows(session: Session, table: type[ChangeRow | FeedRecordRow], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows in batches."""
    for start in range(0, len(rows), _BATCH):
        session.execute(insert(table), rows[start : start + _BATCH])


def set_head(session: Session, size: int, time: str) -> None:
    """Set the number of activities, and the time of the newest. The caller holds the feed's lock."""
    values = {"size": size, "time": time}
    session.execute(update(FeedHeadRow).where(FeedHeadRow.name == FEED).values(values))


def set_sets(session: Session, work: str, record: Record) -> None:
    """Record the sets to which a work belongs."""
    values = {
        "class_set": set_of_class(class_of(record.classification)),
        "holder_set": set_of_holder(record.holder),
        "holder": record.holder,
    }
    session.execute(update(FeedRecordRow).where(FeedRecordRow.work == work).values(values))


def _append_one(session: Session, kind: ChangeKind, work: str, row: FeedRecordRow | None, clock: Clock) -> None:
    number, time = append(session, [(kind, work)], clock)
    values = {"number": number, "time": time, "deleted": kind is ChangeKind.DELETE}
    if row is None:
        session.execute(insert(FeedRecordRow), {"work": work, **values})
    else:
        session.execute(update(FeedRecordRow).where(FeedRecordRow.work == work).values(values))


def _record_row(session: Session, work: str) -> FeedRecordRow | None:
    return session.get(FeedRecordRow, work, populate_existing=True)


def _renumber(session: Session, rows: Sequence[dict[str, Any]], time: str) -> None:
    """Set the newest activity of works (`key`) to a number (`place`)."""
    change = update(FeedRecordRow).where(FeedRecordRow.work == bindparam("key"))
    if rows:
        session.connection().execute(change.values(number=bindparam("place"), time=time), rows)


def _bounds(session: Session, wanted: RecordRange) -> list[ColumnElement[bool]] | None:
    """Return the conditions of a range of records, by their numbers; None for a range that is empty."""
    conditions: list[ColumnElement[bool]] = [FeedRecordRow.number > wanted.after]
    times = select(FeedRecordRow.number).limit(1)
    if wanted.first:
        order = FeedRecordRow.time, FeedRecordRow.number
        first = session.scalar(times.where(FeedRecordRow.time >= wanted.first).order_by(*order))
        if first is None:
            return None
        conditions.append(FeedRecordRow.number >= first)
    if wanted.last:
        backwards = FeedRecordRow.time.desc(), FeedRecordRow.number.desc()
        last = session.scalar(times.where(FeedRecordRow.time <= wanted.last).order_by(*backwards))
        if last is None:
            return None
        conditions.append(FeedRecordRow.number <= last)
    return [*conditions, *([_is_within(wanted.within)] if wanted.within else [])]


def _is_within(name: str) -> ColumnElement[bool]:
    """Return the condition that a record belongs to a set, or to any part of it; no record does to an unknown set."""
    if name in {CLASSES, HOLDERS}:
        return (FeedRecordRow.class_set if name == CLASSES else FeedRecordRow.holder_set).is_not(None)
    return (FeedRecordRow.holder_set if name.startswith(f"{HOLDERS}:") else FeedRecordRow.class_set) == name


def _records(*, with_works: bool) -> Select[Any]:
    """Return the query of records; those of works in public view have their documents and access, if wanted."""
    columns: list[Any] = [FeedRecordRow, WorkRow.identifier.label("held")]
    if with_works:
        columns += [WorkRow.document, *WORK_ACCESS_COLUMNS]
    is_shown = (WorkRow.identifier == FeedRecordRow.work) & _PUBLISHED & FeedRecordRow.deleted.is_(False)
    return select(*columns).outerjoin(WorkRow, is_shown)


def _record(row: Row[*tuple[Any, ...]]) -> FeedRecord:
    found: FeedRecordRow = row[0]
    sets = tuple(name for name in (found.class_set, found.holder_set) if name)
    work = None
    if row.held is not None and "document" in row._fields:
        work = work_of_json(row.document)
        work = replace(work, rights=rights_under(work.rights, work_access(row)))
    return FeedRecord(found.work, found.number, found.time, row.held is None, sets, work)
