"""Who may write the provenance log, and what was signed last: never kept in the store itself.

The store may be rolled back (a restored backup, a replica that lagged). Signing on from there would give two histories
in one log's name. So the newest checkpoint signed is kept outside the store before anyone else can see it: in a file of
this machine, and where several machines share a database in that as well.

A lock in a database can be lost while its holder lives on: the server was killed, or a network was cut. What such a
writer still does cannot be prevented, only made harmless (`log/log.py`); `Hold.check` tells it as soon as it asks.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol

from repository.database.locks import Hold, Locks, exclusive
from repository.database.log_sequence import LogSequence
from repository.errors import LogBusy, StoreFault
from repository.storage.fsync import sync_folder, write_all

_LOCK: Final = "log"


class WriterLock(Protocol):
    """One writer at a time, and what was signed last."""

    def hold(self) -> AbstractContextManager[Hold]:
        """Hold the log for writing. Raises `LogBusy` when somebody else keeps it too long."""

    def signed(self) -> list[bytes]:
        """The newest checkpoint signed, from every place where it is kept; none before the first."""

    def remember(self, checkpoint: bytes, size: int) -> None:
        """Keep a checkpoint just signed; durable when it returns. Raises `LogBusy` when a newer one is kept."""


class _Kept:
    """A lock that its holder loses by dying only."""

    def check(self) -> None:
        """It is held."""


class SignedFile:
    """The newest checkpoint signed on this machine, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[bytes]:
        """The checkpoint; none before the first. Raises `StoreFault`."""
        try:
            return [self._path.read_bytes()]
        except FileNotFoundError:
            return []
        except OSError as fault:
            raise StoreFault(key=self._path.name, reason=fault.strerror) from fault

    def keep(self, checkpoint: bytes) -> None:
        """Keep a checkpoint in place of the last; durable when it returns. Raises `StoreFault`."""
        temporary = self._path.with_suffix(".signing")
        try:
            with temporary.open("wb") as file:
                write_all(file.fileno(), checkpoint)
            temporary.replace(self._path)
            sync_folder(str(self._path.parent))
        except OSError as fault:
            raise StoreFault(key=self._path.name, reason=fault.strerror) from fault


class FileWriterLock:
    """A lock file between the processes of one machine, and beside it ``.signed``: the newest checkpoint signed."""

    def __init__(self, lock_path: Path, seconds: float) -> None:
        self._lock_path = lock_path
        self._file = SignedFile(lock_path.with_suffix(".signed"))
        self._seconds = seconds

    @contextmanager
    def hold(self) -> Iterator[Hold]:
        """As `WriterLock.hold`."""
        with exclusive(self._lock_path, self._seconds, LogBusy()):
            yield _Kept()

    def signed(self) -> list[bytes]:
        """As `WriterLock.signed`. Raises `StoreFault`."""
        return self._file.read()

    def remember(self, checkpoint: bytes, size: int) -> None:
        """As `WriterLock.remember`. Raises `StoreFault`."""
        self._file.keep(checkpoint)


class DatabaseWriterLock:
    """A lock of the database that several machines share; what was signed last stands there, never to shrink.

    `file` is this machine's own memory of it, which a restored backup of the database does not touch.
    """

    def __init__(self, log_sequence: LogSequence, locks: Locks, origin: str, file: SignedFile, seconds: float) -> None:
        self._ledger = log_sequence
        self._locks = locks
        self._origin = origin
        self._file = file
        self._seconds = seconds

    def hold(self) -> AbstractContextManager[Hold]:
        """As `WriterLock.hold`. Raises `DatabaseFault`."""
        return self._locks.hold(_LOCK, self._seconds, LogBusy())

    def signed(self) -> list[bytes]:
        """As `WriterLock.signed`. Raises `DatabaseFault`, `StoreFault`."""
        head = self._ledger.head(self._origin)
        return [*([head] if head else []), *self._file.read()]

    def remember(self, checkpoint: bytes, size: int) -> None:
        """As `WriterLock.remember`. Raises `DatabaseFault`, `StoreFault`."""
        if not self._ledger.advance_head(self._origin, size, checkpoint):
            raise LogBusy
        self._file.keep(checkpoint)


class MemoryWriterLock:
    """The same within one process: for a log whose store is memory too."""

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._seconds = seconds
        self._signed: list[bytes] = []

    @contextmanager
    def hold(self) -> Iterator[Hold]:
        """As `WriterLock.hold`."""
        if not self._lock.acquire(timeout=self._seconds):
            raise LogBusy
        try:
            yield _Kept()
        finally:
            self._lock.release()

    def signed(self) -> list[bytes]:
        """As `WriterLock.signed`."""
        return self._signed

    def remember(self, checkpoint: bytes, size: int) -> None:
        """As `WriterLock.remember`."""
        self._signed = [checkpoint]
