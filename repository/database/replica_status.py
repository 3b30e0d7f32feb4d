"""The version of each work that was last verified in each replica. Replication can determine all of it again.

A replica is identified by its name (`storage.address.store_name`). A work is preserved when every replica holds its
newest version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, func, literal, select
from sqlalchemy.orm import Session

from repository.database.engine import Sessions, read_session, run_transaction
from repository.database.outbox import JobState
from repository.database.tables import EventRow, JobRow, ReplicaCopyRow, WorkRow


@dataclass(frozen=True, slots=True)
class ReplicaCopy:
    """A work in a replica: the newest version verified in `store`, and the time of that (RFC 3339)."""

    store: str
    version: int
    verified: str


@dataclass(frozen=True, slots=True)
class ReplicaSummary:
    """Totals of replication: all `works`, works `verified` at their newest version in each store, and works `preserved`
    by having every store verified so. `since` is when the first of the verified works was verified in each store, ''
    without one (RFC 3339).
    """

    works: int
    verified: Mapping[str, int]
    since: Mapping[str, str]
    preserved: int


class ReplicaStatus:
    """The replica status in one database. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def record_verified(self, work: str, store: str, version: int, verified: str) -> None:
        """Record that a version was verified in a store. A version older than the recorded one changes nothing."""

        def action(session: Session) -> None:
            row = session.get(ReplicaCopyRow, (work, store), with_for_update=True)
            if row is None:
                session.add(ReplicaCopyRow(work=work, store=store, version=version, verified=verified))
            elif version >= row.version:
                row.version, row.verified = version, verified

        run_transaction(self._sessions, action)

    def replicas_of(self, work: str) -> list[ReplicaCopy]:
        """Return the recorded replicas of a work, ordered by store, including stores no longer in the settings."""
        with read_session(self._sessions) as session:
            rows = session.scalars(
                select(ReplicaCopyRow).where(ReplicaCopyRow.work == work).order_by(ReplicaCopyRow.store)
            ).all()
        return [ReplicaCopy(row.store, row.version, row.verified) for row in rows]

    def work_head(self, work: str, event_type: str) -> tuple[int, str | None] | None:
        """Return a work's newest version and the time of its last event of a type; None if there is no such work."""
        events = (EventRow.work == work, EventRow.type == event_type)
        last = select(func.max(EventRow.time)).where(*events).scalar_subquery()
        with read_session(self._sessions) as session:
            row = session.execute(select(WorkRow.version, last).where(WorkRow.identifier == work)).one_or_none()
        return (row[0], row[1]) if row else None

    def summary(self, stores: Sequence[str]) -> ReplicaSummary:
        """Return how many works are verified at their newest version in each of `stores` and in all of them."""
        current = (
            select(ReplicaCopyRow.store, ReplicaCopyRow.work)
            .join(WorkRow, _CURRENT)
            .where(ReplicaCopyRow.store.in_(stores))
        )
        by_store = current.with_only_columns(
            ReplicaCopyRow.store, func.count().label("works"), func.min(ReplicaCopyRow.verified).label("since")
        ).group_by(ReplicaCopyRow.store)
        complete = (
            current.with_only_columns(ReplicaCopyRow.work)
            .group_by(ReplicaCopyRow.work)
            .having(func.count() == len(set(stores)))
        )
        with read_session(self._sessions) as session:
            works = session.scalar(select(func.count()).select_from(WorkRow)) or 0
            held = {row.store: (row.works, row.since) for row in session.execute(by_store)}
            verified = {store: held.get(store, (0, ""))[0] for store in stores}
            since = {store: held.get(store, (0, ""))[1] for store in stores}
            if len(verified) > 1:
                preserved = session.scalar(select(func.count()).select_from(complete.subquery())) or 0
            else:  # with one store the second query would count the same rows
                preserved = next(iter(verified.values()), works)
        return ReplicaSummary(works, verified, since, preserved)

    def works_without_replica(self, store: str, key_prefix: str, limit: int, *, failed: bool = False) -> list[str]:
        """Return at most `limit` works whose newest version is not recorded in `store`, in the order of accession.

        Works with an active job, whose key is `key_prefix` and their identifier, are left out; so are works whose job
        has failed, unless `failed` is true.
        """
        recorded = exists().where(_CURRENT, ReplicaCopyRow.store == store)
        finished = (JobState.DONE.value, JobState.FAILED.value) if failed else (JobState.DONE.value,)
        has_job = exists().where(
            JobRow.key == literal(key_prefix).concat(WorkRow.identifier), JobRow.state.not_in(finished)
        )
        query = select(WorkRow.identifier).where(~recorded, ~has_job)
        with read_session(self._sessions) as session:
            return list(session.scalars(query.order_by(WorkRow.accessioned, WorkRow.identifier).limit(limit)))


_CURRENT: ColumnElement[bool] = and_(
    ReplicaCopyRow.work == WorkRow.identifier, ReplicaCopyRow.version == WorkRow.version
)
