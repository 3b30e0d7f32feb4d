"""Named locks with one holder, between machines that share a database or between processes of one machine.

A lock is released when its holder dies. In PostgreSQL it is an advisory lock of a connection used for nothing else: the
server releases it when that connection ends, by `close`, by a crash, or when the machine no longer responds. With a
SQLite file it is a lock file held by `flock`, which the kernel releases; with a database in memory it is a lock of this
process. Locks are not reentrant.
"""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from repository.database.engine import LOCK_NOT_AVAILABLE, database_fault, is_in_memory, is_postgresql, sql_state
from repository.errors import Busy, DatabaseFault
from repository.storage.lock_files import LOST, HeldLock, hold_lock_file


class Locks(Protocol):
    """Named locks. They are not reentrant."""

    def hold(self, name: str, seconds: float, busy: Busy) -> AbstractContextManager[HeldLock]:
        """Hold the lock `name`, after waiting at most `seconds` for it.

        Raises `busy` when the lock is not released in time, and `DatabaseFault`.
        """


def open_locks(engine: Engine, folder: Path) -> Locks:
    """Return the locks of a database; `folder` holds the lock files when the database is a SQLite file."""
    if is_postgresql(engine):
        return DatabaseLocks(engine)
    return MemoryLocks() if is_in_memory(engine) else FileLocks(folder)


class DatabaseLocks:
    """Advisory locks of PostgreSQL, each on a connection of its own.

    They need a direct connection or session pooling: with transaction pooling another client would own the lock.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def hold(self, name: str, seconds: float, busy: Busy) -> Iterator[HeldLock]:
        """Hold a lock as `Locks.hold` says. The server grants it in the order of the requests."""
        connection = self._connect()
        key = _lock_key(name)
        try:
            if not _lock(connection, key, seconds):
                raise busy
            try:
                yield _DatabaseHold(connection)
            finally:
                _unlock(connection, key)
        finally:
            connection.close()

    def _connect(self) -> Connection:
        try:
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        except SQLAlchemyError as fault:
            raise database_fault(fault) from fault
        connection.detach()
        return connection


class _DatabaseHold:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def check(self) -> None:
        # SQLAlchemy reconnects a broken connection at its next use, without the lock.
        if self._connection.invalidated:
            raise DatabaseFault(reason=LOST)
        try:
            self._connection.execute(text("SELECT 1"))
        except SQLAlchemyError as fault:
            raise DatabaseFault(reason=LOST) from fault


def _lock_key(name: str) -> int:
    """Return the signed 64-bit key of an advisory lock."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def _lock(connection: Connection, key: int, seconds: float) -> bool:
    """Return whether the lock was granted in time."""
    try:
        if connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}):
            return True
        milliseconds = int(seconds * 1000)
        if milliseconds <= 0:  # PostgreSQL reads 0 as no limit
            return False
        for name, value in (("statement_timeout", 0), ("lock_timeout", milliseconds)):
            connection.execute(text("SELECT set_config(:name, :value, false)"), {"name": name, "value": str(value)})
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": key})
    except DBAPIError as fault:
        if sql_state(fault) == LOCK_NOT_AVAILABLE:
            return False
        raise database_fault(fault) from fault
    return True


def _unlock(connection: Connection, key: int) -> None:
    """Release the lock without waiting until the server notices the closed connection. A broken one holds nothing."""
    if not connection.invalidated:
        with suppress(SQLAlchemyError):
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})


class FileLocks:
    """Lock files in a folder, for the processes of one machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def hold(self, name: str, seconds: float, busy: Busy) -> AbstractContextManager[HeldLock]:
        """Hold a lock as `Locks.hold` says."""
        path = self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.lock"
        return hold_lock_file(path, seconds, busy)


class MemoryLocks:
    """Locks between the threads of one process."""

    def __init__(self) -> None:
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    @contextmanager
    def hold(self, name: str, seconds: float, busy: Busy) -> Iterator[HeldLock]:
        """Hold a lock as `Locks.hold` says."""
        lock = self._locks[name]
        if not lock.acquire(timeout=max(seconds, 0)):
            raise busy
        try:
            yield _MemoryHold()
        finally:
            lock.release()


class _MemoryHold:
    def check(self) -> None:
        """Return: a lock of this process cannot be lost."""
