"""The positions of events in the provenance log, which a publication and a rebuild keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from repository.database.tables import EventRow


@dataclass(frozen=True, slots=True)
class LogPosition:
    """The position of an event: its sequence number, and its log index once it is signed."""

    sequence: int | None
    log_index: int | None


def remove_events(session: Session, work: str) -> dict[str, LogPosition]:
    """Delete the events that the versions of a work's object carry; return their positions, which the caller restores.

    One statement, so that it waits for a transaction that is numbering an event, and returns the number.
    """
    removal = delete(EventRow).where(EventRow.work == work, EventRow.kept_in_log.is_(False))
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
            unnumber(session, EventRow.sequence >= expected, EventRow.log_index.is_(None))
            return
        expected += 1


def unnumber(session: Session, *conditions: ColumnElement[bool]) -> None:
    """Void the numbers of events: they are staged again."""
    change = update(EventRow).where(*conditions).values(sequence=None)
    session.execute(change.execution_options(synchronize_session=False))


def count_logged(positions: Iterable[LogPosition]) -> int:
    """Return how many of these positions are in the signed log."""
    return sum(position.log_index is not None for position in positions)
