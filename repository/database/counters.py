"""Totals of the catalogue, updated by every change, because counting a million rows for each report would be slow.

Every publication updates the same few rows. It does so last, just before the commit, and in the order of their names,
so that transactions wait for each other only briefly and never deadlock.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from repository.database.tables import CounterRow, EventRow, WorkRow
from repository.model.work import WorkState

COUNTERS: Final = ("works", "published", "images", "bytes", "events", "logged")
"""The names of all totals; each has a row from the start."""


def read_counters(session: Session) -> dict[str, int]:
    """Return the totals by name: works, published works, images, bytes of masters, events, and logged events."""
    return {row.name: row.value for row in session.scalars(select(CounterRow))}


def add_to_counters(session: Session, **changes: int) -> None:
    """Add to counters by name. Called last in a transaction, because it locks them until the commit."""
    rows = [{"counter": name, "change": change} for name, change in sorted(changes.items()) if change]
    if rows:
        addition = update(CounterRow).where(CounterRow.name == bindparam("counter"))
        session.connection().execute(addition.values(value=CounterRow.value + bindparam("change")), rows)


def recount(session: Session) -> None:
    """Set every counter to the counted total. Called last in a transaction."""
    # Locked before the count: earlier commits are counted, and later ones add to the result.
    session.execute(select(CounterRow.name).order_by(CounterRow.name).with_for_update()).all()
    totals = count_all(session)
    change = update(CounterRow).where(CounterRow.name == bindparam("counter")).values(value=bindparam("count"))
    rows = [{"counter": name, "count": value} for name, value in sorted(totals.items())]
    session.connection().execute(change, rows)


def count_all(session: Session) -> dict[str, int]:
    """Count every work and event, and return the totals that the counters should have."""
    published = func.count().filter(WorkRow.state == WorkState.PUBLISHED.value)
    images, size = func.sum(WorkRow.images), func.sum(WorkRow.master_bytes)
    works = session.execute(select(func.count(), published, images, size).select_from(WorkRow)).one()
    events = session.execute(select(func.count(), func.count(EventRow.log_index)).select_from(EventRow)).one()
    return {name: int(value or 0) for name, value in zip(COUNTERS, (*works, *events), strict=True)}
