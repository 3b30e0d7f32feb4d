"""Mark files: a file locked by `flock` shows that the process that made it is alive.

The kernel releases the lock when the process ends, however it ends. Other processes of the machine test the lock, and
clean up after a process that was killed.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hold_mark(path: str | os.PathLike[str]) -> Iterator[int]:
    """Create the mark file `path` and lock it until the context ends; yield its descriptor, open for writing.

    The caller may rename the file meanwhile, and deletes it. A file exists for a moment before it is locked: create it
    where nobody tests it and rename it, or keep testers away by another lock. Raises `OSError`.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def is_abandoned(path: str | os.PathLike[str]) -> bool:
    """Return whether the process of a mark is dead; False for a mark that does not exist. Raises `OSError`."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # A shared lock needs no write access, and two processes that test the same mark do not disturb each other.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
