"""How much is held, kept up by whoever changes it: counting a million rows for every look would be slow.

Every publication changes the same few rows, so they are changed last, just before the commit, and always in the order
of their names: transactions wait for each other a moment, and never for each other in a ring.
"""

from __future__ import annotations

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from repository.database.tables import CounterRow, EventRow, WorkRow
from repository.model import WorkState


def read_counters(session: Session) -> dict[str, int]:
    """How many works, published works, images, bytes of masters, events, and events in the log there are, by name."""
    return {row.name: row.value for row in session.scalars(select(CounterRow))}


def add_to_counters(session: Session, **changes: int) -> None:
    """Add to tallies by their names. The last thing that a transaction does: it holds them until it ends."""
    rows = [{"tally": name, "change": change} for name, change in sorted(changes.items()) if change]
    if rows:
        addition = update(CounterRow).where(CounterRow.name == bindparam("tally"))
        session.connection().execute(addition.values(value=CounterRow.value + bindparam("change")), rows)


def recount(session: Session) -> None:
    """Set every tally to what there is. The last thing that a transaction does."""
    # Held before anything is counted: who commits before is counted, who comes later adds to the result.
    session.execute(select(CounterRow.name).order_by(CounterRow.name).with_for_update()).all()
    counted = count_all(session)
    change = update(CounterRow).where(CounterRow.name == bindparam("tally")).values(value=bindparam("count"))
    rows = [{"tally": name, "count": value} for name, value in sorted(counted.items())]
    session.connection().execute(change, rows)


def count_all(session: Session) -> dict[str, int]:
    """What the tallies ought to be, by looking at every work and event."""
    published = func.count().filter(WorkRow.state == WorkState.PUBLISHED.value)
    images, size = func.sum(WorkRow.images), func.sum(WorkRow.master_bytes)
    works = session.execute(select(func.count(), published, images, size).select_from(WorkRow)).one()
    events = session.execute(select(func.count(), func.count(EventRow.log_index)).select_from(EventRow)).one()
    names = ("works", "published", "images", "bytes", "events", "logged")
    return {name: int(value or 0) for name, value in zip(names, (*works, *events), strict=True)}
