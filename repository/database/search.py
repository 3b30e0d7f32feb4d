"""What search needs of the catalogue: who may see which work, and which works the index does not have yet.

Access is decided when a search runs, by what the catalogue has then, so that a withdrawn work is found no more although
segments of the index still have its text.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import starmap
from typing import Final

from sqlalchemy import func, select, text, tuple_, update
from sqlalchemy.orm import Session

from repository.clock import Clock
from repository.database.engine import Sessions, read_session, run_transaction
from repository.database.harvest_tables import HarvestedRecordRow
from repository.database.outbox import NewJob, enqueue
from repository.database.rows import SUMMARY_COLUMNS, WORK_ACCESS_COLUMNS, summary_of, work_access
from repository.database.search_changes import change_count, mark_unindexed
from repository.database.search_tables import SearchChangeRow
from repository.database.tables import ImageRow, WorkRow
from repository.model.access import Decision, decide, rights_under
from repository.model.harvest import RecordState, parts_of_identifier, record_identifier
from repository.model.work import Access, Rights, WorkAccess, WorkState, WorkSummary

_BATCH: Final = 500
_LIMITED: Final = text("access <> 'open'")
"""As the index ``ix_works_limited`` has it."""

_OFFERED: Final = HarvestedRecordRow.state == RecordState.LIVE.value

_PENDING: Final = text("pending")
"""As the index ``ix_search_changes_pending`` has it."""

_REDACTED: Final = (
    select(ImageRow.work)
    .distinct()
    .where(ImageRow.redactions.is_not(None), ImageRow.work.in_(select(SearchChangeRow.identifier).where(_PENDING)))
)


@dataclass(frozen=True, slots=True)
class ShownWorks:
    """The published works and the records that partners offer, by identifier.

    `limited` has the decisions about those works whose access is not simply open, made on `day` (ISO 8601, UTC) from
    `accesses`. The index may still have text of the works `stale` that a redaction now hides. `change` is the number
    of the first change (`repository/database/search_changes.py`) that may not be included.
    """

    published: frozenset[str]
    limited: Mapping[str, Decision]
    stale: frozenset[str] = frozenset()
    accesses: Mapping[str, WorkAccess] = field(default_factory=dict)
    change: int = 0
    day: str = ""


@dataclass(frozen=True, slots=True)
class UnindexedChange:
    """A change that is to be indexed: the work or record, and the number of the change."""

    identifier: str
    number: int


class SearchRecords:
    """The catalogue as search reads it. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock

    def shown_works(self, known: ShownWorks | None = None) -> ShownWorks:
        """Return what readers may see now: `known`, what this returned before, if nothing has changed.

        Only what has changed since `known` is read, all works and records without it.
        """
        now = self._clock()
        with read_session(self._sessions) as session:
            end = change_count(session)  # read first: a later change is read again next time, and none is missed
            stale = frozenset(session.scalars(_REDACTED))
            if known is None or end < known.change:  # the database was replaced
                published, accesses = _everything_shown(session)
            elif end > known.change:
                published, accesses = _with_changes(session, known)
            else:
                published, accesses = known.published, known.accesses
        return _decided(known, ShownWorks(published, {}, stale, accesses, end), now)

    def summaries(self, works: Sequence[str]) -> dict[str, WorkSummary]:
        """Return published works by their identifiers; those that are not published are left out."""
        published = WorkRow.state == WorkState.PUBLISHED.value
        query = select(*SUMMARY_COLUMNS).where(WorkRow.identifier.in_(works), published)
        with read_session(self._sessions) as session:
            now = self._clock()
            return {row.identifier: summary_of(row, now) for row in session.execute(query)}

    def mark(self, identifiers: Collection[str], jobs: Sequence[NewJob], now: str) -> None:
        """Record that the index does not have the newest state of works and records, and enqueue `jobs`."""

        def action(session: Session) -> None:
            mark_unindexed(session, *identifiers)
            for job in jobs:
                enqueue(session, job, now)

        run_transaction(self._sessions, action)

    def unindexed(self, limit: int) -> list[UnindexedChange]:
        """Return changes, at most `limit`, that the index does not have; works first, as a harvest has many records."""
        is_record = SearchChangeRow.identifier.contains("/")
        query = select(SearchChangeRow.identifier, SearchChangeRow.number).where(_PENDING)
        query = query.order_by(is_record, SearchChangeRow.identifier).limit(limit)
        with read_session(self._sessions) as session:
            return [UnindexedChange(*row) for row in session.execute(query)]

    def unindexed_count(self) -> int:
        """Return how many works and records have a change that the index does not have."""
        with read_session(self._sessions) as session:
            return session.scalar(select(func.count()).select_from(SearchChangeRow).where(_PENDING)) or 0

    def forget(self, indexed: Sequence[UnindexedChange]) -> None:
        """Record that the index has these changes; what has changed again stays."""
        pairs = [(each.identifier, each.number) for each in indexed]
        row = tuple_(SearchChangeRow.identifier, SearchChangeRow.number)
        change = update(SearchChangeRow).where(row.in_(pairs)).values(pending=False)
        run_transaction(self._sessions, lambda session: session.execute(change))

    def forget_all(self, indexed: Sequence[UnindexedChange]) -> None:
        """Do as `forget`, for any number of changes."""
        for start in range(0, len(indexed), _BATCH):
            self.forget(indexed[start : start + _BATCH])

    def versions_after(self, identifier: str, limit: int) -> list[tuple[str, int, str]]:
        """Return identifier, version and time of accession of at most `limit` works that follow `identifier`."""
        query = select(WorkRow.identifier, WorkRow.version, WorkRow.accessioned).where(WorkRow.identifier > identifier)
        with read_session(self._sessions) as session:
            return [
                (row.identifier, row.version, row.accessioned)
                for row in session.execute(query.order_by(WorkRow.identifier).limit(limit))
            ]

    def version(self, work: str) -> tuple[int, str] | None:
        """Return the version and the time of accession of a work; None if there is no such work."""
        query = select(WorkRow.version, WorkRow.accessioned).where(WorkRow.identifier == work)
        with read_session(self._sessions) as session:
            row = session.execute(query).one_or_none()
        return (row.version, row.accessioned) if row else None


def _decided(known: ShownWorks | None, found: ShownWorks, now: datetime) -> ShownWorks:
    """Return what was found with the decisions of the day; `known` if it is the same."""
    found = replace(found, day=now.astimezone(UTC).date().isoformat())
    if known is not None and known.accesses is found.accesses and known.day == found.day:
        is_same = known.published is found.published and known.stale == found.stale
        return known if is_same else replace(found, limited=known.limited)
    decisions = {
        work: decide(rights_under(Rights(), access), access.state, now)
        for work, access in found.accesses.items()
        if work in found.published
    }
    return replace(found, limited=decisions)


def _everything_shown(session: Session) -> tuple[frozenset[str], Mapping[str, WorkAccess]]:
    """Return the identifiers of all that is shown, and the access to the works whose access is not simply open."""
    works = session.scalars(select(WorkRow.identifier).where(WorkRow.state == WorkState.PUBLISHED.value))
    limited = session.execute(select(WorkRow.identifier, *WORK_ACCESS_COLUMNS).where(_LIMITED))
    accesses = {row.identifier: work_access(row) for row in limited}
    records = session.execute(select(HarvestedRecordRow.source, HarvestedRecordRow.key).where(_OFFERED))
    return frozenset(works).union(starmap(record_identifier, records)), accesses


def _with_changes(session: Session, known: ShownWorks) -> tuple[frozenset[str], Mapping[str, WorkAccess]]:
    """Return as `_everything_shown`; of what has not changed since, what is `known`."""
    query = select(SearchChangeRow.identifier).where(SearchChangeRow.number >= known.change)
    changed = list(session.scalars(query.order_by(SearchChangeRow.identifier)))
    published = set[str]()
    accesses = dict(known.accesses)
    for start in range(0, len(changed), _BATCH):
        some = changed[start : start + _BATCH]
        for identifier in some:
            accesses.pop(identifier, None)
        rows = session.execute(select(WorkRow.identifier, *WORK_ACCESS_COLUMNS).where(WorkRow.identifier.in_(some)))
        held = {row.identifier: work_access(row) for row in rows}
        published |= {work for work, access in held.items() if access.state is WorkState.PUBLISHED}
        accesses |= {work: access for work, access in held.items() if access.access is not Access.OPEN}
        published |= _offered(session, some)
    return frozenset((known.published - set(changed)) | published), accesses


def _offered(session: Session, identifiers: Sequence[str]) -> set[str]:
    """Return which of some works and records are records that partners offer."""
    keys: dict[str, list[str]] = {}
    for source, key in map(parts_of_identifier, identifiers):
        if key:
            keys.setdefault(source, []).append(key)
    columns = HarvestedRecordRow.source, HarvestedRecordRow.key
    found: set[str] = set()
    for source, some in keys.items():
        query = select(*columns).where(HarvestedRecordRow.source == source, HarvestedRecordRow.key.in_(some), _OFFERED)
        found.update(starmap(record_identifier, session.execute(query)))
    return found
