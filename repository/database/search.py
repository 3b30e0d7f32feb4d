"""What search needs of the catalogue: who may see which work, and which works the index does not have yet.

Access is decided when a search runs, by what the catalogue has then, so that a withdrawn work is found no more although
segments of the index still have its text.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, func, select, text, tuple_
from sqlalchemy.orm import Session

from repository.clock import Clock
from repository.database.engine import Sessions, read_session, run_transaction
from repository.database.outbox import NewJob, enqueue
from repository.database.rows import SUMMARY_COLUMNS, WORK_ACCESS_COLUMNS, summary_of, work_access
from repository.database.search_tables import UnindexedWorkRow
from repository.database.tables import ImageRow, WorkRow
from repository.model.access import Decision, decide, rights_under
from repository.model.work import Rights, WorkState, WorkSummary

_BATCH: Final = 500
_LIMITED: Final = text("access <> 'open'")
"""As the index ``ix_works_limited`` has it."""


@dataclass(frozen=True, slots=True)
class ShownWorks:
    """The published works, and the decisions about those of them whose access is not simply open.

    The index may still have text of the works `stale` that a redaction now hides.
    """

    published: frozenset[str]
    limited: dict[str, Decision]
    stale: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class UnindexedWork:
    """A work whose change is to be indexed, and the mark of the change."""

    work: str
    mark: str


def mark_unindexed(session: Session, work: str) -> None:
    """Record in the caller's transaction that the index does not have the newest state of a work."""
    session.merge(UnindexedWorkRow(work=work, mark=secrets.token_hex(8)))


class SearchRecords:
    """The catalogue as search reads it. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock

    def shown_works(self) -> ShownWorks:
        """Return the works that readers may see now."""
        published = select(WorkRow.identifier).where(WorkRow.state == WorkState.PUBLISHED.value)
        limited = select(WorkRow.identifier, *WORK_ACCESS_COLUMNS).where(_LIMITED)
        redacted = (
            select(ImageRow.work)
            .distinct()
            .where(ImageRow.redactions.is_not(None), ImageRow.work.in_(select(UnindexedWorkRow.work)))
        )
        with read_session(self._sessions) as session:
            found = frozenset(session.scalars(published))
            rows = session.execute(limited).all()
            stale = frozenset(session.scalars(redacted))
        now = self._clock()
        accesses = {row.identifier: work_access(row) for row in rows}
        return ShownWorks(
            found,
            {
                work: decide(rights_under(Rights(), access), access.state, now)
                for work, access in accesses.items()
                if work in found
            },
            stale,
        )

    def summaries(self, works: Sequence[str]) -> dict[str, WorkSummary]:
        """Return published works by their identifiers; those that are not published are left out."""
        published = WorkRow.state == WorkState.PUBLISHED.value
        query = select(*SUMMARY_COLUMNS).where(WorkRow.identifier.in_(works), published)
        with read_session(self._sessions) as session:
            now = self._clock()
            return {row.identifier: summary_of(row, now) for row in session.execute(query)}

    def mark(self, works: Collection[str], jobs: Sequence[NewJob], now: str) -> None:
        """Record that the index does not have the newest state of `works`, and enqueue `jobs`."""

        def action(session: Session) -> None:
            for work in sorted(works):
                mark_unindexed(session, work)
            for job in jobs:
                enqueue(session, job, now)

        run_transaction(self._sessions, action)

    def unindexed(self, limit: int) -> list[UnindexedWork]:
        """Return works, at most `limit`, whose change the index does not have."""
        query = select(UnindexedWorkRow.work, UnindexedWorkRow.mark).order_by(UnindexedWorkRow.work).limit(limit)
        with read_session(self._sessions) as session:
            return [UnindexedWork(*row) for row in session.execute(query)]

    def unindexed_count(self) -> int:
        """Return how many works have a change that the index does not have."""
        with read_session(self._sessions) as session:
            return session.scalar(select(func.count()).select_from(UnindexedWorkRow)) or 0

    def forget(self, indexed: Sequence[UnindexedWork]) -> None:
        """Record that the index has these changes; works that have changed again stay."""
        pairs = [(each.work, each.mark) for each in indexed]
        row = tuple_(UnindexedWorkRow.work, UnindexedWorkRow.mark)
        run_transaction(self._sessions, lambda session: session.execute(delete(UnindexedWorkRow).where(row.in_(pairs))))

    def forget_all(self, indexed: Sequence[UnindexedWork]) -> None:
        """Do as `forget`, for any number of works."""
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
