"""One job, run: taken, held with signs of life, done, and its end written down whatever it was.

- A result ends the job; a `FanOut` makes it wait for its children; a `Restart` begins it anew.
- A fault that may pass (`ShanbenError.transient`) puts it off, for longer each time, until `patience` is over.
- What is wrong with this machine alone (no room, no deposit folder) makes it rest, so that others get there first.
- A defect or damaged bytes are tried a few times, in case it was the machine; any other fault is final.

While the database is away nothing can be written down: the end of a job is told as long as it takes, up to its lease;
after that another worker does it again.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from repository.clock import timestamp
from repository.database.outbox import Job
from repository.errors import (
    DatabaseFault,
    DepositNotMounted,
    IntegrityError,
    ShanbenError,
    StagingFault,
)
from repository.localized import LocalizedText
from workers.execution.context import TaskContext
from workers.execution.outcomes import FanOut, Restart, StepFailed

Outcome = Mapping[str, object] | FanOut | Restart
Task = Callable[[TaskContext, Job], Outcome]

_PAGE: Final = "page"  # by far the most jobs, and the only kind that asks for no others
_OF_THIS_MACHINE: Final = (StagingFault, DepositNotMounted)
_LONGEST_PAUSE: Final = 300.0
_MOST_TRIES: Final = 3
_PAUSE: Final = 0.5
_DEFECT: Final = LocalizedText(
    "程序内部出错（{reason}）；请将工作进程日志交给开发者",
    "A defect of the program ({reason}); please give the worker's log to its developers",
)
_LOG: Final = logging.getLogger("shanben.jobs")


@dataclass(frozen=True, slots=True)
class _End:
    """How the end of a job is to be written down, and for how many seconds no other is to be taken then."""

    report: Callable[[], bool]
    rest: float = 0.0


class Runner:
    """Runs jobs for one process, under the name `holder`; may be used from several threads.

    `patience`: for how many seconds a job is tried again while its fault may pass; 0 for a person who waits and would
    rather be told.
    """

    def __init__(self, context: TaskContext, tasks: Mapping[str, Task], holder: str, patience: float) -> None:
        self._workshop = context
        self._tasks = tasks
        self._holder = holder
        self._patience = patience
        self._jobs = context.repository.jobs
        self._clock = context.repository.clock
        self._lease = context.repository.settings.lease_seconds
        self._rest = context.repository.settings.sweep_seconds if patience else 0.0

    def run(self, key: str) -> bool:
        """Run the job under `key`, if it is there to be taken; whether other jobs may be due for that.

        Raises `DatabaseFault` when it cannot be taken or its end not be told.
        """
        job = self._jobs.start(key, self._holder, self._lease)
        if job is None:
            return False
        with self._signs_of_life(key):
            end = self._attempt(job)
            told = self._tell(end.report)
        time.sleep(end.rest)
        return told or job.kind != _PAGE

    def _attempt(self, job: Job) -> _End:
        try:
            outcome = self._tasks[job.kind](self._workshop, job)
            return _End(self._report(job.key, outcome))
        except StepFailed as step:
            fault = dict(step.fault)
            return _End(lambda: self._jobs.fail(job.key, self._holder, fault))
        except ShanbenError as fault:
            tries = None if fault.transient else _MOST_TRIES if isinstance(fault, IntegrityError) else 0
            rest = self._rest if isinstance(fault, _OF_THIS_MACHINE) else 0.0
            return _End(self._failure(job, fault.to_json(), tries), rest)
        except Exception as defect:  # noqa: BLE001 - the outermost loop of a worker; the job tells what happened
            _LOG.exception("job %s", job.key)
            return _End(self._failure(job, _defect_document(defect), _MOST_TRIES))

    def _report(self, key: str, outcome: Outcome) -> Callable[[], bool]:
        if isinstance(outcome, Restart):
            return lambda: self._jobs.restart(key, self._holder)
        if isinstance(outcome, FanOut):
            # A claim that another job has is a fault of this one, so this is part of doing it.
            self._jobs.fan_out(key, self._holder, outcome.orders, outcome.plan, outcome.claim)
            return lambda: True
        return lambda: self._jobs.finish(key, self._holder, outcome)

    def _failure(self, job: Job, fault: Mapping[str, object], most_tries: int | None) -> Callable[[], bool]:
        """Final, or put off; the document counts tries and remembers the first, whatever happened in between."""
        before: Mapping[str, Any] = job.result or {}
        tries = int(before.get("tries", 0)) + 1
        first = str(before.get("first") or timestamp(self._clock()))
        document = {**fault, "tries": tries, "first": first}
        waited = self._clock() - datetime.fromisoformat(first)
        impatient = waited + timedelta(seconds=1) > timedelta(seconds=self._patience)
        if impatient or (most_tries is not None and tries >= most_tries):
            return lambda: self._jobs.fail(job.key, self._holder, document)
        pause = min(_LONGEST_PAUSE, 2.0**tries) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, no secret
        return lambda: self._jobs.postpone(job.key, self._holder, document, pause)

    def _tell(self, report: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + self._lease
        while True:
            try:
                return report()
            except DatabaseFault:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE)

    @contextmanager
    def _signs_of_life(self, key: str) -> Iterator[None]:
        ended = threading.Event()

        def renew() -> None:
            while not ended.wait(self._lease / 4):
                try:
                    self._jobs.renew(key, self._holder, self._lease)
                except DatabaseFault as fault:
                    _LOG.warning("%s: %s", key, fault)

        thread = threading.Thread(target=renew, name=f"signs of life of {key}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _defect_document(defect: Exception) -> dict[str, object]:
    message = _DEFECT.format(reason=f"{type(defect).__name__}: {defect}")
    return {"code": "defect", "branch": "system", "message": message.to_json(), "faults": []}
