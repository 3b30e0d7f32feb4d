"""The local worker: without a broker, the one process of `shanben serve` that runs every kind of job.

It takes due jobs from the outbox and runs them by the same `Runner` as a broker's workers, at the lowest priority and
with one master decoded at a time. Kinds of job are divided into groups, each with a thread of its own, so that a large
replication delays neither a repair nor the log. The main thread does the recurring work of `service/schedule.py`.

While a command of the same machine runs jobs (`service/local.py`), ingests are left to it: its user may read folders
that this process cannot. This process finishes the jobs of a command that was killed.

The process ends when SIGTERM or SIGINT arrives, or when its standard input ends because its parent did. Jobs in
progress get `GRACE_SECONDS`, then they are released for the next process: every task is idempotent. While the database
or the store is away the process waits for it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from preservation.log.sequencer import can_sign
from repository.config import Settings, process_settings
from repository.database.outbox import Job
from repository.errors import Busy, ShanbenError
from repository.localized import LocalizedText
from repository.logs import log_to_stderr
from repository.repository import Repository
from repository.storage.lock_files import hold_lock_file
from workers.bootstrap import bootstrap
from workers.deposit.examiner import open_deposit_examiner
from workers.deposit.survey import file_signature
from workers.execution.context import TaskContext
from workers.execution.liveness import has_other_workers, registered_worker
from workers.execution.runner import Outcome, Runner, Task
from workers.execution.scratch import scratch_directory
from workers.ocr.pages import installed_engine
from workers.service.schedule import Schedule
from workers.tasks.ingest import ingest
from workers.tasks.jobs import (
    ADD_TEXTS,
    ASK_WITNESSES,
    CHECK_FILES,
    CORRECT_TEXT,
    DELETE_COPY,
    DELETE_WORK,
    DESCRIBE_WORK,
    HARVEST,
    INDEX_CHANGES,
    INDEX_FEATURES,
    INGEST,
    PAGE,
    PRESERVE_ACCESS,
    PUBLISH_COLLECTIONS,
    PUBLISH_MANIFEST,
    RECOGNISE_PAGES,
    RECOGNISE_WORK,
    REPAIR_PYRAMID,
    REPAIR_STORES,
    REPAIR_WORK,
    REPLICATE_LOG,
    REPLICATE_WORK,
    REPUBLISH,
    REQUEST_TIMESTAMP,
    SEQUENCE_EVENTS,
    SWEEP_STORE,
    WATCH,
)
from workers.tasks.registry import TASKS

GRACE_SECONDS: Final = 3.0
"""The seconds that jobs in progress may take to end after a signal to stop."""

POLL_SECONDS: Final = 1.0
"""The interval at which an idle group looks for due jobs."""

INGEST_KINDS: Final = frozenset({INGEST, PAGE})
GROUPS: Final = (
    (INGEST, PAGE, REPAIR_PYRAMID),
    (REPLICATE_WORK, REPLICATE_LOG),
    (SEQUENCE_EVENTS, PUBLISH_COLLECTIONS, PRESERVE_ACCESS, ADD_TEXTS, CORRECT_TEXT),
    (ASK_WITNESSES, REQUEST_TIMESTAMP, WATCH),
    (HARVEST,),
    (REPUBLISH, PUBLISH_MANIFEST),
    (INDEX_CHANGES,),
    (RECOGNISE_WORK, RECOGNISE_PAGES),
    (DESCRIBE_WORK, INDEX_FEATURES),
    (SWEEP_STORE, CHECK_FILES),
    (REPAIR_WORK, REPAIR_STORES),
    (DELETE_WORK, DELETE_COPY),
)
"""The kinds of job that share a thread; only those of the first group decode masters.

Those that wait for services of other institutions have a thread of their own.
"""

_NICENESS: Final = 19
_LOCK: Final = "local-worker.lock"
_BUSY: Final = LocalizedText("本机任务", "the jobs of this machine")
_LOG: Final = logging.getLogger("shanben.jobs")


def run_local_worker(settings: Settings, stop: threading.Event) -> None:
    """Run jobs until `stop` is set, in one process of a data folder at a time; another one waits until that has ended.

    It retries after transient faults. Raises `ShanbenError` for others, such as a setting that cannot be used.
    """
    pause = settings.sweep_seconds
    while not stop.is_set():
        try:
            with hold_lock_file(settings.data / _LOCK, 0, Busy(what=_BUSY)):
                _work(bootstrap(settings), stop)
        except Busy:
            stop.wait(POLL_SECONDS)
        except ShanbenError as fault:
            if not fault.transient:
                raise
            _LOG.warning("%s", fault)
            stop.wait(pause)


def _work(repository: Repository, stop: threading.Event) -> None:
    with (
        scratch_directory(repository.settings.staging) as scratch,
        registered_worker(repository) as holder,
    ):
        worker = LocalWorker(repository, holder, scratch, stop)
        worker.run()
        if not worker.join(GRACE_SECONDS):
            with suppress(ShanbenError):  # the next process releases the jobs of a dead one
                repository.jobs.release(holder)
            # The threads cannot be interrupted. Decoding processes end with this one.
            os._exit(0)


class LocalWorker:
    """The threads of a local worker. Its jobs are held under the name `holder`."""

    def __init__(self, repository: Repository, holder: str, scratch: Path, stop: threading.Event) -> None:
        self._repository = repository
        self._holder = holder
        self._scratch = scratch
        self._stop = stop
        self._pause = repository.settings.sweep_seconds
        self._threads = [
            threading.Thread(target=self._run_group, args=(kinds,), name=f"jobs: {kinds[0]}", daemon=True)
            for kinds in GROUPS
        ]

    def run(self) -> None:
        """Run jobs, and the recurring work, until `stop` is set."""
        for thread in self._threads:
            thread.start()
        schedule = Schedule(self._repository)
        while not self._stop.is_set():
            with self._reported():
                schedule.run()
            self._stop.wait(self._pause)

    def join(self, seconds: float) -> bool:
        """Wait for the jobs in progress, together at most `seconds`. Return whether all have ended."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in self._threads)

    def _run_group(self, kinds: Collection[str]) -> None:
        while not self._stop.is_set():
            with self._reported():
                allowed = self._allowed(kinds)
                if self._next(allowed):
                    self._run_due(allowed)
                self._stop.wait(POLL_SECONDS)

    def _run_due(self, kinds: Collection[str]) -> None:
        """Run jobs until none is due. The decoding process, if one was needed, ends then."""
        settings = self._repository.settings
        with open_deposit_examiner(settings, self._scratch, 1, 1) as examiner:
            context = TaskContext(self._repository, examiner)
            runner = Runner(context, _TASKS, self._holder, settings.patience_seconds)
            while not self._stop.is_set() and (job := self._next(kinds)):
                runner.run(job.key)

    def _allowed(self, kinds: Collection[str]) -> Collection[str]:
        """Leave out what this machine cannot do: the log's job without the signing key, OCR without the engine."""
        barred: set[str] = set()
        if SEQUENCE_EVENTS in kinds and not can_sign(self._repository):
            barred.add(SEQUENCE_EVENTS)
        if RECOGNISE_WORK in kinds and not installed_engine():
            barred |= {RECOGNISE_WORK, RECOGNISE_PAGES}
        return [kind for kind in kinds if kind not in barred]

    def _next(self, kinds: Collection[str]) -> Job | None:
        """Return the job of these kinds that is due first. Ingests are left to a command that runs meanwhile.

        A command registers itself before it queues its ingest: this looks for the command after the query.
        """
        jobs = self._repository.jobs
        job = next(iter(jobs.due(1, kinds)), None)
        if job and job.kind in INGEST_KINDS and has_other_workers(self._repository, self._holder):
            return next(iter(jobs.due(1, set(kinds) - INGEST_KINDS)), None)
        return job

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Log a fault and pause; the caller goes on."""
        try:
            yield
        except ShanbenError as fault:
            _LOG.warning("%s", fault)
            self._stop.wait(self._pause)
        except Exception:  # noqa: BLE001 - an outermost loop: the process would look well and run no jobs
            _LOG.exception("local worker")
            self._stop.wait(self._pause)


def _ingest_mounted(context: TaskContext, job: Job) -> Outcome:
    """Kind ``ingest``, for a folder that this process can read: another process may be able to.

    Raises `DepositNotMounted`, which postpones the job, and as `ingest` does.
    """
    file_signature(Path(job.arguments["deposit"]))
    return ingest(context, job)


_TASKS: Final[Mapping[str, Task]] = {**TASKS, INGEST: _ingest_mounted}


def main() -> None:
    """Run the local worker until a signal stops it: the process of `local_worker_start`."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the parent's: it replaces this process if need be
    os.nice(_NICENESS)
    log_to_stderr()
    threading.Thread(target=_stop_with_parent, args=(stop,), name="parent", daemon=True).start()
    try:
        run_local_worker(process_settings(), stop)
    except ShanbenError as fault:
        sys.exit(str(fault))


def _stop_with_parent(stop: threading.Event) -> None:
    """Stop at the end of standard input: the parent writes nothing to it and keeps it open while it lives."""
    while os.read(0, 1):
        pass
    stop.set()
