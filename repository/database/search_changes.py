"""Numbers the changes that searches follow: of works and of partners' records, of their content and of their access.

The row ``search`` of `FeedHeadRow` is locked from the numbering of a change until its commit. So numbers become
visible in their order, and a reader that has seen a number has seen all lower ones. It is locked after the feed of
changes (`repository/database/changes.py`), and before jobs, holdings and counters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from repository.database.change_tables import FeedHeadRow
from repository.database.search_tables import SEARCH_HEAD, SearchChangeRow

_BATCH: Final = 500


def mark_unindexed(session: Session, *identifiers: str) -> None:
    """Record in the caller's transaction that the index does not have the newest state of works or records."""
    _number(session, identifiers, {"pending": True})


def mark_access(session: Session, work: str) -> None:
    """Record in the caller's transaction that the access to a work has changed, which the index does not have."""
    _number(session, [work], {})


def change_count(session: Session) -> int:
    """Return how many changes have been numbered: the number of the next one."""
    return session.scalar(select(FeedHeadRow.size).where(FeedHeadRow.name == SEARCH_HEAD)) or 0


def _number(session: Session, identifiers: Iterable[str], values: dict[str, Any]) -> None:
    """Give each of some works and records the number of a new change, and set columns of its row."""
    changed = sorted(set(identifiers))
    if not changed:
        return
    addition = update(FeedHeadRow).where(FeedHeadRow.name == SEARCH_HEAD).values(size=FeedHeadRow.size + len(changed))
    end = session.execute(addition.returning(FeedHeadRow.size)).scalar_one()
    numbers = dict(zip(changed, range(end - len(changed), end), strict=True))
    for start in range(0, len(changed), _BATCH):
        _write(session, changed[start : start + _BATCH], numbers, values)


def _write(session: Session, changed: Sequence[str], numbers: dict[str, int], values: dict[str, Any]) -> None:
    known = set(session.scalars(select(SearchChangeRow.identifier).where(SearchChangeRow.identifier.in_(changed))))
    new = [
        {"identifier": each, "number": numbers[each], "pending": False} | values
        for each in changed
        if each not in known
    ]
    old = [{"changed": each, "place": numbers[each]} for each in changed if each in known]
    if new:
        session.execute(insert(SearchChangeRow), new)
    if old:
        change = update(SearchChangeRow).where(SearchChangeRow.identifier == bindparam("changed"))
        session.connection().execute(change.values(number=bindparam("place"), **values), old)
