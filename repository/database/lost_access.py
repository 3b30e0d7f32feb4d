"""The access to works that a rebuild did not find, because their objects are lost or damaged.

Such a work leaves the catalogue. Its access is kept, so that depositing the work again does not open it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import delete, insert, or_, select
from sqlalchemy.orm import Session

from repository.database.rows import WORK_ACCESS_COLUMNS, work_access
from repository.database.tables import LostAccessRow, WorkRow
from repository.model.access import lesser_access
from repository.model.access_json import access_of_json, access_to_json
from repository.model.work import Access, WorkAccess, WorkState


def limited_access(session: Session) -> dict[str, WorkAccess]:
    """Return the access to all works, lost ones included, that are withdrawn or not open."""
    is_limited = or_(WorkRow.state != WorkState.PUBLISHED.value, WorkRow.access != Access.OPEN.value)
    held = session.execute(select(WorkRow.identifier, *WORK_ACCESS_COLUMNS).where(is_limited))
    lost = session.execute(select(LostAccessRow.work, LostAccessRow.document))
    return {work: access_of_json(document) for work, document in lost} | {
        row.identifier: work_access(row) for row in held
    }


def replace_lost(
    session: Session,
    before: Mapping[str, WorkAccess],
    logged: Mapping[str, WorkAccess],
    found: Collection[str],
    now: datetime,
) -> None:
    """Record the access to the works that are not among `found`.

    `before` is what `limited_access` returned before the rebuild, `logged` what the log states; the lesser counts.
    """
    session.execute(delete(LostAccessRow))
    for work in sorted((before.keys() | logged.keys()) - set(found)):
        stated = [source[work] for source in (before, logged) if work in source]
        access = lesser_access(stated[0], stated[-1], now)
        session.execute(insert(LostAccessRow), {"work": work, "document": access_to_json(access)})


def lost_access(session: Session, work: str) -> WorkAccess | None:
    """Return the access to a work that is lost; None for any other."""
    document = session.scalar(select(LostAccessRow.document).where(LostAccessRow.work == work))
    return None if document is None else access_of_json(document)


def forget_lost(session: Session, work: str) -> None:
    """Forget that a work is lost: the catalogue has it again."""
    session.execute(delete(LostAccessRow).where(LostAccessRow.work == work))
