"""Findings of fixity checks. A finding is one row for its store, key and kind, however often it is found.

A later check of the same unit updates the row, and closes it when the fault is found no more. A file that could not be
checked keeps its findings, and so does a folder with such a file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from repository.clock import timestamp
from repository.database.engine import Sessions, read_session, run_transaction
from repository.database.fixity_tables import FixityFindingRow, FixityUnitRow
from repository.database.fixity_values import (
    OPEN_STATES,
    FileResult,
    FindingState,
    FoundFault,
    RecordedFinding,
    UnitCheck,
    UnitKind,
)
from repository.database.job_rows import count_rows
from repository.paths import ocfl_object

_IS_OPEN = FixityFindingRow.state.in_([state.value for state in OPEN_STATES])


class FixityFindings:
    """The findings in one database. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def get(self, finding: int) -> RecordedFinding | None:
        """Return a finding by its identifier; None when there is none."""
        return next(iter(self._list(FixityFindingRow.id == finding, limit=1)), None)

    def open_findings(
        self, stores: Collection[str] | None = None, *, after: int = 0, limit: int
    ) -> list[RecordedFinding]:
        """Return at most `limit` open findings whose identifiers follow `after`, of all stores or of `stores`."""
        conditions = [_IS_OPEN, FixityFindingRow.id > after]
        if stores is not None:
            conditions.append(FixityFindingRow.store.in_(stores))
        return self._list(*conditions, limit=limit)

    def ended_findings(self, *, after: int = 0, limit: int) -> list[RecordedFinding]:
        """Return at most `limit` findings that are no longer open and whose identifiers follow `after`."""
        return self._list(~_IS_OPEN, FixityFindingRow.id > after, limit=limit)

    def repaired_findings(self, start: str, *, after: int = 0, limit: int) -> list[RecordedFinding]:
        """Return at most `limit` findings that repairs have ended since `start`, with identifiers after `after`."""
        is_repaired = FixityFindingRow.state == FindingState.REPAIRED.value
        return self._list(is_repaired, FixityFindingRow.ended >= start, FixityFindingRow.id > after, limit=limit)

    def findings_of_work(self, work: str, limit: int = 1000) -> list[RecordedFinding]:
        """Return at most `limit` findings about a work, in any state and in all stores."""
        return self._list(FixityFindingRow.work == work, limit=limit)

    def findings_of_sweep(self, sweep: int, *, after: int = 0, limit: int) -> list[RecordedFinding]:
        """Return at most `limit` findings that a sweep found and whose identifiers follow `after`."""
        return self._list(FixityFindingRow.sweep == sweep, FixityFindingRow.id > after, limit=limit)

    def counts(self, stores: Collection[str]) -> Mapping[tuple[str, str], int]:
        """Return the number of open findings by store and kind."""
        query = select(FixityFindingRow.store, FixityFindingRow.kind, func.count()).where(
            _IS_OPEN, FixityFindingRow.store.in_(stores)
        )
        with read_session(self._sessions) as session:
            rows = session.execute(query.group_by(FixityFindingRow.store, FixityFindingRow.kind))
            return {(store, kind): count for store, kind, count in rows}

    def count_in_state(self, state: FindingState) -> int:
        """Return the number of findings in a state."""
        query = select(func.count()).select_from(FixityFindingRow).where(FixityFindingRow.state == state.value)
        with read_session(self._sessions) as session:
            return session.scalar(query) or 0

    def newest_ended(self, limit: int) -> list[RecordedFinding]:
        """Return the findings of the last sweeps that are no longer open, the newest first."""
        query = select(FixityFindingRow).where(~_IS_OPEN).order_by(FixityFindingRow.id.desc()).limit(limit)
        with read_session(self._sessions) as session:
            return [_finding_of(row) for row in session.scalars(query)]

    def end(self, finding: int, state: FindingState, done: str, now: datetime) -> bool:
        """End an open finding, or state that it is lost, and say what was done. Return False if it was not open."""
        ended = None if state in OPEN_STATES else timestamp(now)
        change = update(FixityFindingRow).where(FixityFindingRow.id == finding, _IS_OPEN)
        values = {"state": state.value, "ended": ended, "done": done}
        return run_transaction(self._sessions, lambda session: count_rows(session, change.values(values))) > 0

    def note_source(self, finding: int, source: str) -> None:
        """Record from where an open finding is about to be repaired: a repair that is killed is then not forgotten."""
        change = update(FixityFindingRow).where(FixityFindingRow.id == finding, _IS_OPEN).values(done=source)
        run_transaction(self._sessions, lambda session: count_rows(session, change))

    def resolve_deleted(self, work: str, store: str, now: datetime) -> int:
        """End the open findings about a work that a store has deleted by decision; return how many."""
        change = update(FixityFindingRow).where(
            FixityFindingRow.work == work, FixityFindingRow.store == store, _IS_OPEN
        )
        values = {"state": FindingState.RESOLVED.value, "ended": timestamp(now)}
        return run_transaction(self._sessions, lambda session: count_rows(session, change.values(values)))

    def _list(self, *conditions: ColumnElement[bool], limit: int) -> list[RecordedFinding]:
        query = select(FixityFindingRow).where(*conditions).order_by(FixityFindingRow.id).limit(limit)
        with read_session(self._sessions) as session:
            return [_finding_of(row) for row in session.scalars(query)]


def count_open_findings(session: Session, unit: int) -> int:
    """Return the number of open findings about a unit."""
    query = select(func.count()).select_from(FixityFindingRow).where(FixityFindingRow.unit == unit, _IS_OPEN)
    return session.scalar(query) or 0


def record_findings(session: Session, store: str, check: UnitCheck) -> None:
    """Record the findings of a unit's check, and close those that it did not find again.

    A finding that is not found again, and whose source a killed repair has noted, becomes repaired.
    """
    now = timestamp(check.at)
    found = {(fault.key, fault.kind): fault for fault in check.findings}
    rows = {(row.key, row.kind): row for row in session.scalars(_rows_about(check.unit))}
    for (key, kind), fault in sorted(found.items()):
        row = rows.get((key, kind)) or session.scalar(_row_of(store, key, kind))
        if row is None:
            row = FixityFindingRow(store=store, key=key, kind=kind, first_seen=now, state=FindingState.CLOSED.value)
            session.add(row)
        if row.state not in OPEN_STATES:
            row.first_seen, row.state, row.ended, row.done = now, FindingState.OPEN.value, None, ""
        _update(row, fault, check, now)
    unchecked = _unchecked_keys(session, check)
    for identity, row in rows.items():
        if identity not in found and row.state in OPEN_STATES and not _concerns(row.key, unchecked):
            row.state, row.ended = (FindingState.REPAIRED if row.done else FindingState.CLOSED).value, now


def _update(row: FixityFindingRow, fault: FoundFault, check: UnitCheck, now: str) -> None:
    row.unit, row.sweep, row.last_seen = check.unit, check.sweep, now
    row.work, row.expected, row.found, row.detail = fault.work, fault.expected, fault.found, fault.detail


def _unchecked_keys(session: Session, check: UnitCheck) -> list[str]:
    """Return the keys of the files that were not checked."""
    row = session.get(FixityUnitRow, check.unit)
    root = f"{ocfl_object(row.name)}/" if row is not None and row.kind == UnitKind.WORK.value else ""
    return [root + file.path for file in check.files if file.result is FileResult.NOT_CHECKED]


def _concerns(key: str, unchecked: Collection[str]) -> bool:
    """Return whether a key is one of those that were not checked, or that of a folder with one of them."""
    return any(each == key or each.startswith(f"{key}/") for each in unchecked)


def _rows_about(unit: int) -> Any:
    return select(FixityFindingRow).where(FixityFindingRow.unit == unit)


def _row_of(store: str, key: str, kind: str) -> Any:
    identity = and_(FixityFindingRow.key == key, FixityFindingRow.store == store, FixityFindingRow.kind == kind)
    return select(FixityFindingRow).where(identity)


def _finding_of(row: FixityFindingRow) -> RecordedFinding:
    return RecordedFinding(
        id=row.id,
        store=row.store,
        key=row.key,
        kind=row.kind,
        work=row.work,
        expected=row.expected,
        found=row.found,
        detail=row.detail,
        first_seen=row.first_seen,
        last_seen=row.last_seen,
        sweep=row.sweep,
        state=FindingState(row.state),
        ended=row.ended,
        done=row.done,
    )
