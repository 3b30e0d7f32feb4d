"""The positions of events in the provenance log, and the newest checkpoint that the log signed.

An event without a sequence number is *staged*; one with a number but no log index is *numbered*; once the log has been
signed with the event in it, its index is recorded and it is *logged*. A number is assigned once and kept, whatever
happens to the event's work: a committed transaction decides the bytes of every log entry before anyone writes them to a
store. Numbers are unique, so concurrent transactions cannot assign the same one, and they leave no gap.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import ColumnElement, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from repository.database.counters import add_to_counters
from repository.database.engine import Sessions, database_fault
from repository.database.tables import EventRow, LogHeadRow, UnheldEventRow
from repository.database.unknown_entries import unknown_ranges
from repository.model import Event

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class LogPosition:
    """The position of an event: its sequence number, and its log index once it is signed."""

    sequence: int | None
    log_index: int | None


class LogSequence:
    """The log sequence of one database. Every method is one transaction and may raise `DatabaseFault`.

    `shared` is true when other machines may use the same database.
    """

    def __init__(self, sessions: Sessions, *, shared: bool) -> None:
        self._sessions = sessions
        self.shared = shared

    def assign_sequence_numbers(self, size: int, limit: int) -> int:
        """Number at most `limit` staged events from `size` on, the oldest first; return how many.

        Events that a concurrent publication has locked are skipped: that publication enqueues the job again.
        """
        return self._write(lambda session: _assign_numbers(session, size, limit))

    def numbered_events(self, start: int, limit: int) -> list[Event]:
        """Return the events numbered `start`, `start` + 1 and so on without a gap, at most `limit` of them."""
        query = select(EventRow).where(EventRow.sequence >= start).order_by(EventRow.sequence).limit(limit)
        rows = self._write(lambda session: session.scalars(query).all())
        return [_event(row) for number, row in enumerate(rows, start) if row.sequence == number]

    def next_sequence_number(self) -> int:
        """Return the number after the highest one assigned."""
        return self._write(_next_number)

    def unsigned_numbers(self, size: int) -> dict[int, str]:
        """Return the events numbered below `size` that are not recorded as signed: their identifiers by number."""
        query = select(EventRow.sequence, EventRow.identifier).where(
            EventRow.sequence < size, EventRow.log_index.is_(None)
        )
        rows = self._write(lambda session: session.execute(query).all())
        return {int(number): identifier for number, identifier in rows if number is not None}

    def void_numbers(self, numbers: Collection[int]) -> None:
        """Take the numbers of events that are not recorded as signed: the events are staged again."""
        voided = (EventRow.sequence.in_(numbers), EventRow.log_index.is_(None))
        self._write(lambda session: _unnumber(session, *voided))

    def unknown_ranges(self, size: int) -> list[tuple[int, int]]:
        """Return the ranges ``[start, end)`` of a log of `size` entries of which the catalogue knows nothing.

        A database that was restored from a backup does not know the newest entries.
        """
        return self._write(lambda session: unknown_ranges(session, size))

    def adopt_log_entries(self, identifiers: Mapping[int, str], size: int) -> None:
        """Learn which events the entries of unknown ranges are, by index, in a signed log of `size` entries.

        Events that are held are numbered by their indexes. The others are remembered, so that they get their indexes
        when they are staged again. A database that lags behind the signed log was restored from a backup: its numbers
        from `size` on become void, and those events are numbered again.
        """
        self._write(lambda session: _adopt(session, identifiers, size))

    def mark_logged(self, size: int) -> int:
        """Record that every event numbered below `size` is signed; return how many are newly recorded.

        Events that a concurrent publication has locked are skipped until the next call.
        """
        return self._write(lambda session: _mark_logged(session, size))

    def has_unlogged_events(self, work: str | None = None) -> bool:
        """Return whether an event, of any work or of `work`, is not in the log yet.

        Events that a concurrent publication has locked are skipped.
        """
        query = select(EventRow.identifier).where(EventRow.log_index.is_(None)).limit(1)
        query = (query if work is None else query.where(EventRow.work == work)).with_for_update(skip_locked=True)
        return self._write(lambda session: session.scalar(query)) is not None

    def positions_of(self, work: str) -> list[tuple[Event, int | None]]:
        """Return the events of a work, the oldest first, each with its log index; None for one not logged yet."""
        query = select(EventRow).where(EventRow.work == work).order_by(EventRow.position)
        return [(_event(row), row.log_index) for row in self._write(lambda session: session.scalars(query).all())]

    def newest_log_index(self, image: str) -> int | None:
        """Return the newest log index of an event of an image; None when none is logged."""
        query = select(func.max(EventRow.log_index)).where(EventRow.image == image)
        return self._write(lambda session: session.scalar(query))

    def verifier_key(self) -> str | None:
        """Return the verifier key of the log; None before the first machine has registered it."""
        query = select(LogHeadRow.verifier_key).order_by(LogHeadRow.origin).limit(1)
        return self._write(lambda session: session.scalar(query))

    def register_log(self, origin: str, verifier_key: str) -> None:
        """Register the log's origin and verifier key for all machines. Called once, while the caller holds a lock."""
        row = {"origin": origin, "verifier_key": verifier_key, "size": 0, "checkpoint": None}
        self._write(lambda session: session.execute(insert(LogHeadRow), [row]))

    def checkpoint(self, origin: str) -> bytes | None:
        """Return the newest signed checkpoint; None before the first."""
        query = select(LogHeadRow.checkpoint).where(LogHeadRow.origin == origin)
        return self._write(lambda session: session.scalar(query))

    def advance_checkpoint(self, origin: str, size: int, checkpoint: bytes) -> bool:
        """Store a checkpoint unless a larger one, or another of the same size, is stored; return whether it was."""
        newer = or_(LogHeadRow.checkpoint.is_(None), LogHeadRow.size < size, LogHeadRow.checkpoint == checkpoint)
        change = update(LogHeadRow).where(LogHeadRow.origin == origin, newer)
        change = change.values(size=size, checkpoint=checkpoint).execution_options(synchronize_session=False)
        return self._write(lambda session: _changed(session.execute(change))) == 1

    def _write(self, action: Callable[[Session], _Result]) -> _Result:
        try:
            with self._sessions.begin() as session:
                return action(session)
        except SQLAlchemyError as fault:
            raise database_fault(fault) from fault


def remove_events(session: Session, work: str) -> dict[str, LogPosition]:
    """Delete the events of a work and return their positions, which the caller restores.

    One statement, so that it waits for a transaction that is numbering an event, and returns the number.
    """
    removal = delete(EventRow).where(EventRow.work == work)
    returning = removal.returning(EventRow.identifier, EventRow.sequence, EventRow.log_index)
    rows = session.execute(returning.execution_options(synchronize_session=False))
    return {identifier: LogPosition(sequence, index) for identifier, sequence, index in rows}


def unsigned_positions(session: Session) -> dict[str, LogPosition]:
    """Return the positions of numbered events that are not recorded as signed; a rebuild keeps them."""
    query = select(EventRow.identifier, EventRow.sequence)
    rows = session.execute(query.where(EventRow.log_index.is_(None), EventRow.sequence.is_not(None)))
    return {identifier: LogPosition(sequence, None) for identifier, sequence in rows}


def position_of(event: str, positions: Mapping[str, LogPosition], log_indexes: Mapping[str, int]) -> LogPosition:
    """Return the position of an event that is restored: the log's index takes precedence over the catalogue's."""
    if event in log_indexes:
        return LogPosition(log_indexes[event], log_indexes[event])
    return positions.get(event, LogPosition(None, None))


def close_gaps(session: Session) -> None:
    """Void the numbers after a gap, which is left by an event that is no longer in the store.

    For a rebuild only, while nobody writes the log.
    """
    logged = session.scalar(select(func.max(EventRow.log_index)))
    expected = 0 if logged is None else logged + 1
    query = select(EventRow.sequence).where(EventRow.sequence >= expected).order_by(EventRow.sequence)
    for sequence in session.scalars(query).all():
        if sequence != expected:
            _unnumber(session, EventRow.sequence >= expected, EventRow.log_index.is_(None))
            return
        expected += 1


def _assign_numbers(session: Session, size: int, limit: int) -> int:
    if _number_signed_events(session, size):
        _mark_logged(session, size)
    first = max(size, _next_number(session))
    staged = (
        select(EventRow.identifier, EventRow.time, EventRow.work, EventRow.position)
        .where(EventRow.sequence.is_(None))
        .order_by(EventRow.time, EventRow.work, EventRow.position)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .subquery("staged")
    )
    order = func.row_number().over(order_by=(staged.c.time, staged.c.work, staged.c.position))
    numbers = select(staged.c.identifier, (order - 1 + first).label("sequence")).subquery("numbers")
    change = update(EventRow).where(EventRow.identifier == numbers.c.identifier).values(sequence=numbers.c.sequence)
    return _changed(session.execute(change.execution_options(synchronize_session=False)))


def _next_number(session: Session) -> int:
    highest = session.scalar(select(func.max(EventRow.sequence)))
    return 0 if highest is None else highest + 1


def _mark_logged(session: Session, size: int) -> int:
    signed = select(EventRow.identifier).where(EventRow.log_index.is_(None), EventRow.sequence < size)
    # Rows that a publication has locked are skipped: waiting for them while holding others could deadlock.
    unlocked = signed.with_for_update(skip_locked=True)
    change = update(EventRow).where(EventRow.identifier.in_(unlocked)).values(log_index=EventRow.sequence)
    noted = _changed(session.execute(change.execution_options(synchronize_session=False)))
    add_to_counters(session, logged=noted)
    return noted


def _adopt(session: Session, identifiers: Mapping[int, str], size: int) -> None:
    indexes = {identifier: index for index, identifier in sorted(identifiers.items(), reverse=True)}
    unsigned = select(EventRow.identifier).where(EventRow.identifier.in_(indexes), EventRow.log_index.is_(None))
    held = set(session.scalars(unsigned))
    if held:
        _unnumber(session, EventRow.sequence >= size, EventRow.log_index.is_(None))
        _set_numbers(session, {identifier: indexes[identifier] for identifier in held})
    numbered = {indexes[identifier] for identifier in held}
    rows = [
        {"log_index": index, "identifier": identifier}
        for index, identifier in identifiers.items()
        if index not in numbered
    ]
    if rows:
        session.execute(insert(UnheldEventRow), rows)


def _number_signed_events(session: Session, size: int) -> bool:
    """Number staged events that the log holds already by their indexes there; return whether there were any.

    Events that a concurrent publication has locked are skipped.
    """
    signed = UnheldEventRow.log_index < size
    staged = (
        select(EventRow.identifier)
        .join(UnheldEventRow, UnheldEventRow.identifier == EventRow.identifier)
        .where(EventRow.sequence.is_(None), signed)
        .with_for_update(of=EventRow, skip_locked=True)
    )
    events = set(session.scalars(staged))
    if not events:
        return False
    first = func.min(UnheldEventRow.log_index)
    query = select(UnheldEventRow.identifier, first).where(UnheldEventRow.identifier.in_(events), signed)
    numbers = {str(event): int(index) for event, index in session.execute(query.group_by(UnheldEventRow.identifier))}
    _set_numbers(session, numbers)
    session.execute(delete(UnheldEventRow).where(UnheldEventRow.log_index.in_(numbers.values())))
    return True


def _set_numbers(session: Session, numbers: Mapping[str, int]) -> None:
    change = update(EventRow).where(EventRow.identifier == bindparam("event"), EventRow.log_index.is_(None))
    rows = [{"event": identifier, "number": number} for identifier, number in numbers.items()]
    session.connection().execute(change.values(sequence=bindparam("number")), rows)


def _unnumber(session: Session, *conditions: ColumnElement[bool]) -> None:
    change = update(EventRow).where(*conditions).values(sequence=None)
    session.execute(change.execution_options(synchronize_session=False))


def _changed(result: object) -> int:
    assert isinstance(result, CursorResult)  # noqa: S101 - the type of every result of an update
    return result.rowcount


def _event(row: EventRow) -> Event:
    return Event(
        identifier=row.identifier,
        type=row.type,
        time=row.time,
        work=row.work,
        image=row.image,
        sha256=row.sha256,
        outcome=row.outcome,
        detail=dict(row.detail),
    )
