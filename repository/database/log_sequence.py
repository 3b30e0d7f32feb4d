"""The positions of events in the provenance log, and the newest checkpoint that the log signed.

An event without a sequence number is *staged*; one with a number but no log index is *numbered*; once the log has been
signed with the event in it, its index is recorded and it is *logged*. A number is assigned once and kept, whatever
happens to the event's work: a committed transaction decides the bytes of every log entry before anyone writes them to a
store. Numbers are unique, so concurrent transactions cannot assign the same one, and they leave no gap.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, TypeVar

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from repository.database.counters import add_to_counters
from repository.database.engine import Sessions, database_fault, run_transaction
from repository.database.kept_events import insert_logged, stage_events
from repository.database.log_positions import unnumber
from repository.database.outbox import NewJob, enqueue
from repository.database.rows import event_of
from repository.database.tables import EventRow, LogHeadRow, SecretRow, UnheldEventRow
from repository.database.unknown_entries import unknown_ranges
from repository.model.work import Event, EventType

_Result = TypeVar("_Result")
_OF_IMAGES: Final = (EventType.INGESTION.value, EventType.RECOVERY.value)
"""The types of events that state which bytes an image's master has."""

_SALT: Final = "seal"


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
        return [event_of(row) for number, row in enumerate(rows, start) if row.sequence == number]

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
        """Void these numbers of events that are not recorded as signed: the events are staged again."""
        voided = (EventRow.sequence.in_(numbers), EventRow.log_index.is_(None))
        self._write(lambda session: unnumber(session, *voided))

    def unknown_ranges(self, size: int) -> list[tuple[int, int]]:
        """Return the ranges ``[start, end)`` of a log of `size` entries of which the catalogue knows nothing.

        A database that was restored from a backup does not know the newest entries.
        """
        return self._write(lambda session: unknown_ranges(session, size))

    def adopt_log_entries(self, entries: Mapping[int, Event], size: int) -> None:
        """Learn which events the entries of unknown ranges are, by index, in a signed log of `size` entries.

        Events that are held are numbered by their indexes, and events that the log alone keeps are taken from it. The
        others are remembered, so that they get their indexes when they are staged again. A database that lags behind
        the signed log was restored from a backup: its numbers from `size` on become void, and those events are numbered
        again.
        """
        self._write(lambda session: _adopt(session, entries, size))

    def stage(self, events: Sequence[Event], jobs: Sequence[NewJob], now: str) -> int:
        """Stage events that the log alone keeps and enqueue `jobs`; return how many events are new.

        A change of the database that makes such events stages them in its own transaction
        (`kept_events.stage_events`). Raises `ValueError` for an event that a version of an object carries.
        """

        def write(session: Session) -> int:
            for job in sorted(jobs, key=lambda job: job.key):
                enqueue(session, job, now)
            return stage_events(session, events)

        return run_transaction(self._sessions, write)

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
        """Return the events that the versions of a work's object carry, in their order, each with its log index.

        The index is None for an event that is not logged yet.
        """
        carried = (EventRow.work == work, EventRow.kept_in_log.is_(False))
        query = select(EventRow).where(*carried).order_by(EventRow.position)
        return [(event_of(row), row.log_index) for row in self._write(lambda session: session.scalars(query).all())]

    def history_of(self, work: str, start: int, limit: int) -> list[tuple[Event, int | None]]:
        """Return at most `limit` events of a work, kept by the log alone or not, the oldest first, from `start` on.

        Each has its log index; None for an event that is not logged yet.
        """
        query = select(EventRow).where(EventRow.work == work).offset(start).limit(limit)
        # Several events may have one time, which counts seconds: the log has their order.
        in_log = (EventRow.log_index.is_(None), EventRow.log_index)
        query = query.order_by(EventRow.time, *in_log, EventRow.position, EventRow.identifier)
        return [(event_of(row), row.log_index) for row in self._write(lambda session: session.scalars(query).all())]

    def newest_log_index(self, image: str) -> int | None:
        """Return the newest log index of an event that states an image's bytes; None when none is logged."""
        states_bytes = (EventRow.image == image, EventRow.type.in_(_OF_IMAGES))
        query = select(func.max(EventRow.log_index)).where(*states_bytes)
        return self._write(lambda session: session.scalar(query))

    def logged_events(self, work: str, after: int, limit: int) -> list[tuple[int, Event]]:
        """Return the events of a work and its images that the log holds after the index `after`, at most `limit`.

        They are in the order of the log, each with its index; -1 precedes all.
        """
        return self._logged(EventRow.work == work, after, limit)

    def logged_events_of_image(self, image: str, after: int, limit: int) -> list[tuple[int, Event]]:
        """Return the events of an image, as `logged_events`."""
        return self._logged(EventRow.image == image, after, limit)

    def logged_events_of_work_alone(self, work: str, after: int, limit: int) -> list[tuple[int, Event]]:
        """Return the events of a work that are not of one image, as `logged_events`."""
        return self._logged(and_(EventRow.work == work, EventRow.image.is_(None)), after, limit)

    def logged_events_of_work_and_recoveries(self, work: str, after: int, limit: int) -> list[tuple[int, Event]]:
        """Return the events of a work that are not of one image, and all recoveries of its files."""
        shown = or_(EventRow.image.is_(None), EventRow.type == EventType.RECOVERY.value)
        return self._logged(and_(EventRow.work == work, shown), after, limit)

    def logged_events_of_digest(self, sha256: str, limit: int) -> list[tuple[int, Event]]:
        """Return the events that state this digest, as `logged_events`."""
        return self._logged(EventRow.sha256 == sha256, -1, limit)

    def logged_events_naming(self, digest: str, limit: int) -> list[tuple[int, Event]]:
        """Return the events of masters with this SM3 digest, and of issued documents with this SHA-256."""
        return self._logged(EventRow.named_digest == digest, -1, limit)

    def _logged(self, condition: ColumnElement[bool], after: int, limit: int) -> list[tuple[int, Event]]:
        # Ordered by a sum: the few events of the condition are sorted, and the log is not walked in its order.
        order = EventRow.log_index + 0
        query = select(EventRow).where(condition, EventRow.log_index > after).order_by(order).limit(limit)
        rows = self._write(lambda session: session.scalars(query).all())
        return [(row.log_index, event_of(row)) for row in rows if row.log_index is not None]

    def verifier_keys(self) -> str | None:
        """Return the list of the log's public keys; None before the first machine has registered it."""
        query = select(LogHeadRow.verifier_key).order_by(LogHeadRow.origin).limit(1)
        return self._write(lambda session: session.scalar(query))

    def register_log(self, origin: str, verifier_keys: str) -> None:
        """Register the log's origin and public keys for all machines. Called once, while the caller holds a lock."""
        row = {"origin": origin, "verifier_key": verifier_keys, "size": 0, "checkpoint": None}
        self._write(lambda session: session.execute(insert(LogHeadRow), [row]))

    def replace_keys(self, origin: str, verifier_keys: str) -> None:
        """Replace the list of the log's public keys for all machines, while the caller holds a lock."""
        change = update(LogHeadRow).where(LogHeadRow.origin == origin).values(verifier_key=verifier_keys)
        self._write(lambda session: session.execute(change.execution_options(synchronize_session=False)))

    def salt(self) -> bytes | None:
        """Return the salt of sealed names that all machines share; None before `register_salt`."""
        query = select(SecretRow.value).where(SecretRow.name == _SALT)
        return self._write(lambda session: session.scalar(query))

    def register_salt(self, salt: bytes) -> None:
        """Register the salt of sealed names for all machines. Called once, while the caller holds a lock."""
        self._write(lambda session: session.execute(insert(SecretRow), [{"name": _SALT, "value": salt}]))

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


def _adopt(session: Session, entries: Mapping[int, Event], size: int) -> None:
    indexes = {event.identifier: index for index, event in sorted(entries.items(), reverse=True)}
    known = select(EventRow.identifier, EventRow.log_index).where(EventRow.identifier.in_(indexes))
    logged: dict[str, int | None] = {row.identifier: row.log_index for row in session.execute(known)}
    held = {identifier for identifier, index in logged.items() if index is None}
    if held:
        unnumber(session, EventRow.sequence >= size, EventRow.log_index.is_(None))
        _set_numbers(session, {identifier: indexes[identifier] for identifier in held})
    taken = {indexes[identifier]: entries[indexes[identifier]] for identifier in indexes.keys() - logged.keys()}
    taken = {index: event for index, event in taken.items() if event.is_kept_in_log}
    numbered = {indexes[identifier] for identifier in held} | taken.keys()
    rows = [
        {"log_index": index, "identifier": event.identifier}
        for index, event in entries.items()
        if index not in numbered
    ]
    if rows:
        session.execute(insert(UnheldEventRow), rows)
    added = insert_logged(session, taken)
    add_to_counters(session, events=added, logged=added)


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


def _changed(result: object) -> int:
    assert isinstance(result, CursorResult)  # noqa: S101 - the type of every result of an update
    return result.rowcount
