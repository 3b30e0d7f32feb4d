"""Which version of which work was verified in which replica, and when. Can be found out again by replicating.

A replica is known by its name (`storage.store_name`). A work is preserved when every replica has its newest version.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, func, literal, select
from sqlalchemy.orm import Session

from repository.database.engine import Sessions, reading, write
from repository.database.outbox import JobState
from repository.database.tables import EventRow, JobRow, ReplicaCopyRow, WorkRow


@dataclass(frozen=True, slots=True)
class ReplicaCopy:
    """A replica of a work: the newest version verified in `store`, and when (RFC 3339)."""

    store: str
    version: int
    verified: str


@dataclass(frozen=True, slots=True)
class ReplicaSummary:
    """How far replication has come: all `works`, those `verified` at their newest version in each store, and those
    `preserved`: verified so in every store.
    """

    works: int
    verified: Mapping[str, int]
    preserved: int


class ReplicaStatus:
    """The replicas noted in one database. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def record_verified(self, work: str, store: str, version: int, verified: str) -> None:
        """A version was verified in a store. An older one than is noted already changes nothing."""

        def action(session: Session) -> None:
            row = session.get(ReplicaCopyRow, (work, store))
            if row is None:
                session.add(ReplicaCopyRow(work=work, store=store, version=version, verified=verified))
            elif version >= row.version:
                row.version, row.verified = version, verified

        write(self._sessions, action)

    def replicas_of(self, work: str) -> list[ReplicaCopy]:
        """Every replica noted of a work, by the names of the stores; also of stores no longer in the settings."""
        with reading(self._sessions) as session:
            rows = session.scalars(
                select(ReplicaCopyRow).where(ReplicaCopyRow.work == work).order_by(ReplicaCopyRow.store)
            ).all()
        return [ReplicaCopy(row.store, row.version, row.verified) for row in rows]

    def work_head(self, work: str) -> tuple[int, str | None] | None:
        """A catalogued work's newest version and the time of its last event; None when there is no such work."""
        last = select(func.max(EventRow.time)).where(EventRow.work == work).scalar_subquery()
        with reading(self._sessions) as session:
            row = session.execute(select(WorkRow.version, last).where(WorkRow.identifier == work)).one_or_none()
        return (row[0], row[1]) if row else None

    def is_preserved(self, work: str, stores: Collection[str]) -> bool:
        """Whether a catalogued work's newest version was verified in every one of `stores`."""
        query = select(func.count(ReplicaCopyRow.store)).join(WorkRow, _CURRENT).where(ReplicaCopyRow.work == work)
        with reading(self._sessions) as session:
            found = session.scalar(query.where(ReplicaCopyRow.store.in_(stores))) or 0
            known = session.scalar(select(exists().where(WorkRow.identifier == work)))
        return bool(known) and found == len(set(stores))

    def summary(self, stores: Sequence[str]) -> ReplicaSummary:
        """How many works are verified at their newest version, in each of `stores` and in all of them."""
        current = (
            select(ReplicaCopyRow.store, ReplicaCopyRow.work)
            .join(WorkRow, _CURRENT)
            .where(ReplicaCopyRow.store.in_(stores))
        )
        by_store = current.with_only_columns(ReplicaCopyRow.store, func.count().label("works")).group_by(
            ReplicaCopyRow.store
        )
        whole = (
            current.with_only_columns(ReplicaCopyRow.work)
            .group_by(ReplicaCopyRow.work)
            .having(func.count() == len(set(stores)))
        )
        with reading(self._sessions) as session:
            works = session.scalar(select(func.count()).select_from(WorkRow)) or 0
            found = {row.store: row.works for row in session.execute(by_store)}
            verified = {store: found.get(store, 0) for store in stores}
            if len(verified) > 1:
                preserved = session.scalar(select(func.count()).select_from(whole.subquery())) or 0
            else:  # what one store has need not be looked through twice
                preserved = next(iter(verified.values()), works)
        return ReplicaSummary(works, verified, preserved)

    def works_without_replica(self, store: str, key_prefix: str, limit: int, *, failed: bool = False) -> list[str]:
        """At most `limit` works whose newest version is not noted in `store`, in the order of their accession.

        Those with a job under `key_prefix` and their identifier that is on its way are left out, and with it those
        whose job has failed unless `failed` says to take them too.
        """
        noted = exists().where(_CURRENT, ReplicaCopyRow.store == store)
        settled = (JobState.DONE.value, JobState.FAILED.value) if failed else (JobState.DONE.value,)
        ordered = exists().where(
            JobRow.key == literal(key_prefix).concat(WorkRow.identifier), JobRow.state.not_in(settled)
        )
        query = select(WorkRow.identifier).where(~noted, ~ordered)
        with reading(self._sessions) as session:
            return list(session.scalars(query.order_by(WorkRow.accessioned, WorkRow.identifier).limit(limit)))


_CURRENT: ColumnElement[bool] = and_(
    ReplicaCopyRow.work == WorkRow.identifier, ReplicaCopyRow.version == WorkRow.version
)
