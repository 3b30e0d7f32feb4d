"""The entries of the signed log of which the catalogue knows nothing: neither an event nor an unheld one."""

from __future__ import annotations

from sqlalchemy import BigInteger, func, literal, select, union_all
from sqlalchemy.orm import Session

from repository.database.counters import read_counters
from repository.database.tables import EventRow, UnheldEventRow


def unknown_ranges(session: Session, size: int) -> list[tuple[int, int]]:
    """Return the ranges ``[start, end)`` of indexes below `size` that no event and no unheld event has.

    The counters show at once that there are none, which is the usual case.
    """
    unheld = session.scalar(select(func.count()).select_from(UnheldEventRow)) or 0
    if read_counters(session)["logged"] + unheld >= size:
        return []
    known = union_all(
        select(EventRow.sequence.label("number")).where(EventRow.sequence < size),
        select(UnheldEventRow.log_index.label("number")).where(UnheldEventRow.log_index < size),
        select(literal(-1, BigInteger).label("number")),
    ).subquery("known")
    following = func.lead(known.c.number, 1, literal(size, BigInteger)).over(order_by=known.c.number)
    pairs = select(known.c.number, following.label("following")).subquery("pairs")
    gaps = select(pairs.c.number + 1, pairs.c.following).where(pairs.c.following > pairs.c.number + 1)
    return [(int(start), int(end)) for start, end in session.execute(gaps.order_by(pairs.c.number))]
