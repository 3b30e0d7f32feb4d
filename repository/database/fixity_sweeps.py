"""Sweeps: the checks of one store that began together, with their numbers. One sweep of a store runs at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from repository.clock import timestamp
from repository.database.engine import Sessions, read_session, run_transaction
from repository.database.fixity_tables import FixitySweepRow
from repository.database.fixity_values import FileResult, FixitySweep, SweepState, UnitCheck
from repository.database.job_rows import count_rows

_IS_RUNNING = FixitySweepRow.ended.is_(None)
_OF_STORES = ("all", "due", "scheduled")
"""The scopes of sweeps that are not of one work."""


class FixitySweeps:
    """The sweeps in one database. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def begin(self, store: str, scope: str, now: datetime) -> FixitySweep:
        """Begin a sweep of a store. Return it, or the one that runs already, which may have another scope."""

        def action(session: Session) -> FixitySweep:
            running = session.scalar(select(FixitySweepRow).where(FixitySweepRow.store == store, _IS_RUNNING))
            if running is not None:
                return _sweep_of(running)
            row = FixitySweepRow(store=store, scope=scope, started=timestamp(now), state=SweepState.RUNNING.value)
            row.expected = row.passed = row.failed = row.not_checked = row.bytes = 0
            row.canaries = row.canaries_missed = 0
            session.add(row)
            session.flush()
            return _sweep_of(row)

        return run_transaction(self._sessions, action)

    def get(self, sweep: int) -> FixitySweep | None:
        """Return a sweep; None when there is none."""
        return next(iter(self._list(select(FixitySweepRow).where(FixitySweepRow.id == sweep))), None)

    def running(self, store: str) -> FixitySweep | None:
        """Return the sweep of a store that runs; None without one."""
        return next(iter(self._list(select(FixitySweepRow).where(FixitySweepRow.store == store, _IS_RUNNING))), None)

    def last_ended(self, store: str, scopes: Collection[str] = _OF_STORES) -> FixitySweep | None:
        """Return the sweep of a store that ended last; None without one."""
        is_own = (FixitySweepRow.store == store, ~_IS_RUNNING, FixitySweepRow.scope.in_(scopes))
        query = select(FixitySweepRow).where(*is_own).order_by(FixitySweepRow.started.desc(), FixitySweepRow.id.desc())
        return next(iter(self._list(query.limit(1))), None)

    def last_completed(self, store: str) -> FixitySweep | None:
        """Return the newest sweep of a store that came to its end and missed no canary; None without one.

        One that found nothing due counts. One that broke off, because the store was away or for another sweep, does
        not, nor does the check of one work.
        """
        sums = FixitySweepRow.passed + FixitySweepRow.failed + FixitySweepRow.not_checked
        conditions = (
            FixitySweepRow.store == store,
            FixitySweepRow.scope.in_(_OF_STORES),
            FixitySweepRow.root.is_not(None),
            FixitySweepRow.canaries_missed == 0,
            FixitySweepRow.expected == sums,
        )
        query = select(FixitySweepRow).where(~_IS_RUNNING, *conditions)
        return next(iter(self._list(query.order_by(FixitySweepRow.id.desc()).limit(1))), None)

    def newest(self, limit: int, before: int | None = None) -> list[FixitySweep]:
        """Return at most `limit` sweeps, the newest first, of those older than the sweep `before`."""
        query = select(FixitySweepRow).order_by(FixitySweepRow.id.desc()).limit(limit)
        return self._list(query if before is None else query.where(FixitySweepRow.id < before))

    def record_canaries(self, sweep: int, checked: int, missed: int) -> None:
        """Record how many canaries of its store a sweep has checked, and how many faults of theirs it missed."""
        self._change(sweep, canaries=checked, canaries_missed=missed)

    def end(self, sweep: int, state: SweepState, root: str | None, now: datetime) -> bool:
        """End a sweep that runs. Return False when it had ended already."""
        return self._change(sweep, state=state.value, root=root, ended=timestamp(now))

    def last_canaries(self, stores: Collection[str]) -> list[FixitySweep]:
        """Return, for each store, the newest sweep that checked canaries."""
        newest = select(func.max(FixitySweepRow.id)).where(
            FixitySweepRow.store.in_(stores), FixitySweepRow.canaries > 0
        )
        query = select(FixitySweepRow).where(FixitySweepRow.id.in_(newest.group_by(FixitySweepRow.store)))
        return self._list(query.order_by(FixitySweepRow.store))

    def _change(self, sweep: int, **values: object) -> bool:
        change = update(FixitySweepRow).where(FixitySweepRow.id == sweep, _IS_RUNNING).values(values)
        return run_transaction(self._sessions, lambda session: count_rows(session, change)) > 0

    def _list(self, query: Select[FixitySweepRow]) -> list[FixitySweep]:
        with read_session(self._sessions) as session:
            return [_sweep_of(row) for row in session.scalars(query)]


def add_to_sweep(session: Session, checks: Iterable[UnitCheck]) -> None:
    """Add checks of units to the numbers of their sweeps. Called last in a transaction, because it locks them."""
    totals: dict[int, Counter[str]] = {}
    for check in checks:
        results = Counter(file.result for file in check.files)
        totals.setdefault(check.sweep, Counter()).update(
            expected=check.expected,
            passed=results[FileResult.PASSED],
            failed=results[FileResult.FAILED],
            not_checked=results[FileResult.NOT_CHECKED],
            bytes=check.bytes_read,
        )
    for sweep, numbers in sorted(totals.items()):
        sums = {name: getattr(FixitySweepRow, name) + number for name, number in numbers.items()}
        session.execute(update(FixitySweepRow).where(FixitySweepRow.id == sweep).values(sums))


def _sweep_of(row: FixitySweepRow) -> FixitySweep:
    return FixitySweep(
        id=row.id,
        store=row.store,
        scope=row.scope,
        started=row.started,
        ended=row.ended,
        expected=row.expected,
        passed=row.passed,
        failed=row.failed,
        not_checked=row.not_checked,
        bytes=row.bytes,
        state=SweepState(row.state),
        canaries=row.canaries,
        canaries_missed=row.canaries_missed,
        root=row.root,
    )
