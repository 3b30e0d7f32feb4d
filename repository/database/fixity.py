"""The files of every store, when each was last checked, and when it is due: in units, with totals by class and store.

A unit and its files are recorded in one transaction, together with its findings and the numbers of its sweep, so that
a process killed anywhere leaves whole results. The totals are sums over a few thousand rows, however many files there
are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, case, delete, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from repository.database.engine import Sessions, read_session, run_transaction
from repository.database.fixity_findings import count_open_findings, record_findings
from repository.database.fixity_rows import (
    CHECKED,
    DUE,
    FAILED,
    NOT_CHECKED,
    Tallies,
    add_tallies,
    change_of,
    files_of,
    is_unit,
    listed_state,
    locked_unit,
    record_check,
    replace_files,
    unit_of,
)
from repository.database.fixity_sweeps import add_to_sweep
from repository.database.fixity_tables import FixityFileRow, FixityTallyRow, FixityUnitRow
from repository.database.fixity_values import (
    CheckedFile,
    ClassTotals,
    FileClass,
    FileResult,
    FixityUnit,
    ListedFile,
    UnitCheck,
    UnitKind,
    WorkVerification,
    date_of_day,
    seconds_of,
    time_of_seconds,
)
from repository.database.store_registry import PRIMARY
from repository.database.tables import ReplicaCopyRow, WorkRow

_UNIT: Final = FixityUnitRow
_TALLY: Final = FixityTallyRow


class FixityRecords:
    """The units and files in one database. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def unit(self, store: str, kind: UnitKind, name: str = "") -> FixityUnit | None:
        """Return a unit; None for one that is not recorded."""
        return next(iter(self._units(select(_UNIT).where(is_unit(store, kind, name)))), None)

    def units(self, identifiers: Collection[int]) -> list[FixityUnit]:
        """Return units by their identifiers, at most some hundred."""
        return self._units(select(_UNIT).where(_UNIT.id.in_(identifiers)).order_by(_UNIT.id))

    def units_of_work(self, work: str, store: str) -> list[FixityUnit]:
        """Return the units of a work in a store."""
        return self._units(select(_UNIT).where(_UNIT.name == work, _UNIT.store == store).order_by(_UNIT.id))

    def units_before_sweep(self, store: str, sweep: int, limit: int) -> list[FixityUnit]:
        """Return at most `limit` units of a store that `sweep`, its newest one, has not checked yet.

        Those that were checked longest ago come first.
        """
        query = select(_UNIT).where(_UNIT.store == store, _UNIT.sweep < sweep)
        return self._units(query.order_by(_UNIT.sweep, _UNIT.id).limit(limit))

    def due_units(self, store: str, day: int, limit: int, *, sweep: int | None = None) -> list[FixityUnit]:
        """Return at most `limit` units of a store that are due on `day`, those that have been due for longest first.

        Units that `sweep`, the newest one of the store, has checked already are left out.
        """
        query = select(_UNIT).where(_UNIT.store == store, _UNIT.due <= day)
        if sweep is not None:
            query = query.where(_UNIT.sweep < sweep)
        return self._units(query.order_by(_UNIT.due, _UNIT.id).limit(limit))

    def roots_of_sweep(self, store: str, sweep: int, after: int, limit: int) -> list[tuple[int, str]]:
        """Return at most `limit` units that follow `after` and that `sweep` checked, each with the root over its
        results.
        """
        query = select(_UNIT.id, _UNIT.root).where(_UNIT.store == store, _UNIT.sweep == sweep, _UNIT.id > after)
        with read_session(self._sessions) as session:
            return [(unit, root or "") for unit, root in session.execute(query.order_by(_UNIT.id).limit(limit))]

    def reasons(self, store: str, sweep: int, limit: int) -> list[str]:
        """Return at most `limit` different reasons why a sweep did not check files."""
        is_own = (_UNIT.store == store, _UNIT.sweep == sweep, _UNIT.not_checked > 0)
        query = select(FixityFileRow.reason).join(_UNIT, _UNIT.id == FixityFileRow.unit).where(*is_own)
        with read_session(self._sessions) as session:
            rows = session.scalars(query.where(FixityFileRow.reason.is_not(None)).distinct().limit(limit))
            return [reason for reason in rows if reason]

    def unrecorded_works(self, store: str, kind: UnitKind, limit: int) -> list[tuple[str, int]]:
        """Return at most `limit` works whose unit is not recorded, or is of an older version than the store holds.

        Each comes with the version that the store is recorded to hold.
        """
        query = _unrecorded(store, kind).order_by(WorkRow.identifier).limit(limit)
        with read_session(self._sessions) as session:
            return [(work, version) for work, version in session.execute(query)]

    def count_unrecorded_works(self, store: str) -> int:
        """Return how many works a store is recorded to hold in a version whose files are not recorded. Reads all."""
        query = select(func.count()).select_from(_unrecorded(store, UnitKind.WORK).subquery())
        with read_session(self._sessions) as session:
            return session.scalar(query) or 0

    def recorded_names(self, store: str, kind: UnitKind, names: Collection[str]) -> set[str]:
        """Return those of `names`, at most some hundred, of which a unit is recorded."""
        own = (_UNIT.name.in_(names), _UNIT.kind == kind.value, _UNIT.store == store)
        with read_session(self._sessions) as session:
            return set(session.scalars(select(_UNIT.name).where(*own)))

    def record_listed(
        self, store: str, kind: UnitKind, name: str, files: Sequence[ListedFile], *, version: int, due: int
    ) -> FixityUnit:
        """Record a unit whose files are listed and not checked yet, due on a day. Return it.

        The files of a unit that is recorded already keep their last check.
        """

        def action(session: Session) -> FixityUnit:
            row = locked_unit(session, store, kind, name, due)
            before, due_before = files_of(session, row.id), row.due
            after = before | {file.path: listed_state(file, before.get(file.path)) for file in files}
            row.version, row.due = max(row.version, version), min(row.due, due)
            replace_files(session, row, before, after)
            add_tallies(session, store, change_of(before, due_before, after, row.due))
            return unit_of(row)

        return run_transaction(self._sessions, action)

    def hold(self, units: Collection[int], holder: str, now: datetime, seconds: float) -> set[int]:
        """Hold units for a check, for `seconds` from now; return those that nobody else holds. Repeat it to renew."""
        start = seconds_of(now)
        is_free = or_(_UNIT.holder.is_(None), _UNIT.holder == holder, _UNIT.held_until <= start)
        values = {"holder": holder, "held_until": start + int(seconds) + 1}
        change = update(_UNIT).where(_UNIT.id.in_(units), is_free).values(values).returning(_UNIT.id)
        return run_transaction(self._sessions, lambda session: set(session.scalars(change)))

    def release(self, units: Collection[int], holder: str) -> None:
        """Release units that `holder` holds."""
        change = update(_UNIT).where(_UNIT.holder == holder, _UNIT.id.in_(units)).values(holder=None, held_until=0)
        run_transaction(self._sessions, lambda session: session.execute(change))

    def record_checks(self, checks: Sequence[UnitCheck]) -> None:
        """Record the checks of some units: their files, findings, and the numbers of their sweeps, in one transaction.

        A check that its sweep has recorded already is recorded again, and counts once.
        """

        def action(session: Session) -> None:
            tallies: dict[str, Tallies] = {}
            counted = []
            for check in sorted(checks, key=lambda check: check.unit):
                row = session.get(_UNIT, check.unit, with_for_update=True)
                if row is None:  # the work has been deleted
                    continue
                if row.sweep != check.sweep:
                    counted.append(check)
                change = record_check(session, row, check)
                record_findings(session, row.store, check)
                tallies.setdefault(row.store, Tallies()).update(change)
            for store, change in sorted(tallies.items()):
                add_tallies(session, store, change)
            add_to_sweep(session, counted)

        run_transaction(self._sessions, action)

    def forget(self, units: Collection[int]) -> None:
        """Forget units of which nothing is left and nothing must be there; their findings stay."""

        def action(session: Session) -> None:
            for unit in sorted(units):
                if (row := session.get(_UNIT, unit, with_for_update=True)) is not None:
                    change = change_of(files_of(session, unit), row.due, {}, 0)
                    session.execute(delete(FixityFileRow).where(FixityFileRow.unit == unit))
                    session.delete(row)
                    add_tallies(session, row.store, change)

        run_transaction(self._sessions, action)

    def make_due(self, work: str, day: int) -> None:
        """Make every unit of a work due on a day, for example because the work was repaired."""

        def action(session: Session) -> None:
            rows = session.scalars(select(_UNIT).where(_UNIT.name == work).order_by(_UNIT.id).with_for_update()).all()
            for row in rows:
                files, due_before = files_of(session, row.id), row.due
                row.due = min(row.due, day)
                add_tallies(session, row.store, change_of(files, due_before, files, row.due))

        run_transaction(self._sessions, action)

    def totals(self, stores: Collection[str], today: int, late_before: int) -> list[ClassTotals]:
        """Return the totals of every class in every one of `stores`.

        Files due on the day `today` or earlier are due; files due before the day `late_before` are late.
        """
        sums = {
            "files": _sum(_TALLY.files, _TALLY.measure == CHECKED),
            "bytes": _sum(_TALLY.bytes, _TALLY.measure == CHECKED),
            "never": _sum(_TALLY.files, _TALLY.measure == CHECKED, _TALLY.day == 0),
            "due": _sum(_TALLY.files, _TALLY.measure == DUE, _TALLY.day <= today),
            "due_bytes": _sum(_TALLY.bytes, _TALLY.measure == DUE, _TALLY.day <= today),
            "late": _sum(_TALLY.files, _TALLY.measure == DUE, _TALLY.day < late_before),
            "failed": _sum(_TALLY.files, _TALLY.measure == FAILED),
            "not_checked": _sum(_TALLY.files, _TALLY.measure == NOT_CHECKED),
        }
        is_checked = and_(_TALLY.measure == CHECKED, _TALLY.day > 0, _TALLY.files > 0)
        columns = [total.label(f"sum_{name}") for name, total in sums.items()]
        group = (_TALLY.store, _TALLY.category)
        query = select(*group, func.min(case((is_checked, _TALLY.day))).label("oldest"), *columns)
        with read_session(self._sessions) as session:
            rows = session.execute(query.where(_TALLY.store.in_(stores)).group_by(*group).order_by(*group)).all()
        return [
            ClassTotals(
                store=row.store,
                category=FileClass(row.category),
                **{name: int(getattr(row, f"sum_{name}")) for name in sums},
                oldest=None if row.oldest is None else date_of_day(row.oldest),
            )
            for row in rows
            if row.sum_files
        ]

    def due_by_day(self, stores: Collection[str], until: int) -> list[tuple[int, int, int]]:
        """Return the day, the files and the bytes of what is due on each day before the day `until`, in order."""
        query = select(_TALLY.day, func.sum(_TALLY.files), func.sum(_TALLY.bytes)).where(
            _TALLY.store.in_(stores), _TALLY.measure == DUE, _TALLY.day < until
        )
        with read_session(self._sessions) as session:
            rows = session.execute(query.group_by(_TALLY.day).order_by(_TALLY.day)).all()
        return [(day, int(files), int(size)) for day, files, size in rows if files]

    def verifications(self, work: str) -> list[WorkVerification]:
        """Return what is known of a work's preserved files in each store, ordered by store."""
        query = select(_UNIT).where(_UNIT.name == work, _UNIT.kind == UnitKind.WORK.value).order_by(_UNIT.store)
        with read_session(self._sessions) as session:
            return [_verification(session, row) for row in session.scalars(query).all()]

    def files_of(self, unit: int, after: str, limit: int) -> list[tuple[CheckedFile, str | None]]:
        """Return at most `limit` files of a unit whose paths follow `after`, each with the time of its last check."""
        query = select(FixityFileRow).where(FixityFileRow.unit == unit, FixityFileRow.path > after)
        with read_session(self._sessions) as session:
            rows = session.scalars(query.order_by(FixityFileRow.path).limit(limit)).all()
        return [
            (
                CheckedFile(row.path, FileClass(row.category), row.bytes, FileResult(row.result), row.reason),
                time_of_seconds(row.checked) if row.checked else None,
            )
            for row in rows
        ]

    def _units(self, query: Select[FixityUnitRow]) -> list[FixityUnit]:
        with read_session(self._sessions) as session:
            return [unit_of(row) for row in session.scalars(query)]


def _verification(session: Session, row: FixityUnitRow) -> WorkVerification:
    oldest = session.scalar(select(func.min(FixityFileRow.checked)).where(FixityFileRow.unit == row.id))
    return WorkVerification(
        store=row.store,
        version=row.version,
        files=row.files,
        bytes=row.bytes,
        failed=row.failed,
        not_checked=row.not_checked,
        oldest=time_of_seconds(oldest) if oldest else None,
        findings=count_open_findings(session, row.id),
    )


def _unrecorded(store: str, kind: UnitKind) -> Select[str, int]:
    held = WorkRow.version if store == PRIMARY else ReplicaCopyRow.version
    own = and_(_UNIT.name == WorkRow.identifier, _UNIT.kind == kind.value, _UNIT.store == store)
    query = select(WorkRow.identifier, held).select_from(WorkRow)
    if store != PRIMARY:
        copy = and_(ReplicaCopyRow.work == WorkRow.identifier, ReplicaCopyRow.store == store)
        query = query.join(ReplicaCopyRow, copy)
    return query.outerjoin(_UNIT, own).where(or_(_UNIT.id.is_(None), _UNIT.version < held))


def _sum(column: InstrumentedAttribute[int], *conditions: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((and_(*conditions), column), else_=0)), 0)
