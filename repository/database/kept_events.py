"""Events that the provenance log alone keeps: no version of a work's OCFL object carries them.

They are staged, numbered and logged as all events are. Until the log has them, the database alone holds them; after
that a lost database reads them back from the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

from sqlalchemy import delete, insert, or_, select
from sqlalchemy.orm import Session

from repository.database.counters import add_to_counters
from repository.database.log_positions import LogPosition, unnumber
from repository.database.rows import event_values
from repository.database.tables import EventRow
from repository.model.work import Event

_BATCH: Final = 500


def stage_events(session: Session, events: Sequence[Event]) -> int:
    """Stage events that the log alone keeps, in the caller's transaction; return how many of them are new.

    Called last in a transaction (`add_to_counters`), which also enqueues the job that writes staged events into the
    log. Raises `ValueError` for an event that a version of an object carries.
    """
    if not all(event.is_kept_in_log for event in events):
        raise ValueError("a version of an object carries this event")
    pending, staged = iter({event.identifier: event for event in events}.values()), 0
    while batch := list(islice(pending, _BATCH)):
        query = select(EventRow.identifier).where(EventRow.identifier.in_([event.identifier for event in batch]))
        known = set(session.scalars(query))
        rows = [event_values(0, event, LogPosition(None, None)) for event in batch if event.identifier not in known]
        if rows:
            session.execute(insert(EventRow), rows)
        staged += len(rows)
    add_to_counters(session, events=staged)
    return staged


def insert_logged(session: Session, entries: Mapping[int, Event]) -> int:
    """Insert events that only the log holds, by their indexes in the signed log; return how many."""
    held = {"kept_in_log": True}
    rows = [event_values(0, event, LogPosition(index, index)) | held for index, event in entries.items()]
    if rows:
        session.execute(insert(EventRow), rows)
    return len(rows)


def forget_readable(session: Session) -> None:
    """Delete all events but those that the database alone holds: kept by the log alone, and not logged yet."""
    elsewhere = or_(EventRow.kept_in_log.is_(False), EventRow.log_index.is_not(None))
    session.execute(delete(EventRow).where(elsewhere).execution_options(synchronize_session=False))


def restore_logged(session: Session, kept: Iterable[tuple[int, Event]]) -> None:
    """Insert the events that a log alone keeps, each with its index in the log, after `forget_readable`."""
    remaining, restored = iter(kept), set[str]()
    while batch := list(islice(remaining, _BATCH)):
        entries = {event.identifier: (index, event) for index, event in reversed(batch)}
        # An event that was staged twice and logged twice has its first index.
        entries = {identifier: entry for identifier, entry in entries.items() if identifier not in restored}
        restored |= entries.keys()
        session.execute(delete(EventRow).where(EventRow.identifier.in_(entries)))
        unnumber(session, EventRow.sequence.in_([index for index, _ in entries.values()]), EventRow.log_index.is_(None))
        insert_logged(session, dict(entries.values()))
