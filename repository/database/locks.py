"""Named locks with one holder, between machines that share a database or between processes of one machine.

A lock is released when its holder dies. In PostgreSQL it is an advisory lock of a connection used for nothing else: the
server releases it when that connection ends, by `close`, by a crash, or when the machine no longer responds. With a
SQLite file it is a lock file held by `flock`, which the kernel releases; with a database in memory it is a lock of this
process. Locks are not reentrant.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, Final, Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from repository.database.engine import LOCK_NOT_AVAILABLE, database_fault, is_in_memory, is_postgresql, sql_state
from repository.errors import Busy, DatabaseFault, DependencyMissing
from repository.localized import LocalizedText

_PAUSE: Final = 0.05
_LOST: Final = LocalizedText("数据库锁已丢失；请重试", "the lock was lost; try again")


class HeldLock(Protocol):
    """A lock that is held."""

    def check(self) -> None:
        """Check that the lock is still held, just before an action that must not happen twice.

        Raises `DatabaseFault` when the lock may have been lost. Call it from one thread at a time.
        """


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
            raise DatabaseFault(reason=_LOST)
        try:
            self._connection.execute(text("SELECT 1"))
        except SQLAlchemyError as fault:
            raise DatabaseFault(reason=_LOST) from fault


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


class _FileHold:
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
            raise DatabaseFault(reason=_LOST)


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
