"""The outbox: what is to be done, written in the transaction of the change that needs it.

A job is known by its key; asking for the same thing twice is one job::

    enqueue ──> QUEUED ──begin──> RUNNING ──finish──> DONE
                  ^  ^               │ │ └──fail────> FAILED
                  │  └───postpone────┘ └───fan_out──> WAITING
                  └──when the last child has ended───────┘

One worker at a time holds a running job, for as long as it gives a sign of life (`renew`); every change of a running
job is made only if it is still held by who asks for it. So a job whose message came twice runs once, and what a worker
says that was taken for dead is not heard. A job found running past its lease is run again: tasks are idempotent. For
the same reason neither the taking nor the end of a job waits for the disk: if they are lost, it is done once more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar, cast

from sqlalchemy import CursorResult, Delete, Select, Update, and_, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from repository.clock import timestamp
from repository.database.engine import Sessions, commit_asynchronously, reading, write
from repository.database.tables import JobRow
from repository.errors import Busy, ContentError


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


ACTIVE: Final = (JobState.QUEUED, JobState.RUNNING, JobState.WAITING)
FINISHED: Final = (JobState.DONE, JobState.FAILED)

_AS_STORED: Final = {"synchronize_session": False}

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be done: `kind` names the task, `key` the job, `arguments` what the task needs."""

    key: str
    kind: str
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands.

    `result` is what its task returned, or the fault that ended it or made it wait; `plan` what a job that fanned out
    goes on with. `since` and `not_before` are RFC 3339 times.
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
    """How many of a job's children there are, and how many have ended."""

    finished: int
    total: int


class Jobs:
    """The jobs of one database. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions, clock: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._clock = clock

    def enqueue(self, order: NewJob) -> None:
        """Ask for a job; one that is under way stays as it is."""
        self._write(lambda session: enqueue(session, order, self._now()))

    def get(self, key: str) -> Job | None:
        """A job by its key."""
        row = self._read(lambda session: session.get(JobRow, key))
        return _job(row) if row else None

    def counts(self) -> dict[str, int]:
        """How many jobs stand in each state."""
        query = select(JobRow.state, func.count()).group_by(JobRow.state)
        counts = dict.fromkeys((state.value for state in JobState), 0)
        for state, count in self._read(lambda session: session.execute(query).all()):
            counts[state] = count
        return counts

    def failed(self, limit: int = 50) -> list[Job]:
        """Jobs that failed for good, the newest first."""
        query = select(JobRow).where(JobRow.state == JobState.FAILED.value).order_by(JobRow.updated.desc(), JobRow.key)
        return self._jobs(query.limit(limit))

    def delayed(self, limit: int = 50) -> list[Job]:
        """Jobs that met a fault that may pass, and wait to be tried again."""
        return [job for job in self._jobs(self._tried().limit(limit)) if job.result]

    def delayed_within(self, key: str, limit: int = 10) -> list[Job]:
        """The same of one job and its children."""
        query = self._tried().where(or_(JobRow.key == key, JobRow.parent == key))
        return [job for job in self._jobs(query.limit(limit)) if job.result]

    def _tried(self) -> Select[JobRow]:
        query = select(JobRow).where(JobRow.state == JobState.QUEUED.value, JobRow.attempts > 0)
        return query.order_by(JobRow.not_before, JobRow.key)

    def active(self, kind: str, limit: int = 50) -> list[tuple[Job, JobProgress]]:
        """Jobs of a kind that have not ended, the oldest first, with how far they are."""
        query = select(JobRow).where(JobRow.kind == kind, JobRow.state.in_([state.value for state in ACTIVE]))
        found = self._jobs(query.order_by(JobRow.since, JobRow.key).limit(limit))
        return [(job, self.progress(job.key)) for job in found]

    def progress(self, key: str) -> JobProgress:
        """How far a job that fanned out is."""
        ended = func.count().filter(JobRow.state.in_([state.value for state in FINISHED]))
        query = select(ended, func.count()).where(JobRow.parent == key)
        return JobProgress(*self._read(lambda session: session.execute(query).one()))

    def children(self, key: str) -> list[Job]:
        """The children of a job, by their keys."""
        return self._jobs(select(JobRow).where(JobRow.parent == key).order_by(JobRow.key))

    def due(self, limit: int, kinds: Collection[str] | None = None) -> list[Job]:
        """Return queued jobs whose time has come, of all kinds or of `kinds`: children first, then the oldest."""
        query = self._due(limit)
        return self._jobs(query if kinds is None else query.where(JobRow.kind.in_(kinds)))

    def due_within(self, key: str, limit: int) -> list[Job]:
        """Return those among one job and its children whose time has come."""
        return self._jobs(self._due(limit).where(or_(JobRow.key == key, JobRow.parent == key)))

    def claim_undispatched(self, kinds: Collection[str], limit: int) -> list[Job]:
        """Jobs of these kinds that are due and that no message at the broker tells of; for the caller to send now."""
        query = self._due(limit).where(JobRow.sent.is_(None), JobRow.kind.in_(kinds))

        def take(session: Session) -> list[Job]:
            found = {row.key: _job(row) for row in session.scalars(query)}
            change = update(JobRow).where(JobRow.key.in_(found), JobRow.sent.is_(None)).values(sent=self._now())
            taken = set(session.scalars(change.returning(JobRow.key))) if found else set()
            return [job for key, job in found.items() if key in taken]

        return self._write(take)

    def _due(self, limit: int) -> Select[JobRow]:
        query = select(JobRow).where(JobRow.state == JobState.QUEUED.value, JobRow.not_before <= self._now())
        return query.order_by(JobRow.parent.is_(None), JobRow.since, JobRow.key).limit(limit)

    def requeue_undelivered(self, kinds: Collection[str], seconds: float) -> int:
        """Take the messages of queued jobs that were sent more than `seconds` ago for lost; how many they are."""
        change = update(JobRow).where(
            JobRow.state == JobState.QUEUED.value, JobRow.kind.in_(kinds), JobRow.sent < self._now(-seconds)
        )
        return self._changed(change.values(sent=None))

    def purge_finished(self, done: float, refused: float) -> int:
        """Drop jobs done more than `done` seconds ago, and those that failed by what was handed in more than `refused`
        seconds ago; how many they were. What the former did is told elsewhere, the latter are handed in again.
        """
        by_content = JobRow.result["branch"].as_string() == ContentError.code
        old = or_(
            and_(JobRow.state == JobState.DONE.value, JobRow.updated < self._now(-done)),
            and_(JobRow.state == JobState.FAILED.value, by_content, JobRow.updated < self._now(-refused)),
        )
        return self._write(lambda session: _count(session, delete(JobRow).where(old, JobRow.parent.is_(None))))

    def release_expired(self) -> int:
        """Queue again what is held by workers that gave no sign of life in time; how many jobs they are."""
        return self._release(JobRow.held_until < self._now())

    def release(self, holder: str) -> int:
        """Queue again what a worker holds that is known to be dead; how many jobs they are."""
        return self._release(JobRow.holder == holder)

    def start(self, key: str, holder: str, seconds: float) -> Job | None:
        """Take a queued job that is due, and hold it for `seconds`; None when there is nothing to take."""
        now = self._now()
        held = {"state": JobState.RUNNING.value, "holder": holder, "held_until": self._now(seconds), "updated": now}
        change = (
            update(JobRow)
            .where(JobRow.key == key, JobRow.state == JobState.QUEUED.value, JobRow.not_before <= now)
            .values(held | {"attempts": JobRow.attempts + 1})
            .returning(JobRow)
        )

        def take(session: Session) -> Job | None:
            commit_asynchronously(session)
            row = session.scalars(change, execution_options=_AS_STORED).one_or_none()
            return _job(row) if row else None

        return self._write(take)

    def renew(self, key: str, holder: str, seconds: float) -> bool:
        """Hold a job for another `seconds` from now; False when it is not held any more."""
        return self._changed(_held(key, holder).values(held_until=self._now(seconds))) > 0

    def finish(self, key: str, holder: str, result: Mapping[str, object]) -> bool:
        """The job is done; whether that made another one due. One that is not held any more stays as it is."""
        return self._end(key, holder, JobState.DONE, result)

    def fail(self, key: str, holder: str, result: Mapping[str, object]) -> bool:
        """The job has failed for good; as for `finish`."""
        return self._end(key, holder, JobState.FAILED, result)

    def postpone(self, key: str, holder: str, result: Mapping[str, object], seconds: float) -> bool:
        """The job is to be tried again after `seconds`; `result` says why. False when it is not held."""
        values = _queued(self._now(seconds)) | {"result": dict(result), "updated": self._now()}
        return self._changed(_held(key, holder).values(values)) > 0

    def restart(self, key: str, holder: str) -> bool:
        """What the job planned does not hold any more: it begins anew. False when it is not held any more."""
        values = _queued(self._now()) | {"plan": None, "remaining": 0, "updated": self._now()}

        def restart(session: Session) -> bool:
            if not _count(session, _held(key, holder).values(values)):
                return False
            _delete_children(session, key)
            return True

        return self._write(restart)

    def fan_out(
        self, key: str, holder: str, orders: Sequence[NewJob], plan: Mapping[str, object], claim: str | None
    ) -> bool:
        """The job waits for children, and goes on with `plan` when all have ended; until it ends `claim` is its alone.

        False when it is not held any more. Raises `Busy` when another job has the claim.
        """
        now = self._now()
        state = JobState.WAITING if orders else JobState.QUEUED
        values = _queued(now) | {
            "state": state.value,
            "remaining": len(orders),
            "plan": dict(plan),
            "claim": claim,
            "result": None,
            "updated": now,
        }

        def spread(session: Session) -> bool:
            if claim and session.scalar(select(JobRow.key).where(JobRow.claim == claim, JobRow.key != key)):
                raise Busy(what=claim)
            if not _count(session, _held(key, holder).values(values)):
                return False
            _delete_children(session, key)
            if orders:
                session.execute(insert(JobRow), [_fresh(order, now) | {"parent": key} for order in orders])
            return True

        return self._write(spread)

    def _end(self, key: str, holder: str, state: JobState, result: Mapping[str, object]) -> bool:
        now = self._now()
        values = {
            "state": state.value,
            "result": dict(result),
            "plan": None,
            "claim": None,
            "holder": None,
            "held_until": None,
            "updated": now,
        }

        change = _held(key, holder).values(values).returning(JobRow.parent, JobRow.rerun_requested)

        def end(session: Session) -> bool:
            commit_asynchronously(session)
            ended = session.execute(change, execution_options=_AS_STORED).one_or_none()
            if ended is None:
                return False
            if ended.parent:
                return _count_down(session, ended.parent, now)
            _delete_children(session, key)
            if ended.rerun_requested:
                rerun = _queued(now) | {"rerun_requested": False}
                session.execute(update(JobRow).where(JobRow.key == key).values(rerun))
            return bool(ended.rerun_requested)

        return self._write(end)

    def _release(self, whose: Any) -> int:
        change = update(JobRow).where(JobRow.state == JobState.RUNNING.value, whose)
        return self._changed(change.values(_queued(self._now())))

    def _jobs(self, query: Any) -> list[Job]:
        return self._read(lambda session: [_job(row) for row in session.scalars(query)])

    def _changed(self, change: Update) -> int:
        return self._write(lambda session: _count(session, change))

    def _read(self, action: Callable[[Session], Result]) -> Result:
        with reading(self._sessions) as session:
            return action(session)

    def _write(self, action: Callable[[Session], Result]) -> Result:
        return write(self._sessions, action)

    def _now(self, seconds: float = 0.0) -> str:
        return timestamp(self._clock() + timedelta(seconds=seconds))


def enqueue(session: Session, order: NewJob, now: str) -> None:
    """Write a job in a transaction of the caller's.

    One that has ended begins anew. One that runs may have looked before the caller's change: it runs again when it has
    ended. One that goes on with a plan, or is queued already, goes on; if it was put off it is due at once.
    """
    row = session.get(JobRow, order.key, with_for_update=True)
    if row is None:
        session.execute(insert(JobRow), [_fresh(order, now)])
    elif row.state == JobState.RUNNING.value:
        row.rerun_requested = True
    elif row.plan is None and not (row.state == JobState.QUEUED.value and row.attempts == 0):
        for name, value in _fresh(order, now).items():
            setattr(row, name, value)


def _fresh(order: NewJob, now: str) -> dict[str, Any]:
    return _queued(now) | {
        "key": order.key,
        "kind": order.kind,
        "arguments": dict(order.arguments),
        "attempts": 0,
        "result": None,
        "updated": now,
        "since": now,
        "remaining": 0,
        "plan": None,
        "claim": None,
        "rerun_requested": False,
    }


def _queued(not_before: str) -> dict[str, Any]:
    """What every job has that nobody holds and no message tells of."""
    return {
        "state": JobState.QUEUED.value,
        "holder": None,
        "held_until": None,
        "sent": None,
        "not_before": not_before,
    }


def _held(key: str, holder: str) -> Update:
    return update(JobRow).where(JobRow.key == key, JobRow.holder == holder, JobRow.state == JobState.RUNNING.value)


def _count(session: Session, change: Update | Delete) -> int:
    return cast(CursorResult[Any], session.execute(change)).rowcount


def _delete_children(session: Session, key: str) -> None:
    session.execute(delete(JobRow).where(JobRow.parent == key))


def _count_down(session: Session, parent: str, now: str) -> bool:
    """One child fewer to wait for; whether it was the last. Children take turns at their parent's row."""
    waiting = update(JobRow).where(JobRow.key == parent, JobRow.state == JobState.WAITING.value)
    change = waiting.values(remaining=JobRow.remaining - 1).returning(JobRow.remaining)
    remaining = session.scalar(change, execution_options=_AS_STORED)
    if remaining is None or remaining > 0:
        return False
    session.execute(waiting.values(_queued(now)))
    return True


def _job(row: JobRow) -> Job:
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
