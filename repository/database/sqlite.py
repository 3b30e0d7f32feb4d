"""Connections to SQLite: their settings, and databases that this process may only read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

_BUSY_SECONDS: Final = 30.0


def prepare_connection(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Set a new connection up for reading and writing; to be called by SQLAlchemy."""
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={_BUSY_SECONDS * 1000:.0f}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def reader_of(file: Path) -> Callable[[], sqlite3.Connection]:
    """Return a function that opens a connection for reading a database in a folder that cannot be written.

    SQLite coordinates with a writer through the files ``-wal`` and ``-shm`` (https://sqlite.org/wal.html#readonly),
    which it cannot create there. Without a ``-wal`` file nobody writes, and the file is read as it is.
    """
    address = f"file:{quote(str(file.absolute()))}"

    def connect() -> sqlite3.Connection:
        has_writer = file.with_name(f"{file.name}-wal").exists()
        mode = "mode=ro" if has_writer else "mode=ro&immutable=1"
        return sqlite3.connect(f"{address}?{mode}", uri=True, timeout=_BUSY_SECONDS, check_same_thread=False)

    return connect
