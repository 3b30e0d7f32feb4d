"""Statements on the rows of units, their files and the totals: `fixity.py` makes transactions of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from repository.database.fixity_tables import FixityFileRow, FixityTallyRow, FixityUnitRow
from repository.database.fixity_values import (
    CheckedFile,
    FileResult,
    FixityUnit,
    ListedFile,
    UnitCheck,
    UnitKind,
    day_of_seconds,
    seconds_of,
)

CHECKED: Final = "checked"
DUE: Final = "due"
FAILED: Final = "failed"
NOT_CHECKED: Final = "not-checked"

_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class FileState:
    """A row of `fixity_files` without its unit."""

    category: int
    bytes: int
    checked: int = 0
    result: int = FileResult.RECORDED.value
    reason: str | None = None


Files = Mapping[str, FileState]
"""The files of a unit by path."""

Tallies = Counter[tuple[int, str, int, bool]]
"""Numbers by class, measure and day: of files, or of bytes if the last part is true."""


def is_unit(store: str, kind: UnitKind, name: str) -> ColumnElement[bool]:
    """Return the condition for the row of a unit."""
    return and_(FixityUnitRow.name == name, FixityUnitRow.kind == kind.value, FixityUnitRow.store == store)


def unit_of(row: FixityUnitRow) -> FixityUnit:
    """Return the unit of a row."""
    return FixityUnit(
        id=row.id,
        store=row.store,
        kind=UnitKind(row.kind),
        name=row.name,
        version=row.version,
        files=row.files,
        bytes=row.bytes,
        failed=row.failed,
        not_checked=row.not_checked,
        checked=row.checked,
        due=row.due,
        sweep=row.sweep,
    )


def locked_unit(session: Session, store: str, kind: UnitKind, name: str, due: int) -> FixityUnitRow:
    """Return the row of a unit, locked; a new one without files if there is none."""
    row = session.scalar(select(FixityUnitRow).where(is_unit(store, kind, name)).with_for_update())
    if row is None:
        row = FixityUnitRow(store=store, kind=kind.value, name=name, version=0, files=0, bytes=0, due=due)
        row.failed = row.not_checked = row.checked = row.sweep = row.held_until = 0
        session.add(row)
        session.flush()
    return row


def files_of(session: Session, unit: int) -> dict[str, FileState]:
    """Return the files of a unit."""
    columns = (
        FixityFileRow.path,
        FixityFileRow.category,
        FixityFileRow.bytes,
        FixityFileRow.checked,
        FixityFileRow.result,
        FixityFileRow.reason,
    )
    rows = session.execute(select(*columns).where(FixityFileRow.unit == unit))
    return {row.path: FileState(row.category, row.bytes, row.checked, row.result, row.reason) for row in rows}


def listed_state(file: ListedFile, before: FileState | None) -> FileState:
    """Return the state of a file that was listed. One that was checked before keeps its result."""
    if before is not None and before.checked:
        return before
    return FileState(file.category.value, file.bytes)


def checked_state(file: CheckedFile, before: FileState | None, now: int) -> FileState:
    """Return the state of a file after its check. One that was not checked keeps the time of its last check."""
    known = before or FileState(file.category.value, 0)
    size = file.bytes or known.bytes
    checked = known.checked if file.result is FileResult.NOT_CHECKED else now
    return FileState(file.category.value, size, checked, file.result.value, file.reason)


def record_check(session: Session, row: FixityUnitRow, check: UnitCheck) -> Tallies:
    """Set a unit and its files to the results of a check; return the change of the totals."""
    before, now = files_of(session, row.id), seconds_of(check.at)
    after = {file.path: checked_state(file, before.get(file.path), now) for file in check.files}
    due = row.due
    row.version, row.due, row.sweep, row.root = max(row.version, check.version), check.due, check.sweep, check.root
    row.holder, row.held_until, row.checked = None, 0, now
    replace_files(session, row, before, after)
    return change_of(before, due, after, row.due)


def replace_files(session: Session, row: FixityUnitRow, before: Files, after: Files) -> None:
    """Replace the files of a unit, in few statements when only the time of the check has changed."""
    results = Counter(state.result for state in after.values())
    row.files, row.bytes = len(after), sum(state.bytes for state in after.values())
    row.failed, row.not_checked = results[FileResult.FAILED.value], results[FileResult.NOT_CHECKED.value]
    if before == after:
        return
    own = FixityFileRow.unit == row.id
    outcomes = {(state.checked, state.result, state.reason) for state in after.values()}
    if before.keys() == after.keys() and len(outcomes) == 1 and _sizes(before) == _sizes(after):
        checked, result, reason = outcomes.pop()
        values = {"checked": checked, "result": result, "reason": reason}
        session.execute(update(FixityFileRow).where(own).values(values))
        return
    session.execute(delete(FixityFileRow).where(own))
    rows = [{"unit": row.id, "path": path, **_columns(state)} for path, state in sorted(after.items())]
    for start in range(0, len(rows), _BATCH):
        session.execute(insert(FixityFileRow), rows[start : start + _BATCH])


def change_of(before: Files, due_before: int, after: Files, due_after: int) -> Tallies:
    """Return the change of the totals when a unit's files and its due day change."""
    change: Tallies = Counter()
    for files, due, sign in ((before, due_before, -1), (after, due_after, 1)):
        for state in files.values():
            for measure, day in _measures(state, due):
                change[state.category, measure, day, False] += sign
                change[state.category, measure, day, True] += sign * state.bytes
    return change


def add_tallies(session: Session, store: str, change: Tallies) -> None:
    """Add to the totals of a store. Called last in a transaction, because it locks them until the commit."""
    insertion = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    keys = sorted({key[:3] for key, number in change.items() if number})
    rows = [
        {
            "store": store,
            "category": category,
            "measure": measure,
            "day": day,
            "files": change[category, measure, day, False],
            "bytes": change[category, measure, day, True],
        }
        for category, measure, day in keys
    ]
    if not rows:
        return
    new: Any = insertion(FixityTallyRow)
    sums = {name: getattr(FixityTallyRow, name) + new.excluded[name] for name in ("files", "bytes")}
    primary_key = ["store", "category", "measure", "day"]
    session.connection().execute(new.on_conflict_do_update(index_elements=primary_key, set_=sums), rows)
    session.execute(
        delete(FixityTallyRow).where(
            FixityTallyRow.store == store, FixityTallyRow.files == 0, FixityTallyRow.bytes == 0
        )
    )


def _measures(state: FileState, due: int) -> list[tuple[str, int]]:
    measures = [(CHECKED, day_of_seconds(state.checked)), (DUE, due)]
    if state.result == FileResult.FAILED.value:
        measures.append((FAILED, 0))
    elif state.result == FileResult.NOT_CHECKED.value:
        measures.append((NOT_CHECKED, 0))
    return measures


def _sizes(files: Files) -> dict[str, tuple[int, int]]:
    return {path: (state.category, state.bytes) for path, state in files.items()}


def _columns(state: FileState) -> dict[str, object]:
    return {
        "category": state.category,
        "bytes": state.bytes,
        "checked": state.checked,
        "result": state.result,
        "reason": state.reason,
    }
