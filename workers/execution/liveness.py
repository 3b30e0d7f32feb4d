"""Who is at work on this machine: each process holds a file, and the kernel lets go of it when the process dies.

So what a killed process held is given back as soon as another process of the machine looks, without waiting for its
lease to run out. Processes of other machines are judged by their leases alone.
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
    """A new name to hold jobs under; what is still held when the context ends is given back."""
    staging = repository.settings.staging
    holder = secrets.token_hex(8)
    mark = staging / f"{_PREFIX}{holder}"
    with scratch_directory(staging) as folder, hold_scratch_mark(folder / holder):
        (folder / holder).rename(mark)  # never seen before it is held
        release_dead(repository)
        try:
            yield holder
        finally:
            repository.jobs.release(holder)
            mark.unlink(missing_ok=True)


def release_dead(repository: Repository) -> int:
    """Give back what dead processes of this machine held; how many jobs they were."""
    released = 0
    for mark in repository.settings.staging.glob(f"{_PREFIX}*"):
        if is_abandoned(mark):
            released += repository.jobs.release(mark.name.removeprefix(_PREFIX))
            mark.unlink(missing_ok=True)
    return released


def other_workers(repository: Repository, holder: str) -> bool:
    """Whether another live process of this machine is registered besides `holder`."""
    marks = repository.settings.staging.glob(f"{_PREFIX}*")
    return any(mark.name != f"{_PREFIX}{holder}" and not is_abandoned(mark) for mark in marks)
