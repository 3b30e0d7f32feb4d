"""Jobs as values, and as rows of the outbox: the statements of which `outbox.py` makes transactions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

from sqlalchemy import CursorResult, Delete, Update, delete, insert, update
from sqlalchemy.orm import Session

from repository.database.job_times import IMMEDIATELY
from repository.database.tables import JobRow

AS_STORED: Final = {"synchronize_session": False}


class JobState(StrEnum):
    """The state of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


ACTIVE: Final = (JobState.QUEUED, JobState.RUNNING, JobState.WAITING)
FINISHED: Final = (JobState.DONE, JobState.FAILED)


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be enqueued: its unique key, the kind of its task, and the task's arguments."""

    key: str
    kind: str
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """A job as stored.

    `result` is what its task returned, or the error that ended or postponed it; `plan` is what a job that fanned out
    continues with. `since` is when it was enqueued and `not_before` when it is due ('' for immediately), both RFC 3339
    times.
    """

    key: str
    kind: str
    arguments: Mapping[str, str]
    state: JobState
    attempts: int
    result: Mapping[str, object] | None
    plan: Mapping[str, Any] | None
    since: str
    not_before: str


@dataclass(frozen=True, slots=True)
class JobProgress:
    """The number of children of a job, and of those that have finished or failed."""

    finished: int
    total: int


def enqueue(session: Session, job: NewJob, now: str) -> None:
    """Enqueue a job in the caller's transaction.

    A finished job runs again. A running job may have read the database before the caller's change, so it runs again
    after it has finished, with the new arguments. A job that is queued with the same arguments or has a plan stays as
    it is, but a postponed one is due immediately.
    """
    row = session.get(JobRow, job.key, with_for_update=True)
    if row is None:
        session.execute(insert(JobRow), [new_row(job, now)])
    elif row.state == JobState.RUNNING.value:
        row.rerun_requested, row.arguments = True, dict(job.arguments)
    elif row.plan is None and (
        row.state != JobState.QUEUED.value or row.attempts or row.arguments != dict(job.arguments)
    ):
        for name, value in new_row(job, now).items():
            setattr(row, name, value)


def new_row(job: NewJob, now: str) -> dict[str, Any]:
    """Return the columns of a new job."""
    return queued_columns() | {
        "key": job.key,
        "kind": job.kind,
        "arguments": dict(job.arguments),
        "attempts": 0,
        "result": None,
        "updated": now,
        "since": now,
        "remaining": 0,
        "plan": None,
        "claim": None,
        "rerun_requested": False,
    }


def queued_columns(not_before: str = IMMEDIATELY) -> dict[str, Any]:
    """Return the columns of a job without holder and message."""
    return {
        "state": JobState.QUEUED.value,
        "holder": None,
        "held_until": None,
        "sent": None,
        "not_before": not_before,
    }


def held(key: str, holder: str) -> Update:
    """Return an update of a running job that the caller holds."""
    return update(JobRow).where(JobRow.key == key, JobRow.holder == holder, JobRow.state == JobState.RUNNING.value)


def count_rows(session: Session, change: Update | Delete) -> int:
    """Run a change and return how many rows it changed."""
    return cast(CursorResult[Any], session.execute(change)).rowcount


def delete_children(session: Session, key: str) -> None:
    """Delete the children of a job."""
    session.execute(delete(JobRow).where(JobRow.parent == key))


def count_down(session: Session, parent: str) -> bool:
    """Count one child of a waiting job as finished; return whether it was the last. The parent's row is the lock."""
    waiting = update(JobRow).where(JobRow.key == parent, JobRow.state == JobState.WAITING.value)
    change = waiting.values(remaining=JobRow.remaining - 1).returning(JobRow.remaining)
    remaining = session.scalar(change, execution_options=AS_STORED)
    if remaining is None or remaining > 0:
        return False
    session.execute(waiting.values(queued_columns()))
    return True


def job_of(row: JobRow) -> Job:
    """Return the job of a row."""
    return Job(
        key=row.key,
        kind=row.kind,
        arguments=dict(row.arguments),
        state=JobState(row.state),
        attempts=row.attempts,
        result=row.result,
        plan=row.plan,
        since=row.since,
        not_before=row.not_before,
    )
