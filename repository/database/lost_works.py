"""Works, or newer versions of them, that the log names and no store has: listed until a person decides.

A rebuild and a restore record what they miss. A work that is deposited or restored again leaves the list. The decision
to accept a loss is an event of the log too, so that a new database learns it from there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from repository.database.engine import Sessions, read_session, run_transaction
from repository.database.kept_events import stage_events
from repository.database.outbox import NewJob, enqueue
from repository.database.tables import LostWorkRow
from repository.model.work import Event


@dataclass(frozen=True, slots=True)
class LostWork:
    """A work of which the log names version `logged`, and the store has the versions up to `stored`, 0 for none.

    Times are RFC 3339. `decided` and `reason` are None until somebody has accepted the loss; a reason that only the
    log has is sealed there, and None.
    """

    work: str
    logged: int
    stored: int
    first_seen: str = ""
    decided: str | None = None
    reason: str | None = None


class LostWorks:
    """The lost works in one database. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def replace(self, found: Iterable[LostWork], now: str) -> None:
        """Record what is lost now; works that are not among it were found again. Decisions about the same loss stay."""

        def action(session: Session) -> None:
            before = {row.work: row for row in session.scalars(select(LostWorkRow))}
            for lost in found:
                row = before.pop(lost.work, None)
                if row is None:
                    row = LostWorkRow(work=lost.work, first_seen=now, decided=lost.decided)
                    session.add(row)
                elif row.logged != lost.logged:
                    row.decided = row.reason = None
                row.logged, row.stored = lost.logged, lost.stored
            for row in before.values():
                session.delete(row)

        run_transaction(self._sessions, action)

    def undecided(self, limit: int) -> list[LostWork]:
        """Return at most `limit` works whose loss nobody has accepted, in the order of their identifiers."""
        query = select(LostWorkRow).where(LostWorkRow.decided.is_(None)).order_by(LostWorkRow.work).limit(limit)
        with read_session(self._sessions) as session:
            return [_lost(row) for row in session.scalars(query)]

    def undecided_count(self) -> int:
        """Return how many works there are whose loss nobody has accepted."""
        query = select(func.count()).select_from(LostWorkRow).where(LostWorkRow.decided.is_(None))
        with read_session(self._sessions) as session:
            return session.scalar(query) or 0

    def get(self, work: str) -> LostWork | None:
        """Return a lost work; None for any other."""
        with read_session(self._sessions) as session:
            row = session.get(LostWorkRow, work)
            return _lost(row) if row else None

    def accept(self, work: str, reason: str, event: Event, job: NewJob, now: str) -> bool:
        """Accept a loss, and stage its event, in one transaction. Return False for a work that is not lost."""

        def action(session: Session) -> bool:
            row = session.get(LostWorkRow, work, with_for_update=True)
            if row is None:
                return False
            row.decided, row.reason = now, reason
            enqueue(session, job, now)
            stage_events(session, [event])
            return True

        return run_transaction(self._sessions, action)


def forget_found(session: Session, work: str, version: int) -> None:
    """Forget that a work is lost whose version `version` is published."""
    session.execute(delete(LostWorkRow).where(LostWorkRow.work == work, LostWorkRow.logged <= version))


def _lost(row: LostWorkRow) -> LostWork:
    return LostWork(row.work, row.logged, row.stored, row.first_seen, row.decided, row.reason)
