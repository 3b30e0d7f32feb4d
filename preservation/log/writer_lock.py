"""The log's writer lock, and the memory of the newest signed checkpoint outside the store.

A store can be rolled back (a restored backup, an outdated replica). A log that continued signing from there would have
two histories under one name. Each signed checkpoint is therefore remembered outside the store before it is published:
in a file on this machine and, where several machines share a database, also in the database.

A database lock can be lost while its holder still runs, after a server crash or a network failure. What that writer
then does cannot be prevented; `log/writer.py` keeps it harmless, and `HeldLock.check` reports the lost lock.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Protocol

from preservation.log.checkpoint_file import CheckpointFile
from repository.database.locks import Locks
from repository.database.log_sequence import LogSequence
from repository.errors import LogBusy
from repository.storage.lock_files import HeldLock, hold_lock_file

_LOCK: Final = "log"


class WriterLock(Protocol):
    """Admits one writer at a time, and remembers the newest signed checkpoint."""

    def hold(self) -> AbstractContextManager[HeldLock]:
        """Hold the log for writing. Raises `LogBusy` when another writer holds it for too long."""

    def remembered(self) -> list[bytes]:
        """Return the newest signed checkpoint from each place that keeps it; an empty list before the first."""

    def remember(self, checkpoint: bytes, size: int) -> None:
        """Keep a newly signed checkpoint, durably. Raises `LogBusy` when a newer one is already kept."""


class FileWriterLock:
    """A lock file for the processes of one machine; the newest signed checkpoint is beside it, suffix ``.signed``."""

    def __init__(self, lock_path: Path, seconds: float) -> None:
        self._lock_path = lock_path
        self._file = CheckpointFile(lock_path.with_suffix(".signed"))
        self._seconds = seconds

    def hold(self) -> AbstractContextManager[HeldLock]:
        """As `WriterLock.hold`."""
        return hold_lock_file(self._lock_path, self._seconds, LogBusy())

    def remembered(self) -> list[bytes]:
        """As `WriterLock.remembered`. Raises `StoreFault`."""
        return self._file.read()

    def remember(self, checkpoint: bytes, size: int) -> None:
        """As `WriterLock.remember`. Raises `StoreFault`."""
        self._file.write(checkpoint)


class DatabaseWriterLock:
    """A database lock that several machines share; the database keeps the newest signed checkpoint, which only grows.

    `file` is this machine's own copy, which a restored backup of the database does not change.
    """

    def __init__(
        self, log_sequence: LogSequence, locks: Locks, origin: str, file: CheckpointFile, seconds: float
    ) -> None:
        self._log_sequence = log_sequence
        self._locks = locks
        self._origin = origin
        self._file = file
        self._seconds = seconds

    def hold(self) -> AbstractContextManager[HeldLock]:
        """As `WriterLock.hold`. Raises `DatabaseFault`."""
        return self._locks.hold(_LOCK, self._seconds, LogBusy())

    def remembered(self) -> list[bytes]:
        """As `WriterLock.remembered`. Raises `DatabaseFault`, `StoreFault`."""
        head = self._log_sequence.checkpoint(self._origin)
        return [*([head] if head else []), *self._file.read()]

    def remember(self, checkpoint: bytes, size: int) -> None:
        """As `WriterLock.remember`. Raises `DatabaseFault`, `StoreFault`."""
        if not self._log_sequence.advance_checkpoint(self._origin, size, checkpoint):
            raise LogBusy
        self._file.write(checkpoint)
