"""The log's side of the catalogue: which place each event has in the provenance log, and what the log last signed.

An event without a number is *staged*; one with a number and no index is *numbered*; when the log has been signed with
it, its index is noted and it is *logged*. A number is given once and kept, whatever happens to the event's work: the
bytes of every entry are decided here, by a committed transaction, before anyone writes them to a store. Numbers are
unique, so two that give them at once cannot give the same one; and they leave no gap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import bindparam, delete, func, insert, or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from repository.database.counters import add_to_counters
from repository.database.engine import Sessions, database_fault
from repository.database.tables import EventRow, LogHeadRow
from repository.model import Event

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class LogPosition:
    """Where an event stands in the log: the number it was given, and its leaf once that was signed."""

    sequence: int | None
    log_index: int | None


class LogSequence:
    """The ledger of one database. Every method is one transaction and may raise `DatabaseFault`.

    `shared` tells whether other machines may use the same database.
    """

    def __init__(self, sessions: Sessions, *, shared: bool) -> None:
        self._sessions = sessions
        self.shared = shared

    def assign_sequence_numbers(self, size: int, limit: int) -> int:
        """Give numbers to at most `limit` staged events, oldest first, none below `size`; returns to how many.

        Events that a publication is changing at this moment are left for the next time: it asks for one.
        """
        return self._write(lambda session: _number(session, size, limit))

    def numbered_events(self, start: int, limit: int) -> list[Event]:
        """The events numbered `start`, `start` + 1 and so on without a gap, at most `limit` of them."""
        query = select(EventRow).where(EventRow.sequence >= start).order_by(EventRow.sequence).limit(limit)
        rows = self._write(lambda session: session.scalars(query).all())
        return [_event(row) for place, row in enumerate(rows, start) if row.sequence == place]

    def next_sequence_number(self) -> int:
        """One more than the highest number given."""
        return self._write(_end)

    def first_unknown_index(self, size: int) -> int:
        """Where the tail of a log of `size` entries begins that this catalogue does not know."""
        query = select(func.max(EventRow.sequence)).where(EventRow.sequence < size)
        highest = self._write(lambda session: session.scalar(query))
        return 0 if highest is None else highest + 1

    def adopt_log_indexes(self, indexes: Mapping[str, int], size: int) -> None:
        """Number events as a log of `size` entries that was signed has them; others are passed over.

        A database that is behind the signed log was restored from a backup: the numbers that it gave from `size` on
        are void then, and given anew.
        """
        self._write(lambda session: _adopt(session, indexes, size))

    def mark_logged(self, size: int) -> int:
        """Note the leaf of every event numbered below `size`, which was signed; returns how many were new.

        Events that a publication is changing at this moment are left for the next time.
        """
        return self._write(lambda session: _note_logged(session, size))

    def has_unlogged_events(self, work: str | None = None) -> bool:
        """Whether an event, of any work or of `work`, is not in the log yet.

        Events that a publication is changing at this moment are left out.
        """
        query = select(EventRow.identifier).where(EventRow.log_index.is_(None)).limit(1)
        query = (query if work is None else query.where(EventRow.work == work)).with_for_update(skip_locked=True)
        return self._write(lambda session: session.scalar(query)) is not None

    def newest_log_index(self, image: str) -> int | None:
        """The newest signed leaf that speaks of an image; None when none does."""
        query = select(func.max(EventRow.log_index)).where(EventRow.image == image)
        return self._write(lambda session: session.scalar(query))

    def verifier_key(self) -> str | None:
        """The verifier key of the log; None before the first machine was made ready."""
        query = select(LogHeadRow.verifier_key).order_by(LogHeadRow.origin).limit(1)
        return self._write(lambda session: session.scalar(query))

    def register_log(self, origin: str, verifier_key: str) -> None:
        """Make the log's name and key known to all machines. Once and for good: the caller holds a lock."""
        row = {"origin": origin, "verifier_key": verifier_key, "size": 0, "checkpoint": None}
        self._write(lambda session: session.execute(insert(LogHeadRow), [row]))

    def checkpoint(self, origin: str) -> bytes | None:
        """The newest checkpoint signed; None before the first."""
        query = select(LogHeadRow.checkpoint).where(LogHeadRow.origin == origin)
        return self._write(lambda session: session.scalar(query))

    def advance_checkpoint(self, origin: str, size: int, checkpoint: bytes) -> bool:
        """Keep a checkpoint unless a larger one, or another of the same size, is kept; returns whether it is."""
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


def assign_positions(session: Session, work: str) -> dict[str, LogPosition]:
    """Take away the events of a work and tell which places they had: whoever puts them back keeps these.

    One statement: an event that is being numbered at this moment is waited for, and its number is told.
    """
    removal = delete(EventRow).where(EventRow.work == work)
    returning = removal.returning(EventRow.identifier, EventRow.sequence, EventRow.log_index)
    rows = session.execute(returning.execution_options(synchronize_session=False))
    return {identifier: LogPosition(sequence, index) for identifier, sequence, index in rows}


def unsigned_positions(session: Session) -> dict[str, LogPosition]:
    """The places of all events that have a number and are not known to be signed: a rebuild keeps these."""
    query = select(EventRow.identifier, EventRow.sequence)
    rows = session.execute(query.where(EventRow.log_index.is_(None), EventRow.sequence.is_not(None)))
    return {identifier: LogPosition(sequence, None) for identifier, sequence in rows}


def position_of(event: str, places: Mapping[str, LogPosition], log_indexes: Mapping[str, int]) -> LogPosition:
    """The place of an event that is put back: what the log says of it goes before what the catalogue said."""
    if event in log_indexes:
        return LogPosition(log_indexes[event], log_indexes[event])
    return places.get(event, LogPosition(None, None))


def close_gaps(session: Session) -> None:
    """Void the numbers behind a gap: an event that had its number is not held in the store any more.

    For a rebuild only, while nobody writes the log.
    """
    logged = session.scalar(select(func.max(EventRow.log_index)))
    expected = 0 if logged is None else logged + 1
    query = select(EventRow.sequence).where(EventRow.sequence >= expected).order_by(EventRow.sequence)
    for sequence in session.scalars(query).all():
        if sequence != expected:
            _void(session, expected)
            return
        expected += 1


def _number(session: Session, size: int, limit: int) -> int:
    first = max(size, _end(session))
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


def _end(session: Session) -> int:
    highest = session.scalar(select(func.max(EventRow.sequence)))
    return 0 if highest is None else highest + 1


def _note_logged(session: Session, size: int) -> int:
    signed = select(EventRow.identifier).where(EventRow.log_index.is_(None), EventRow.sequence < size)
    # Rows that a publication has locked are passed over: to wait for some while holding others could lock both up.
    free = signed.with_for_update(skip_locked=True)
    change = update(EventRow).where(EventRow.identifier.in_(free)).values(log_index=EventRow.sequence)
    noted = _changed(session.execute(change.execution_options(synchronize_session=False)))
    add_to_counters(session, logged=noted)
    return noted


def _adopt(session: Session, indexes: Mapping[str, int], size: int) -> None:
    values = [{"event": identifier, "index": index} for identifier, index in indexes.items()]
    if not values:
        return
    unsigned = EventRow.log_index.is_(None)
    held = select(EventRow.identifier).where(EventRow.identifier.in_(indexes), unsigned).limit(1)
    if session.scalar(held) is None:
        return
    _void(session, size)
    change = update(EventRow).where(EventRow.identifier == bindparam("event"), unsigned)
    session.connection().execute(change.values(sequence=bindparam("index")), values)


def _void(session: Session, start: int) -> None:
    numbered = (EventRow.sequence >= start, EventRow.log_index.is_(None))
    change = update(EventRow).where(*numbered).values(sequence=None)
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
