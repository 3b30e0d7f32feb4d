"""A provenance log in memory: a signing key that is not stored, and the writer lock of one process."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from preservation.log.merkle import HASH_SIZE
from preservation.log.signing_key import Signer
from repository.database.locks import HeldLock
from repository.errors import LogBusy


def temporary_signer(origin: str) -> Signer:
    """Return a new key for the log `origin`."""
    return Signer(origin, secrets.token_bytes(HASH_SIZE))


class _Hold:
    def check(self) -> None:
        """Do nothing: the lock is held."""


class MemoryWriterLock:
    """A lock within one process, for a log whose store is in memory."""

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._seconds = seconds
        self._remembered: list[bytes] = []

    @contextmanager
    def hold(self) -> Iterator[HeldLock]:
        """As `WriterLock.hold`."""
        if not self._lock.acquire(timeout=self._seconds):
            raise LogBusy
        try:
            yield _Hold()
        finally:
            self._lock.release()

    def remembered(self) -> list[bytes]:
        """As `WriterLock.remembered`."""
        return self._remembered

    def remember(self, checkpoint: bytes, size: int) -> None:
        """As `WriterLock.remember`."""
        self._remembered = [checkpoint]
