"""Locks that one holder has at a time: between machines that share a database, or the processes of one machine.

Whoever dies lets go of what it held. On PostgreSQL a lock is an advisory lock of a connection that serves nothing else:
the server frees it when that connection ends, by `close`, by a crash, or when a machine no longer answers. With SQLite
it is a file held by `flock`, which the kernel frees; with a database in memory, a lock of this process.
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
from typing import Final, Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from repository.database.engine import LOCK_NOT_AVAILABLE, database_fault, in_memory, is_postgresql, sql_state
from repository.errors import Busy, DatabaseFault
from repository.localized import LocalizedText

_PAUSE: Final = 0.05
_LOST: Final = LocalizedText("锁已失去；请重试", "the lock was lost; try again")


class HeldLock(Protocol):
    """A lock while it is held."""

    def check(self) -> None:
        """Make sure that the lock is still held; call it just before what must not be done twice.

        Raises `DatabaseFault` when the lock may have been lost. By one thread at a time.
        """


class Locks(Protocol):
    """Locks by name. None may be taken again by whoever holds it: that would wait for itself."""

    def hold(self, name: str, seconds: float, busy: Busy) -> AbstractContextManager[HeldLock]:
        """Hold the lock `name`, waiting at most `seconds` for it.

        Raises `busy` when somebody else keeps it longer, and `DatabaseFault` when the database cannot be asked.
        """


def open_locks(engine: Engine, folder: Path) -> Locks:
    """The locks of those who share a database; `folder` is where lock files lie when it is a file of SQLite."""
    if is_postgresql(engine):
        return DatabaseLocks(engine)
    return MemoryLocks() if in_memory(engine) else FileLocks(folder)


class DatabaseLocks:
    """Advisory locks of PostgreSQL, each on a connection of its own. They need the server itself or a pooler of whole
    sessions: one that pools transactions would hand the lock to somebody else.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def hold(self, name: str, seconds: float, busy: Busy) -> Iterator[HeldLock]:
        """As `Locks.hold`. Those who wait get the lock in the order in which they came."""
        connection = self._connect()
        key = _number(name)
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
        # A connection found broken is opened anew by SQLAlchemy at its next use, without the lock.
        if self._connection.invalidated:
            raise DatabaseFault(reason=_LOST)
        try:
            self._connection.execute(text("SELECT 1"))
        except SQLAlchemyError as fault:
            raise DatabaseFault(reason=_LOST) from fault


def _number(name: str) -> int:
    """The name as the signed 64-bit number that PostgreSQL knows the lock by."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def _lock(connection: Connection, key: int, seconds: float) -> bool:
    """Whether the lock was had in time."""
    try:
        if connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}):
            return True
        milliseconds = int(seconds * 1000)
        if milliseconds <= 0:  # PostgreSQL takes 0 for no limit
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
    """Let go now: the server would notice a closed connection only a moment later. One that is gone holds nothing."""
    if not connection.invalidated:
        with suppress(SQLAlchemyError):
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})


class FileLocks:
    """Files held by `flock` in a folder, for the processes of one machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(self, name: str, seconds: float, busy: Busy) -> Iterator[HeldLock]:
        """As `Locks.hold`."""
        path = self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.lock"
        with _held(path, seconds, busy) as descriptor:
            yield _FileHold(path, descriptor)


class _FileHold:
    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def check(self) -> None:
        """The file that is held is worth nothing when another has taken its place."""
        try:
            same = os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            same = False
        if not same:
            raise DatabaseFault(reason=_LOST)


class MemoryLocks:
    """The same between the threads of one process."""

    def __init__(self) -> None:
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    @contextmanager
    def hold(self, name: str, seconds: float, busy: Busy) -> Iterator[HeldLock]:
        """As `Locks.hold`."""
        lock = self._locks[name]
        if not lock.acquire(timeout=max(seconds, 0)):
            raise busy
        try:
            yield _MemoryHold()
        finally:
            lock.release()


class _MemoryHold:
    def check(self) -> None:
        """Nothing takes a lock of this process away."""


@contextmanager
def hold_lock_file(path: Path, seconds: float, busy: Busy) -> Iterator[None]:
    """Hold the lock file at `path` between the processes of this machine, waiting at most `seconds` for it.

    Raises `busy` when somebody else keeps it longer.
    """
    with _held(path, seconds, busy):
        yield


@contextmanager
def _held(path: Path, seconds: float, busy: Busy) -> Iterator[int]:
    """The descriptor of a file that is held meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        deadline = time.monotonic() + seconds
        while not _take(file.fileno()):
            if time.monotonic() >= deadline:
                raise busy
            time.sleep(_PAUSE)
        yield file.fileno()


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
