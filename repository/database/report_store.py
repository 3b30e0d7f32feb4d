"""The data of preservation reports by the time that they describe, and the alarms whose causes continue."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from repository.database.engine import Sessions, read_session, run_transaction
from repository.database.report_tables import AlarmRow, ReportRow
from repository.localized import LocalizedText

_EVALUATED: Final = "-"
"""The key of the row that says when alarms were last decided."""


@dataclass(frozen=True, slots=True)
class RaisedAlarm:
    """An alarm whose cause continues: since when, and when it was sent last, None for not yet (RFC 3339)."""

    key: str
    message: LocalizedText
    since: str
    sent: str | None


@dataclass(frozen=True, slots=True)
class AlarmState:
    """The alarms whose causes continue, and when that was decided (RFC 3339), '' for never."""

    alarms: tuple[RaisedAlarm, ...]
    decided: str


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

    def raise_alarms(self, messages: Mapping[str, LocalizedText], now: str) -> list[RaisedAlarm]:
        """Record by key the alarms whose causes continue, and forget all others; return them ordered by key."""

        def action(session: Session) -> list[RaisedAlarm]:
            rows = {row.key: row for row in session.scalars(select(AlarmRow).with_for_update())}
            for key in rows.keys() - messages.keys() - {_EVALUATED}:
                session.delete(rows.pop(key))
            for key in sorted(messages):
                row = rows.setdefault(key, AlarmRow(key=key, since=now, sent=None))
                row.message = messages[key].to_json()
                session.add(row)
            evaluated = rows.pop(_EVALUATED, None) or AlarmRow(key=_EVALUATED, message={}, sent=None)
            evaluated.since = now
            session.add(evaluated)
            return [_raised(rows[key]) for key in sorted(rows)]

        return run_transaction(self._sessions, action)

    def alarms(self) -> AlarmState:
        """Return the alarms whose causes continued when they were last decided, and when that was."""
        with read_session(self._sessions) as session:
            rows = {row.key: row for row in session.scalars(select(AlarmRow))}
        evaluated = rows.pop(_EVALUATED, None)
        return AlarmState(tuple(_raised(rows[key]) for key in sorted(rows)), evaluated.since if evaluated else "")

    def mark_sent(self, keys: Collection[str], now: str) -> None:
        """Record that a message about alarms was sent."""
        change = update(AlarmRow).where(AlarmRow.key.in_(sorted(keys))).values(sent=now)
        run_transaction(self._sessions, lambda session: session.execute(change))


def _raised(row: AlarmRow) -> RaisedAlarm:
    return RaisedAlarm(row.key, LocalizedText.of_json(row.message), row.since, row.sent)
