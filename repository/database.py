"""Opening the database and bringing it to the newest form.

Faults of the database leave this package as `DatabaseFault`, whose reason says in both languages what to do where that
is known. Those that a server which is away, or starts again, gives pass by themselves: the pool forgets every dead
connection and opens new ones, so that no process need be started anew.
"""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from repository.errors import DatabaseFault

Sessions = sessionmaker[Session]


def open_database(url: str) -> Engine:
    """An engine for `url`. SQLite gets WAL (readers never wait for the writer) and waits 30 s for a lock."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, pool_pre_ping=True)
        shared = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}} if _no_file(parsed) else {}
        engine = create_engine(parsed, **shared)
    except (ArgumentError, ImportError) as fault:
        raise DatabaseFault(reason=str(fault)) from fault
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def on_postgresql(engine: Engine) -> bool:
    """Whether the database is a server that several machines may share."""
    return engine.dialect.name == "postgresql"


def in_memory(engine: Engine) -> bool:
    """Whether the database is SQLite's and ends with this process."""
    return engine.dialect.name == "sqlite" and _no_file(engine.url)


def database_fault(fault: SQLAlchemyError) -> DatabaseFault:
    """A fault of the database, as this house tells it."""
    return DatabaseFault(reason=str(fault.__cause__ or fault).strip())


def sql_state(fault: SQLAlchemyError) -> str | None:
    """The five characters by which PostgreSQL names a fault (its manual, appendix A); None when it named none."""
    return getattr(fault.orig, "sqlstate", None) if isinstance(fault, DBAPIError) else None


def _no_file(url: URL) -> bool:
    return url.database in (None, "", ":memory:")


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def migrate(engine: Engine) -> None:
    """Bring the tables to the newest form; safe to repeat. Raises `DatabaseFault`."""
    config = Config()
    config.set_main_option("script_location", str(files("repository") / "migrations"))
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                # Python's sqlite3 opens no transaction for DDL: killed half-way, it would leave half the tables.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except SQLAlchemyError as fault:
        raise database_fault(fault) from fault


def sessions_of(engine: Engine) -> Sessions:
    """Sessions whose values stay readable after their transaction has ended."""
    return sessionmaker(engine, expire_on_commit=False)
