"""The data of preservation reports by the time that they describe, and the alarms whose causes continue."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from repository.database.engine import Sessions, read_session, run_transaction
from repository.database.report_tables import AlarmRow, ReportRow


@dataclass(frozen=True, slots=True)
class RaisedAlarm:
    """An alarm whose cause continues: since when, and when it was sent last, None for not yet (RFC 3339)."""

    key: str
    since: str
    sent: str | None


class Reports:
    """Stored reports and alarms. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def add(self, time: str, document: bytes) -> bytes:
        """Store the data of a report on a time (RFC 3339), unless there is one; return what is stored."""

        def action(session: Session) -> bytes:
            row = session.get(ReportRow, time)
            if row is None:
                session.add(ReportRow(time=time, document=document))
                return document
            return row.document

        return run_transaction(self._sessions, action)

    def newest(self, until: str) -> tuple[str, bytes] | None:
        """Return the newest report on a time that is not after `until`, with that time; None without one."""
        query = select(ReportRow).where(ReportRow.time <= until).order_by(ReportRow.time.desc()).limit(1)
        with read_session(self._sessions) as session:
            row = session.scalar(query)
        return (row.time, row.document) if row else None

    def times(self, limit: int) -> list[str]:
        """Return the times of the newest reports, the newest first."""
        query = select(ReportRow.time).order_by(ReportRow.time.desc()).limit(limit)
        with read_session(self._sessions) as session:
            return list(session.scalars(query))

    def raise_alarms(self, keys: Collection[str], now: str) -> list[RaisedAlarm]:
        """Record the alarms whose causes continue, and forget all others; return those recorded, ordered by key."""

        def action(session: Session) -> list[RaisedAlarm]:
            rows = {row.key: row for row in session.scalars(select(AlarmRow))}
            ended = sorted(rows.keys() - set(keys))
            if ended:
                session.execute(delete(AlarmRow).where(AlarmRow.key.in_(ended)))
            for key in sorted(set(keys) - rows.keys()):
                rows[key] = AlarmRow(key=key, since=now, sent=None)
                session.add(rows[key])
            return [RaisedAlarm(key, rows[key].since, rows[key].sent) for key in sorted(set(keys))]

        return run_transaction(self._sessions, action)

    def mark_sent(self, keys: Collection[str], now: str) -> None:
        """Record that a message about alarms was sent."""
        change = update(AlarmRow).where(AlarmRow.key.in_(sorted(keys))).values(sent=now)
        run_transaction(self._sessions, lambda session: session.execute(change))
