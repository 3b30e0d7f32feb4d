"""Locks between the processes of one machine: a file held by `flock`, let go by the kernel when its holder dies."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from repository.errors import Busy

_PAUSE: Final = 0.05


@contextmanager
def exclusive(path: Path, seconds: float, busy: Busy) -> Iterator[None]:
    """Hold the lock at `path`, waiting at most `seconds` for it. Raises `busy` when somebody else keeps it longer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        deadline = time.monotonic() + seconds
        while not _take(file.fileno()):
            if time.monotonic() >= deadline:
                raise busy
            time.sleep(_PAUSE)
        yield


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
