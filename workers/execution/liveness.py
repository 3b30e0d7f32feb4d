"""Registers the worker processes of this machine, and requeues the jobs of those that died.

Each process holds the lock of a mark file (`repository/storage/process_marks.py`), which the kernel releases when the
process dies. Another process of the machine then requeues its jobs without waiting for their leases to expire. Only the
leases decide about processes of other machines.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from repository.repository import Repository
from repository.storage.process_marks import is_abandoned
from workers.execution.scratch import hold_scratch_mark, scratch_directory

_PREFIX: Final = "at-work-"


@contextmanager
def registered_worker(repository: Repository) -> Iterator[str]:
    """Register this process under a new name, by which it holds jobs. Jobs that it still holds at the end are requeued.

    Raises `StagingFault`, `DatabaseFault`.
    """
    staging = repository.settings.staging
    holder = secrets.token_hex(8)
    mark = staging / f"{_PREFIX}{holder}"
    with scratch_directory(staging) as folder, hold_scratch_mark(folder / holder):
        (folder / holder).rename(mark)  # only now, so that nobody finds the mark without its lock
        release_jobs_of_dead_workers(repository)
        try:
            yield holder
        finally:
            repository.jobs.release(holder)
            mark.unlink(missing_ok=True)


def release_jobs_of_dead_workers(repository: Repository) -> int:
    """Requeue the jobs of dead processes of this machine. Return their number. Raises `DatabaseFault`."""
    released = 0
    for mark in repository.settings.staging.glob(f"{_PREFIX}*"):
        if is_abandoned(mark):
            released += repository.jobs.release(mark.name.removeprefix(_PREFIX))
            mark.unlink(missing_ok=True)
    return released


def has_other_workers(repository: Repository, holder: str) -> bool:
    """Return whether a live process of this machine other than `holder` is registered."""
    marks = repository.settings.staging.glob(f"{_PREFIX}*")
    return any(mark.name != f"{_PREFIX}{holder}" and not is_abandoned(mark) for mark in marks)
