"""The identities of the stores, as last known, and samples of what a store must hold.

The primary store has the name '', a replica the name of `storage.address.store_name`.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from repository.database.engine import Sessions, read_session, run_transaction
from repository.database.tables import ReplicaCopyRow, StoreRow, WorkRow

PRIMARY: Final = ""
"""The name of the primary store."""


class StoreRegistry:
    """The stores known to one database. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def identity(self, name: str) -> str | None:
        """Return the identity that a store was last known to have; None for a store that was never recorded."""
        with read_session(self._sessions) as session:
            return session.scalar(select(StoreRow.identity).where(StoreRow.name == name))

    def record(self, name: str, identity: str) -> None:
        """Record the identity of a store."""

        def action(session: Session) -> None:
            row = session.get(StoreRow, name)
            if row is None:
                session.add(StoreRow(name=name, identity=identity))
            else:
                row.identity = identity

        run_transaction(self._sessions, action)

    def forget_replica(self, name: str) -> None:
        """Forget a replica's identity and the works that it was recorded to hold, so that it is filled again."""

        def action(session: Session) -> None:
            session.execute(delete(StoreRow).where(StoreRow.name == name))
            session.execute(delete(ReplicaCopyRow).where(ReplicaCopyRow.store == name))

        run_transaction(self._sessions, action)

    def sample_works(self, name: str, limit: int) -> list[str]:
        """Return the `limit` oldest and the `limit` newest works that a store is recorded to hold."""
        query = select(WorkRow.identifier)
        if name != PRIMARY:
            recorded = (ReplicaCopyRow.work == WorkRow.identifier, ReplicaCopyRow.store == name)
            query = query.join(ReplicaCopyRow, recorded[0]).where(recorded[1])
        with read_session(self._sessions) as session:
            ends = (_ordered(query, limit, newest_first=newest) for newest in (False, True))
            works = [work for end in ends for work in session.scalars(end)]
        return list(dict.fromkeys(works))


def _ordered(query: Select[str], limit: int, *, newest_first: bool) -> Select[str]:
    columns = (WorkRow.accessioned, WorkRow.identifier)
    return query.order_by(*(column.desc() if newest_first else column for column in columns)).limit(limit)
