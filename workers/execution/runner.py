"""Runs one job: claims it, renews its lease while its task runs, and records the outcome.

- A result finishes the job. A `FanOut` makes it wait for its child jobs. A `Restart` discards its plan and children.
- A transient fault (`ShanbenError.transient`) postpones the job, for longer each time, until `patience` has passed.
- After a fault that concerns this machine alone (no disk space, deposit not mounted) the worker pauses, so that other
  machines take the job first.
- A defect, or damaged bytes, is retried a few times, in case the machine caused it. Any other fault is final.

While the database is unavailable the outcome cannot be recorded. The runner retries until the lease has expired;
another worker then runs the job again.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from preservation.store_identity import verify_primary
from repository.clock import timestamp
from repository.database.job_times import LONGEST_DELAY
from repository.database.outbox import Job, NewJob
from repository.errors import (
    DatabaseFault,
    DepositNotMounted,
    IntegrityError,
    ShanbenError,
    StagingFault,
)
from repository.localized import LocalizedText
from repository.sandbox.functions import SandboxNotStarted
from workers.execution.context import TaskContext

# Page jobs are by far the most numerous and enqueue no other jobs: the outbox is not searched after each of them.
_PAGE: Final = "page"
# Alarms are decided from the database; what the primary store has about the log is read only from the library's own
# (`read_log_notes`). A primary store that cannot be used is a reason to decide them.
_WITHOUT_STORE: Final = frozenset({"alarms"})
_MACHINE_FAULTS: Final = (StagingFault, SandboxNotStarted, DepositNotMounted)
_MOST_TRIES: Final = 3
_RETRY_SECONDS: Final = 0.5
_DEFECT: Final = LocalizedText(
    "程序内部出错（{reason}）；请将工作进程的日志交给开发人员",
    "Internal error ({reason}); send the log of the worker process to the developers",
)
_LOG: Final = logging.getLogger("shanben.jobs")


@dataclass(frozen=True, slots=True)
class FanOut:
    """An outcome: the job waits for `children` and continues with `plan`. It alone may change the work `claim`."""

    children: Sequence[NewJob]
    plan: Mapping[str, object]
    claim: str | None


@dataclass(frozen=True, slots=True)
class Restart:
    """An outcome: the plan of the job is obsolete, and the job starts again without it."""


class StepFailed(Exception):
    """A child job failed for good. Its parent fails with the same `fault`, as the child's result stores it."""

    def __init__(self, fault: Mapping[str, object]) -> None:
        self.fault = fault
        super().__init__(str(fault.get("code")))


Outcome = Mapping[str, object] | FanOut | Restart
Task = Callable[[TaskContext, Job], Outcome]


@dataclass(frozen=True, slots=True)
class _Ending:
    """The call that records the outcome of a job, and the seconds that the worker then pauses."""

    record: Callable[[], bool]
    pause: float = 0.0


class Runner:
    """Runs jobs for one process under the name `holder`. It may be used from several threads.

    `patience` is the number of seconds for which a transient fault is retried; 0 if a person waits for the outcome.
    """

    def __init__(self, context: TaskContext, tasks: Mapping[str, Task], holder: str, patience: float) -> None:
        self._context = context
        self._tasks = tasks
        self._holder = holder
        self._patience = patience
        self._jobs = context.repository.jobs
        self._clock = context.repository.clock
        self._lease = context.repository.settings.lease_seconds
        self._pause = context.repository.settings.sweep_seconds if patience else 0.0

    def run(self, key: str) -> bool:
        """Run the job `key` if it is due. Return whether other jobs may be due because of it.

        Raises `DatabaseFault` if the job cannot be claimed or its outcome cannot be recorded.
        """
        job = self._jobs.start(key, self._holder, self._lease)
        if job is None:
            return False
        with self._renewed_lease(key):
            ending = self._attempt(job)
            others_due = self._record(ending)
        time.sleep(ending.pause)
        return others_due or job.kind != _PAGE

    def _attempt(self, job: Job) -> _Ending:
        try:
            if job.kind not in _WITHOUT_STORE:
                verify_primary(self._context.repository)  # it may have been unmounted since the process started
            outcome = self._tasks[job.kind](self._context, job)
            return _Ending(self._success(job.key, outcome))
        except StepFailed as step:
            fault = dict(step.fault)
            return _Ending(lambda: self._jobs.fail(job.key, self._holder, fault))
        except ShanbenError as fault:
            tries = None if fault.transient else _MOST_TRIES if isinstance(fault, IntegrityError) else 0
            pause = self._pause if isinstance(fault, _MACHINE_FAULTS) else 0.0
            return _Ending(self._failure(job, fault.to_json(), tries), pause)
        except Exception as defect:  # noqa: BLE001 - the outermost loop of a worker; the job's result has the defect
            _LOG.exception("job %s", job.key)
            return _Ending(self._failure(job, _defect_json(defect), _MOST_TRIES))

    def _success(self, key: str, outcome: Outcome) -> Callable[[], bool]:
        if isinstance(outcome, Restart):
            return lambda: self._jobs.restart(key, self._holder)
        if isinstance(outcome, FanOut):
            # Called inside the attempt: a claim that another job holds is a fault of this job.
            self._jobs.fan_out(key, self._holder, outcome.children, outcome.plan, outcome.claim)
            return lambda: True
        return lambda: self._jobs.finish(key, self._holder, outcome)

    def _failure(self, job: Job, fault: Mapping[str, object], most_tries: int | None) -> Callable[[], bool]:
        """Fail or postpone the job. Its result counts the tries and keeps the time of the first, across all faults."""
        previous: Mapping[str, Any] = job.result or {}
        tries = int(previous.get("tries", 0)) + 1
        first = str(previous.get("first") or timestamp(self._clock()))
        result = {**fault, "tries": tries, "first": first}
        elapsed = abs(self._clock() - datetime.fromisoformat(first))  # negative after the clock was set back
        out_of_patience = elapsed + timedelta(seconds=1) > timedelta(seconds=self._patience)
        if out_of_patience or (most_tries is not None and tries >= most_tries):
            return lambda: self._jobs.fail(job.key, self._holder, result)
        delay = min(LONGEST_DELAY, 2.0**tries) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, no secret
        return lambda: self._jobs.postpone(job.key, self._holder, result, delay)

    def _record(self, ending: _Ending) -> bool:
        deadline = time.monotonic() + self._lease
        while True:
            try:
                return ending.record()
            except DatabaseFault:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_SECONDS)

    @contextmanager
    def _renewed_lease(self, key: str) -> Iterator[None]:
        ended = threading.Event()

        def renew() -> None:
            while not ended.wait(self._lease / 4):
                try:
                    self._jobs.renew(key, self._holder, self._lease)
                except DatabaseFault as fault:
                    _LOG.warning("%s: %s", key, fault)

        thread = threading.Thread(target=renew, name=f"lease of {key}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _defect_json(defect: Exception) -> dict[str, object]:
    message = _DEFECT.format(reason=f"{type(defect).__name__}: {defect}")
    return {"code": "defect", "branch": "system", "message": message.to_json(), "faults": []}
