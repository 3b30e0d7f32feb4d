"""The outbox: what is to be done, written in the transaction of the change that needs it.

A job is known by its key; asking for the same thing twice is one job. Its state goes from queued to running to done or
failed, and back to queued when it is asked for again. A job found running whose worker has died is simply run again:
every task is idempotent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from repository.clock import timestamp
from repository.database import Sessions
from repository.errors import DatabaseFault
from repository.tables import JobRow


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class JobOrder:
    """A job to be done: `kind` names the task, `key` the job, `arguments` what the task needs."""

    key: str
    kind: str
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands; `result` is what its task returned, or the fault that ended it."""

    key: str
    kind: str
    arguments: Mapping[str, str]
    state: JobState
    attempts: int
    result: Mapping[str, object] | None


class Jobs:
    """The jobs of one database. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions, clock: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._clock = clock

    def enqueue(self, order: JobOrder) -> None:
        """Ask for a job."""
        self._write(lambda session: enqueue(session, order, self._now()))

    def get(self, key: str) -> Job | None:
        """A job by its key."""
        with self._sessions() as session:
            row = session.get(JobRow, key)
        return _job(row) if row else None

    def pending(self) -> list[Job]:
        """Jobs queued, or begun and not ended, oldest first."""
        unfinished = (JobState.QUEUED.value, JobState.RUNNING.value)
        query = select(JobRow).where(JobRow.state.in_(unfinished)).order_by(JobRow.updated, JobRow.key)
        with self._sessions() as session:
            return [_job(row) for row in session.scalars(query)]

    def counts(self) -> dict[str, int]:
        """How many jobs stand in each state."""
        query = select(JobRow.state, func.count().label("jobs")).group_by(JobRow.state)
        with self._sessions() as session:
            found = {row.state: row.jobs for row in session.execute(query)}
        return dict.fromkeys((state.value for state in JobState), 0) | found

    def begin(self, key: str) -> None:
        """A worker has taken the job."""
        self._set(key, state=JobState.RUNNING.value, attempts=JobRow.attempts + 1, result=None)

    def finish(self, key: str, result: Mapping[str, object]) -> None:
        """The job is done."""
        self._set(key, state=JobState.DONE.value, result=dict(result))

    def fail(self, key: str, result: Mapping[str, object]) -> None:
        """The job ended with a fault."""
        self._set(key, state=JobState.FAILED.value, result=dict(result))

    def _set(self, key: str, **values: object) -> None:
        change = update(JobRow).where(JobRow.key == key).values(updated=self._now(), **values)
        self._write(lambda session: session.execute(change))

    def _write(self, action: Callable[[Session], object]) -> None:
        try:
            with self._sessions.begin() as session:
                action(session)
        except SQLAlchemyError as fault:
            raise DatabaseFault(reason=str(fault.__cause__ or fault)) from fault

    def _now(self) -> str:
        return timestamp(self._clock())


def enqueue(session: Session, order: JobOrder, now: str) -> None:
    """Write a job in a transaction of the caller's; one that is known goes back to queued."""
    row = session.get(JobRow, order.key)
    if row is None:
        row = JobRow(key=order.key, remaining=0, since=now)
        session.add(row)
    row.kind = order.kind
    row.arguments = dict(order.arguments)
    row.state = JobState.QUEUED.value
    row.attempts = 0
    row.result = None
    row.updated = now
    row.not_before = now


def _job(row: JobRow) -> Job:
    return Job(row.key, row.kind, dict(row.arguments), JobState(row.state), row.attempts, row.result)
