"""Who may write the provenance log, and what was signed last: state of this machine, never of the store.

The store may be rolled back (a restored backup, a replica that lagged). Signing on from there would give two histories
in one log's name. So the newest checkpoint signed is kept here, outside the store, before anyone else can see it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from repository.durable import sync_folder, write_all
from repository.errors import LogBusy, StoreFault
from repository.locks import exclusive


class LogGuard(Protocol):
    """One writer at a time, and what it signed last."""

    def hold(self) -> AbstractContextManager[None]:
        """Hold the log for writing. Raises `LogBusy` when somebody else keeps it too long."""

    def signed(self) -> bytes | None:
        """The newest checkpoint signed here; None before the first."""

    def remember(self, checkpoint: bytes) -> None:
        """Keep a checkpoint just signed; durable when it returns. Only while holding."""


class FileGuard:
    """A lock file between the processes of one machine, and beside it ``.signed``: the newest checkpoint signed."""

    def __init__(self, lock_path: Path, seconds: float) -> None:
        self._lock_path = lock_path
        self._signed_path = lock_path.with_suffix(".signed")
        self._seconds = seconds

    def hold(self) -> AbstractContextManager[None]:
        """Hold the log for writing. Raises `LogBusy` when somebody else keeps it too long."""
        return exclusive(self._lock_path, self._seconds, LogBusy())

    def signed(self) -> bytes | None:
        """The newest checkpoint signed here; None before the first. Raises `StoreFault`."""
        try:
            return self._signed_path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as fault:
            raise StoreFault(key=self._signed_path.name, reason=fault.strerror) from fault

    def remember(self, checkpoint: bytes) -> None:
        """Keep a checkpoint just signed; durable when it returns. Raises `StoreFault`."""
        temporary = self._signed_path.with_suffix(".signing")
        try:
            with temporary.open("wb") as file:
                write_all(file.fileno(), checkpoint)
            temporary.replace(self._signed_path)
            sync_folder(str(self._signed_path.parent))
        except OSError as fault:
            raise StoreFault(key=self._signed_path.name, reason=fault.strerror) from fault


class MemoryGuard:
    """The same within one process: for a log whose store is memory too."""

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._seconds = seconds
        self._signed: bytes | None = None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the log for writing. Raises `LogBusy` when another thread keeps it too long."""
        if not self._lock.acquire(timeout=self._seconds):
            raise LogBusy
        try:
            yield
        finally:
            self._lock.release()

    def signed(self) -> bytes | None:
        """The newest checkpoint signed here; None before the first."""
        return self._signed

    def remember(self, checkpoint: bytes) -> None:
        """Keep a checkpoint just signed."""
        self._signed = checkpoint
