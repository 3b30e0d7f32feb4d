"""Opening the database and bringing it to the newest form."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
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
        in_memory = parsed.database in (None, "", ":memory:")
        shared = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}} if in_memory else {}
        engine = create_engine(parsed, **shared)
    except (ArgumentError, ImportError) as fault:
        raise DatabaseFault(reason=str(fault)) from fault
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


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
        raise DatabaseFault(reason=str(fault.__cause__ or fault)) from fault


def sessions_of(engine: Engine) -> Sessions:
    """Sessions whose values stay readable after their transaction has ended."""
    return sessionmaker(engine, expire_on_commit=False)
