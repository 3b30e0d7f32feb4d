"""Keeps a library in a process of its own, which kills itself at a chosen durable write.

A durable write is a rename, link or deletion of a file, and a transaction of the database that changed something. The
process dies by SIGKILL before the write takes effect; the state after a write is the one before the next.
Processes are forked from a warm one (`multiprocessing`'s forkserver), which has imported this module and no more.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from repository.config import Settings
from repository.database.outbox import Job
from workers.bootstrap import bootstrap
from workers.deposit.examiner import open_deposit_examiner
from workers.execution.context import TaskContext
from workers.execution.liveness import registered_worker, release_jobs_of_dead_workers
from workers.execution.runner import Runner
from workers.execution.scratch import scratch_directory
from workers.tasks.jobs import (
    ALL,
    CHECK_FILES,
    REPAIR_STORES,
    REPAIR_WORK,
    REPLICATE_LOG,
    SEQUENCE_EVENTS,
    SWEEP_STORE,
    sweep_job,
)
from workers.tasks.registry import TASKS

KINDS: Final = (SEQUENCE_EVENTS, REPLICATE_LOG, SWEEP_STORE, CHECK_FILES, REPAIR_STORES, REPAIR_WORK)
_FORKS: Final = multiprocessing.get_context("forkserver")


def settings_of(folder: Path) -> Settings:
    """Return the settings of a library with one replica, both below a folder."""
    return Settings(data=folder / "var", replicas=(str(folder / "replica"),))


def keep_until_killed(folder: Path, number: int) -> int | None:
    """Keep the library in another process until its durable write of this number, from 1 on.

    Return None if it was killed, else the number of its writes. 0 kills it never.
    """
    _FORKS.set_forkserver_preload([__name__])
    receiver, sender = _FORKS.Pipe(duplex=False)
    process = _FORKS.Process(target=_keep, args=(folder, number, sender))
    process.start()
    sender.close()
    process.join()
    if process.exitcode == -signal.SIGKILL:
        return None
    assert process.exitcode == 0, process.exitcode
    return int(receiver.recv())


def _keep(folder: Path, number: int, sender: Any) -> None:
    """Sweep both stores, and run the jobs that follow until none is left, as a worker does."""
    writes = itertools.count(1)
    last = 0

    def before_write() -> None:
        nonlocal last
        last = next(writes)
        if last == number:
            os.kill(os.getpid(), signal.SIGKILL)

    _watch_files(before_write)
    _watch_database(before_write)
    keep(settings_of(folder))
    sender.send(last)


def keep(settings: Settings) -> None:
    """Sweep both stores of a library, repair what is found, and log it."""
    repository = bootstrap(settings)
    with (
        scratch_directory(settings.staging) as scratch,
        open_deposit_examiner(settings, scratch, 1, 1) as examiner,
        registered_worker(repository) as holder,
    ):
        release_jobs_of_dead_workers(repository)
        for store in ("", *repository.replicas):
            repository.jobs.enqueue(sweep_job(store, ALL))
        runner = Runner(TaskContext(repository, examiner), TASKS, holder, patience=0)
        while job := _next(repository.jobs.due(20, KINDS), KINDS):
            runner.run(job.key)


def _next(due: Collection[Job], kinds: Collection[str]) -> Job | None:
    """Return the due job of the first kind: the log is written often."""
    return min(due, key=lambda job: [*kinds].index(job.kind), default=None)


def _watch_files(before_write: Callable[[], None]) -> None:
    def watched(action: Callable[..., Any]) -> Callable[..., Any]:
        def act(*arguments: Any, **options: Any) -> Any:
            before_write()
            return action(*arguments, **options)

        return act

    for name in ("replace", "rename", "link", "unlink", "remove"):
        setattr(os, name, watched(getattr(os, name)))


def _watch_database(before_write: Callable[[], None]) -> None:
    changes: dict[int, int] = {}

    @event.listens_for(Engine, "commit")
    def _(connection: Connection) -> None:
        raw: Any = connection.connection.dbapi_connection
        total = raw.total_changes
        if total != changes.get(id(raw), 0):
            changes[id(raw)] = total
            before_write()
