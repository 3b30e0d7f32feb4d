"""A provenance log in memory: a signing key that is not stored, and the writer lock of one process."""

from __future__ import annotations

import secrets
from contextlib import AbstractContextManager

from preservation.log.merkle import HASH_SIZE
from preservation.log.signing_key import Signer
from repository.database.locks import HeldLock, MemoryLocks
from repository.errors import LogBusy


def temporary_signer(origin: str) -> Signer:
    """Return a new key for the log `origin`."""
    return Signer(origin, secrets.token_bytes(HASH_SIZE))


class MemoryWriterLock:
    """A lock within one process, for a log whose store is in memory."""

    def __init__(self, seconds: float) -> None:
        self._locks = MemoryLocks()
        self._seconds = seconds
        self._remembered: list[bytes] = []

    def hold(self) -> AbstractContextManager[HeldLock]:
        """As `WriterLock.hold`."""
        return self._locks.hold("log", self._seconds, LogBusy())

    def remembered(self) -> list[bytes]:
        """As `WriterLock.remembered`."""
        return self._remembered

    def remember(self, checkpoint: bytes, size: int) -> None:
        """As `WriterLock.remember`."""
        self._remembered = [checkpoint]
