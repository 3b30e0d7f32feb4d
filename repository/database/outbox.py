"""The job outbox: jobs are written in the transaction of the change that needs them.

A job is identified by its key; enqueueing a key twice is one job::

    enqueue ──> QUEUED ──start──> RUNNING ──finish──> DONE
                  ^  ^               │ │ └──fail────> FAILED
                  │  └───postpone────┘ └───fan_out──> WAITING
                  └──when the last child has finished────┘

One worker at a time holds a running job, and keeps it by renewing its lease (`renew`). Every change of a running job
requires that the caller still holds it, so a job that is delivered twice runs once, and reports of a worker that was
considered dead are ignored. A running job whose lease has expired is run again: tasks are idempotent. For the same
reason the start and the end of a job are committed without a wait for the disk: if they are lost, the job runs again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Select, Update, and_, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from repository.database.engine import Sessions, commit_asynchronously, read_session, run_transaction
from repository.database.job_rows import (
    ACTIVE,
    AS_STORED,
    FINISHED,
    Job,
    JobProgress,
    JobState,
    NewJob,
    count_down,
    count_rows,
    delete_children,
    enqueue,
    held,
    job_of,
    new_row,
    queued_columns,
)
from repository.database.job_times import JobTimes
from repository.database.tables import JobRow
from repository.errors import Busy, ContentError

__all__ = ["ACTIVE", "FINISHED", "Job", "JobProgress", "JobState", "Jobs", "NewJob", "enqueue"]

Result = TypeVar("Result")

_BATCH: Final = 500
"""The number of keys in one query."""


class Jobs:
    """The jobs of one database. Every method is one transaction and may raise `DatabaseFault`."""

    def __init__(self, sessions: Sessions, clock: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._times = JobTimes(clock)

    def enqueue(self, job: NewJob) -> None:
        """Enqueue a job in a transaction of its own (see `enqueue`)."""
        self._write(lambda session: enqueue(session, job, self._times.after()))

    def forget(self, key: str) -> None:
        """Delete a job that has ended; a job in any other state stays."""
        ended = JobRow.state.in_([state.value for state in FINISHED])
        self._write(lambda session: count_rows(session, delete(JobRow).where(JobRow.key == key, ended)))

    def seize(self, key: str, holder: str, seconds: float) -> Job | None:
        """Hold a queued or waiting job, so that it can be abandoned, and delete its children that have not begun.

        Return None, and change nothing, if the job has ended or if it or a child is running.
        """
        lease = {"state": JobState.RUNNING.value, "holder": holder, "held_until": self._times.after(seconds)}
        idle = JobRow.state.in_([JobState.QUEUED.value, JobState.WAITING.value])

        def hold(session: Session) -> Job | None:
            row = session.get(JobRow, key, with_for_update=True)
            is_child = JobRow.parent == key
            running = select(JobRow.key).where(is_child, JobRow.state == JobState.RUNNING.value).limit(1)
            if row is None or session.scalar(running):
                return None
            if not count_rows(session, update(JobRow).where(JobRow.key == key, idle).values(lease)):
                return None
            session.execute(delete(JobRow).where(is_child, JobRow.state == JobState.QUEUED.value))
            return job_of(row)

        return self._write(hold)

    def abandon(self, key: str, holder: str) -> None:
        """Delete a job that `holder` has seized, and its children: it will not run."""

        def delete_all(session: Session) -> None:
            mine = (JobRow.key == key, JobRow.holder == holder, JobRow.state == JobState.RUNNING.value)
            if count_rows(session, delete(JobRow).where(*mine)):
                delete_children(session, key)

        self._write(delete_all)

    def get(self, key: str) -> Job | None:
        """Return a job by its key."""
        row = self._read(lambda session: session.get(JobRow, key))
        return job_of(row) if row else None

    def among(self, keys: Sequence[str]) -> list[Job]:
        """Return the jobs under these keys, in their order; keys without a job are left out."""
        wanted = list(dict.fromkeys(keys))
        batches = (wanted[start : start + _BATCH] for start in range(0, len(wanted), _BATCH))
        jobs = (job for batch in batches for job in self._jobs(select(JobRow).where(JobRow.key.in_(batch))))
        found = {job.key: job for job in jobs}
        return [found[key] for key in wanted if key in found]

    def is_claimed(self, claim: str) -> bool:
        """Return whether an unfinished job has this claim."""
        return self._read(lambda session: session.scalar(select(JobRow.key).where(JobRow.claim == claim))) is not None

    def counts(self) -> dict[str, int]:
        """Return the number of jobs in each state."""
        query = select(JobRow.state, func.count()).group_by(JobRow.state)
        counts = self._read(lambda session: {state: count for state, count in session.execute(query)})  # noqa: C416
        return dict.fromkeys((state.value for state in JobState), 0) | counts

    def failed(self, limit: int = 50) -> list[Job]:
        """Return failed jobs, the newest first."""
        query = select(JobRow).where(JobRow.state == JobState.FAILED.value).order_by(JobRow.updated.desc(), JobRow.key)
        return self._jobs(query.limit(limit))

    def delayed(self, limit: int = 50) -> list[Job]:
        """Return jobs that wait for a retry after a transient error."""
        return [job for job in self._jobs(self._retries().limit(limit)) if job.result]

    def delayed_within(self, key: str, limit: int = 10) -> list[Job]:
        """Return those of a job and its children that wait for a retry after a transient error."""
        query = self._retries().where(or_(JobRow.key == key, JobRow.parent == key))
        return [job for job in self._jobs(query.limit(limit)) if job.result]

    def _retries(self) -> Select[JobRow]:
        query = select(JobRow).where(JobRow.state == JobState.QUEUED.value, JobRow.attempts > 0)
        return query.order_by(JobRow.not_before, JobRow.key)

    def active(self, kind: str, limit: int = 50) -> list[tuple[Job, JobProgress]]:
        """Return the active jobs of a kind with their progress, the oldest first."""
        query = select(JobRow).where(JobRow.kind == kind, JobRow.state.in_([state.value for state in ACTIVE]))
        jobs = self._jobs(query.order_by(JobRow.since, JobRow.key).limit(limit))
        return [(job, self.progress(job.key)) for job in jobs]

    def progress(self, key: str) -> JobProgress:
        """Return the progress of a job that fanned out."""
        finished = func.count().filter(JobRow.state.in_([state.value for state in FINISHED]))
        query = select(finished, func.count()).where(JobRow.parent == key)
        return JobProgress(*self._read(lambda session: session.execute(query).one()))

    def children(self, key: str) -> list[Job]:
        """Return the children of a job, ordered by key."""
        return self._jobs(select(JobRow).where(JobRow.parent == key).order_by(JobRow.key))

    def due(self, limit: int, kinds: Collection[str] | None = None) -> list[Job]:
        """Return due jobs, of all kinds or of `kinds`: children first, then the oldest."""
        query = self._due(limit)
        return self._jobs(query if kinds is None else query.where(JobRow.kind.in_(kinds)))

    def due_within(self, key: str, limit: int) -> list[Job]:
        """Return those of a job and its children that are due."""
        return self._jobs(self._due(limit).where(or_(JobRow.key == key, JobRow.parent == key)))

    def has_undispatched(self) -> bool:
        """Return whether a due job has no message at the broker."""
        due = (JobRow.state == JobState.QUEUED.value, self._times.due(), JobRow.sent.is_(None))
        return self._read(lambda session: session.scalar(select(JobRow.key).where(*due).limit(1))) is not None

    def claim_undispatched(self, kinds: Collection[str], limit: int) -> list[Job]:
        """Return due jobs of these kinds without a message at the broker, marked as sent: the caller sends them now."""
        query = self._due(limit).where(JobRow.sent.is_(None), JobRow.kind.in_(kinds))

        def mark_sent(session: Session) -> list[Job]:
            jobs = {row.key: job_of(row) for row in session.scalars(query)}
            change = update(JobRow).where(JobRow.key.in_(jobs), JobRow.sent.is_(None)).values(sent=self._times.after())
            marked = set(session.scalars(change.returning(JobRow.key))) if jobs else set()
            return [job for key, job in jobs.items() if key in marked]

        return self._write(mark_sent)

    def _due(self, limit: int) -> Select[JobRow]:
        query = select(JobRow).where(JobRow.state == JobState.QUEUED.value, self._times.due())
        return query.order_by(JobRow.parent.is_(None), JobRow.since, JobRow.key).limit(limit)

    def requeue_undelivered(self, kinds: Collection[str], seconds: float) -> int:
        """Consider messages lost that were sent more than `seconds` ago for jobs still queued; return how many."""
        queued = (JobRow.state == JobState.QUEUED.value, JobRow.kind.in_(kinds))
        change = update(JobRow).where(*queued, self._times.lost(seconds))
        return self._changed(change.values(sent=None))

    def purge_finished(self, done: float, refused: float) -> int:
        """Delete jobs done more than `done` seconds ago, and jobs failed by a content error more than `refused` seconds
        ago; return how many. Events record what the former did; users submit the latter again.
        """
        by_content = JobRow.result["branch"].as_string() == ContentError.code
        old = or_(
            and_(JobRow.state == JobState.DONE.value, JobRow.updated < self._times.after(-done)),
            and_(JobRow.state == JobState.FAILED.value, by_content, JobRow.updated < self._times.after(-refused)),
        )
        return self._write(lambda session: count_rows(session, delete(JobRow).where(old, JobRow.parent.is_(None))))

    def release_expired(self) -> int:
        """Queue running jobs whose lease has expired again; return how many."""
        return self._release(self._times.expired())

    def release(self, holder: str) -> int:
        """Queue the jobs of a dead worker again; return how many."""
        return self._release(JobRow.holder == holder)

    def start(self, key: str, holder: str, seconds: float) -> Job | None:
        """Start a due job and lease it to `holder` for `seconds`; return None when the job is not queued or not due."""
        now = self._times.after()
        held = {
            "state": JobState.RUNNING.value,
            "holder": holder,
            "held_until": self._times.after(seconds),
            "updated": now,
        }
        change = (
            update(JobRow)
            .where(JobRow.key == key, JobRow.state == JobState.QUEUED.value, self._times.due())
            .values(held | {"attempts": JobRow.attempts + 1})
            .returning(JobRow)
        )

        def lease(session: Session) -> Job | None:
            commit_asynchronously(session)
            row = session.scalars(change, execution_options=AS_STORED).one_or_none()
            return job_of(row) if row else None

        return self._write(lease)

    def renew(self, key: str, holder: str, seconds: float) -> bool:
        """Renew the lease for `seconds` from now; return False when the caller no longer holds the job."""
        return self._changed(held(key, holder).values(held_until=self._times.after(seconds))) > 0

    def finish(self, key: str, holder: str, result: Mapping[str, object]) -> bool:
        """Record that the job is done, if the caller still holds it; return whether that made another job due."""
        return self._end(key, holder, JobState.DONE, result)

    def fail(self, key: str, holder: str, result: Mapping[str, object]) -> bool:
        """Record that the job has failed; return what `finish` returns."""
        return self._end(key, holder, JobState.FAILED, result)

    def postpone(self, key: str, holder: str, result: Mapping[str, object], seconds: float) -> bool:
        """Retry the job after `seconds` because of `result`. Return False when the caller no longer holds the job."""
        values = queued_columns(self._times.after(seconds)) | {"result": dict(result), "updated": self._times.after()}
        return self._changed(held(key, holder).values(values)) > 0

    def restart(self, key: str, holder: str) -> bool:
        """Run the job again without its plan and children. Return False when the caller no longer holds the job."""
        values = queued_columns() | {"plan": None, "remaining": 0, "updated": self._times.after()}

        def restart(session: Session) -> bool:
            if not count_rows(session, held(key, holder).values(values)):
                return False
            delete_children(session, key)
            return True

        return self._write(restart)

    def fan_out(
        self, key: str, holder: str, children: Sequence[NewJob], plan: Mapping[str, object], claim: str | None
    ) -> bool:
        """Let the job wait for its children, and continue with `plan` when all have finished.

        `claim` names what no other job may claim until this one has finished. Return False when the caller no longer
        holds the job. Raises `Busy` when another job has the claim.
        """
        now = self._times.after()
        state = JobState.WAITING if children else JobState.QUEUED
        values = queued_columns() | {
            "state": state.value,
            "remaining": len(children),
            "plan": dict(plan),
            "claim": claim,
            "result": None,
            "updated": now,
        }

        def spread(session: Session) -> bool:
            if claim and session.scalar(select(JobRow.key).where(JobRow.claim == claim, JobRow.key != key)):
                raise Busy(what=claim)
            if not count_rows(session, held(key, holder).values(values)):
                return False
            delete_children(session, key)
            if children:
                session.execute(insert(JobRow), [new_row(child, now) | {"parent": key} for child in children])
            return True

        return self._write(spread)

    def _end(self, key: str, holder: str, state: JobState, result: Mapping[str, object]) -> bool:
        now = self._times.after()
        values = {
            "state": state.value,
            "result": dict(result),
            "plan": None,
            "claim": None,
            "holder": None,
            "held_until": None,
            "updated": now,
        }
        change = held(key, holder).values(values).returning(JobRow.parent, JobRow.rerun_requested)

        def end(session: Session) -> bool:
            commit_asynchronously(session)
            ended = session.execute(change, execution_options=AS_STORED).one_or_none()
            if ended is None:
                return False
            if ended.parent:
                return count_down(session, ended.parent)
            delete_children(session, key)
            if ended.rerun_requested:
                rerun = queued_columns() | {"rerun_requested": False}
                session.execute(update(JobRow).where(JobRow.key == key).values(rerun))
            return bool(ended.rerun_requested)

        return self._write(end)

    def _release(self, condition: Any) -> int:
        change = update(JobRow).where(JobRow.state == JobState.RUNNING.value, condition)
        return self._changed(change.values(queued_columns(self._times.after())))

    def _jobs(self, query: Any) -> list[Job]:
        return self._read(lambda session: [job_of(row) for row in session.scalars(query)])

    def _changed(self, change: Update) -> int:
        return self._write(lambda session: count_rows(session, change))

    def _read(self, action: Callable[[Session], Result]) -> Result:
        with read_session(self._sessions) as session:
            return action(session)

    def _write(self, action: Callable[[Session], Result]) -> Result:
        return run_transaction(self._sessions, action)
