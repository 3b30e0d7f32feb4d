"""Failed logins of accounts and addresses, counted in the database for all web processes together.

An attempt is counted before its password is checked, so that concurrent attempts cannot exceed a limit, and given back
if the password was right. Names and addresses are stored as digests only: people type passwords into the wrong field.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from repository.clock import Clock, timestamp
from repository.database.engine import Sessions, run_transaction
from repository.database.tables import LoginFailureRow

FAILURES_REMEMBERED: Final = timedelta(minutes=15)
"""How long failed logins count, from the first of them on."""


class LoginFailures:
    """Counts of failed logins. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock

    def count(self, limits: Mapping[str, int]) -> int:
        """Count an attempt for each subject of `limits`, unless one of them has reached its limit.

        Return the seconds after which that subject may try again; 0 if the attempt was counted.
        """

        def action(session: Session) -> int:
            now = self._clock()
            session.execute(delete(LoginFailureRow).where(LoginFailureRow.until <= timestamp(now)))
            rows = [(_counted(session, subject, now), limit) for subject, limit in sorted(limits.items())]
            waits = [_seconds(row.until, now) for row, limit in rows if row.count >= limit]
            for row, _ in rows:
                row.count += 0 if waits else 1
            return max(waits, default=0)

        return run_transaction(self._sessions, action)

    def forget(self, subject: str) -> None:
        """Forget all failures of a subject."""
        deletion = delete(LoginFailureRow).where(LoginFailureRow.subject == _digest(subject))
        run_transaction(self._sessions, lambda session: session.execute(deletion))

    def give_back(self, subject: str) -> None:
        """Count one failure less of a subject."""
        row = update(LoginFailureRow).where(LoginFailureRow.subject == _digest(subject), LoginFailureRow.count > 0)
        change = row.values(count=LoginFailureRow.count - 1)
        run_transaction(self._sessions, lambda session: session.execute(change))


def _counted(session: Session, subject: str, now: datetime) -> LoginFailureRow:
    row = session.get(LoginFailureRow, _digest(subject), with_for_update=True)
    if row is None:
        row = LoginFailureRow(subject=_digest(subject), count=0, until=timestamp(now + FAILURES_REMEMBERED))
        session.add(row)
        session.flush()  # a concurrent insertion conflicts here, and the transaction is retried
    return row


def _seconds(until: str, now: datetime) -> int:
    return max(1, round((datetime.fromisoformat(until) - now).total_seconds()))


def _digest(subject: str) -> str:
    return hashlib.sha256(subject.encode(errors="surrogatepass")).hexdigest()
