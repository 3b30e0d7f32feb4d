"""Who is at work on this machine: each process holds a file, and the kernel lets go of it when the process dies.

So what a killed process held is given back as soon as another process of the machine looks, without waiting for its
lease to run out. Processes of other machines are judged by their leases alone.
"""

from __future__ import annotations

import fcntl
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from repository.handle import Repository

_PREFIX: Final = "at-work-"


@contextmanager
def presence(repository: Repository) -> Iterator[str]:
    """A new name to hold jobs under; what is still held when the context ends is given back."""
    folder = repository.settings.staging
    folder.mkdir(parents=True, exist_ok=True)
    holder = secrets.token_hex(8)
    mark = folder / f"{_PREFIX}{holder}"
    arriving = folder / f"arriving-{holder}"
    with arriving.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        arriving.rename(mark)  # never seen unlocked under its name
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
        if _is_dead(mark):
            released += repository.jobs.release(mark.name.removeprefix(_PREFIX))
            mark.unlink(missing_ok=True)
    return released


def _is_dead(mark: Path) -> bool:
    try:
        with mark.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return False
    return True
