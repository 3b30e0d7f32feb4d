"""Jobs run in the calling process, for commands without a broker.

A command runs the requested job and then its follow-up jobs: provenance log, collections and replicas. Jobs
that another process of the machine holds are waited for, and run here if that process dies. Jobs that the command did
not cause are left to the local worker of `shanben serve` (`service/local_worker.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, cast

from repository.database.job_times import JobTimes
from repository.database.outbox import FINISHED, Job, JobState, NewJob
from repository.errors import Busy, LogBusy, NotFound
from repository.localized import LocalizedText
from workers.execution.context import TaskContext
from workers.execution.liveness import registered_worker, release_jobs_of_dead_workers
from workers.execution.runner import Runner
from workers.service.schedule import purge_finished
from workers.tasks.ingest import discard_ingest
from workers.tasks.jobs import (
    ASK_WITNESSES,
    INDEX_CHANGES,
    PUBLISH_COLLECTIONS,
    SEQUENCE_EVENTS,
    replicate_log_job,
    replicate_work_job,
    sequence_events_job,
)
from workers.tasks.registry import TASKS

BUSY_SECONDS: Final = 60.0
"""The seconds for which a command retries a follow-up job while another process holds the lock that it needs."""

_POLL_SECONDS: Final = 0.5
_IDLE_SECONDS: Final = 0.05
_BATCH: Final = 20
_NO_REASON: Final = LocalizedText("未记录原因", "no reason was recorded")
_BUSY_CODES: Final = frozenset({Busy.code, LogBusy.code})


def _ignore_poll() -> None:
    """Do nothing: the default when no caller shows progress."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A follow-up job that is not done: postponed or failed for good, and why."""

    job: Job
    reason: LocalizedText


class LocalRunner:
    """Runs jobs in this process; used from one thread.

    A fault ends the requested job immediately, because a person waits for it. A follow-up job with a transient fault
    stays queued.
    """

    def __init__(self, context: TaskContext, holder: str) -> None:
        self._repository = context.repository
        self._holder = holder
        self._jobs = context.repository.jobs
        self._times = JobTimes(context.repository.clock)
        self._concurrency = context.examiner.concurrency
        self._runner = Runner(context, TASKS, holder, patience=0)
        self._patient_runner = Runner(context, TASKS, holder, context.repository.settings.patience_seconds)
        self._unlogged_works: dict[str, None] = {}
        self._follow_up: dict[str, None] = {}
        self._next_release = 0.0

    def run(self, new_job: NewJob, on_poll: Callable[[], None] = _ignore_poll) -> Job:
        """Run a job and its follow-up jobs. Return the job as it ended. `on_poll` is called at short intervals."""
        key = new_job.key
        self._jobs.enqueue(new_job)
        self._run_until(
            lambda: self._get(key).state in FINISHED,
            self._runner,
            lambda limit: self._jobs.due_within(key, limit),
            on_poll,
        )
        job = self._get(key)
        if job.state is JobState.DONE:
            self._run_follow_up([job])
        purge_finished(self._repository)
        return job

    def abandon_ingest(self, key: str) -> bool:
        """Give up an ingest that was interrupted: delete what its pages stored, and its jobs. Return whether it did.

        An ingest that has ended, or of which another process runs a part, stays as it is.
        """
        job = self._jobs.seize(key, self._holder, self._repository.settings.lease_seconds)
        if job is None:
            return False
        discard_ingest(self._repository, job)
        self._jobs.abandon(key, self._holder)
        return True

    def attempt(self, new_jobs: Sequence[NewJob]) -> list[Job]:
        """Queue jobs without children and run each until it is done, has failed or is postponed.

        Return the jobs as they are then. Their follow-up jobs are run too.
        """
        for start in range(0, len(new_jobs), _BATCH):
            batch = new_jobs[start : start + _BATCH]
            for job in batch:
                self._jobs.enqueue(job)
            self._settle([job.key for job in batch])
        jobs = [self._get(job.key) for job in new_jobs]
        self._run_follow_up([job for job in jobs if job.state is JobState.DONE])
        return jobs

    def unfinished(self) -> list[Unfinished]:
        """Return the follow-up jobs of this runner that are not done, and the log's when events still wait for it."""
        jobs = self._jobs.among(list(self._follow_up))
        unfinished = [unfinished_of(job) for job in jobs if job.state is not JobState.DONE]
        if SEQUENCE_EVENTS not in {each.job.key for each in unfinished} and self._has_unlogged_events():
            unfinished.append(Unfinished(self._get(SEQUENCE_EVENTS), LogBusy().message))
        return unfinished

    def _run_follow_up(self, ended: Sequence[Job]) -> None:
        """Run the follow-up jobs of these: the log, its replication, the search index, collections, copies of works."""
        if not ended:
            return
        works = [str(job.result["identifier"]) for job in ended if job.result and "identifier" in job.result]
        stores = list(self._repository.replicas)
        keys = [
            SEQUENCE_EVENTS,
            INDEX_CHANGES,
            *(job.key for job, _ in self._jobs.active(PUBLISH_COLLECTIONS)),
            *(replicate_log_job(store).key for store in stores),
            *(replicate_work_job(store, work).key for store in stores for work in works),
        ]
        self._unlogged_works.update(dict.fromkeys(works))
        self._follow_up.update(dict.fromkeys(keys))
        # Witnesses are asked now if they answer, and later by the recurring work if not: nothing waits for them.
        self._settle([*keys, ASK_WITNESSES])

    def _settle(self, keys: Sequence[str]) -> None:
        """Run the jobs under `keys` that are active, until each is finished or postponed.

        Jobs postponed because another process holds a lock are retried for `BUSY_SECONDS`. So is the log's job while
        events wait: it ends without them when another process writes the log (`preservation/log/sequencer.py`).
        """
        deadline = time.monotonic() + BUSY_SECONDS

        def unsettled() -> list[Job]:
            is_late = time.monotonic() > deadline
            jobs = [job for job in self._jobs.among(keys) if job.state not in FINISHED]
            if not is_late and self._has_unlogged_events():
                self._jobs.enqueue(sequence_events_job())
                jobs.append(self._get(SEQUENCE_EVENTS))
            return [job for job in jobs if not self._is_postponed(job) or (is_busy(job) and not is_late)]

        def due(limit: int) -> list[Job]:
            return [job for job in unsettled() if job.state is JobState.QUEUED and self._times.is_due(job.not_before)][
                :limit
            ]

        self._run_until(lambda: not unsettled(), self._patient_runner, due, _ignore_poll)

    def _has_unlogged_events(self) -> bool:
        """Return whether the log's job is done and did not log the events of a work of this runner."""
        job = self._jobs.get(SEQUENCE_EVENTS)
        if job is None or job.state is not JobState.DONE:
            return False
        for work in list(self._unlogged_works):
            if self._repository.log_sequence.has_unlogged_events(work):
                return True
            del self._unlogged_works[work]  # logged for good: not queried again for every deposit that follows
        return False

    def _is_postponed(self, job: Job) -> bool:
        return job.state is JobState.QUEUED and not self._times.is_due(job.not_before)

    def _get(self, key: str) -> Job:
        job = self._jobs.get(key)
        if job is None:
            raise NotFound(what=key)
        return job

    def _run_until(
        self,
        is_finished: Callable[[], bool],
        runner: Runner,
        due: Callable[[int], list[Job]],
        on_poll: Callable[[], None],
    ) -> None:
        """Run jobs until none is running and `is_finished` holds. `due` returns at most so many due jobs."""
        running: dict[Future[bool], str] = {}
        with ThreadPoolExecutor(self._concurrency) as executor:
            while running or not is_finished():
                jobs = due(self._concurrency) if len(running) < self._concurrency else []
                for job in jobs:
                    if job.key not in running.values():
                        running[executor.submit(runner.run, job.key)] = job.key
                if not running:
                    self._wait_for_others()
                done, _ = wait(running, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
                for future in done:
                    del running[future]
                    future.result()
                on_poll()

    def _wait_for_others(self) -> None:
        """Wait a moment for jobs that another process runs; those of one that died are queued again."""
        time.sleep(_IDLE_SECONDS)
        if time.monotonic() >= self._next_release:
            release_jobs_of_dead_workers(self._repository)
            self._jobs.release_expired()
            self._next_release = time.monotonic() + _POLL_SECONDS


def is_busy(job: Job) -> bool:
    """Return whether the job was postponed because another process held a lock."""
    return (job.result or {}).get("code") in _BUSY_CODES


def unfinished_of(job: Job) -> Unfinished:
    """Return a job that failed or was postponed, with the reason that its result states."""
    words = cast(Mapping[str, str], (job.result or {}).get("message") or {})
    return Unfinished(job, LocalizedText.of_json(words) if words else _NO_REASON)


@contextmanager
def local_runner(context: TaskContext) -> Iterator[LocalRunner]:
    """Register this process as a worker; the jobs it holds are released when the context ends."""
    with registered_worker(context.repository) as holder:
        yield LocalRunner(context, holder)
