"""Lock files, which one process of a machine holds at a time, by `flock`: the kernel releases them when it dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, Protocol

from repository.errors import Busy, DatabaseFault, DependencyMissing
from repository.localized import LocalizedText

LOST: Final = LocalizedText("锁已丢失；请重试", "the lock was lost; try again")
_PAUSE: Final = 0.05


class HeldLock(Protocol):
    """A lock that is held."""

    def check(self) -> None:
        """Check that the lock is still held, just before an action that must not happen twice.

        Raises `DatabaseFault` when the lock may have been lost. Call it from one thread at a time.
        """


@contextmanager
def hold_lock_file(path: Path, seconds: float, busy: Busy) -> Iterator[HeldLock]:
    """Hold the lock file at `path`, for the processes of one machine, after waiting at most `seconds` for it.

    Raises `busy` when the lock is not released in time, and `DependencyMissing` for a file that cannot be written.
    """
    with _opened(path) as file:
        deadline = time.monotonic() + seconds
        while not _try_lock(file.fileno()):
            if time.monotonic() >= deadline:
                raise busy
            time.sleep(_PAUSE)
        yield _FileHold(path, file.fileno())


class _FileHold:
    """A lock file that this process holds."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def check(self) -> None:
        """Raise `DatabaseFault` when the lock file was deleted or replaced."""
        try:
            same = os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            same = False
        if not same:
            raise DatabaseFault(reason=LOST)


def _opened(path: Path) -> IO[bytes]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab")
    except OSError as fault:
        what = LocalizedText(f"可写的文件 {path}", f"a file that can be written, {path},")
        remedy = LocalizedText(f"请使该文件夹可写（{fault.strerror}）", f"make the folder writable ({fault.strerror})")
        raise DependencyMissing(what=what, remedy=remedy) from fault


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
