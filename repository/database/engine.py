"""Database engine: opening, migration, transactions, and translation of errors.

Errors of the database become `DatabaseFault`, whose reason says in both languages what to do where that is known. The
pool recovers by itself from a server that was away: it tests a connection before it reuses it, and after one broken
connection it replaces all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import QueuePool

from repository.database.new_database import create_database
from repository.database.sqlite import prepare_connection, reader_of
from repository.errors import Busy, DatabaseFault
from repository.localized import LocalizedText

Sessions = sessionmaker[Session]

Result = TypeVar("Result")

OLDEST_POSTGRESQL: Final = 14
LOCK_NOT_AVAILABLE: Final = "55P03"
"""The SQLSTATE of a lock timeout in PostgreSQL."""

_VERSIONS: Final = "alembic_version"
_MIGRATION_LOCK: Final = 0x7368616E62656E
_MIGRATION_SECONDS: Final = 60

_POOL: Final[dict[str, Any]] = {
    "pool_size": 5,
    "max_overflow": 5,
    "pool_timeout": 15,  # seconds
    "pool_recycle": 1800,  # seconds: firewalls drop connections that are idle for longer
    "pool_pre_ping": True,
    "pool_use_lifo": True,
}
# A database in memory exists in its only connection, which threads use in turn.
_SHARED: Final[dict[str, Any]] = {
    "poolclass": QueuePool,
    "pool_size": 1,
    "max_overflow": 0,
    "connect_args": {"check_same_thread": False},
}
_CONNECTION: Final[dict[str, Any]] = {
    "connect_timeout": 5,  # seconds
    "application_name": "shanben",
    "keepalives_idle": 10,  # seconds
    "keepalives_interval": 5,  # seconds
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # milliseconds
}
# The server's side: it releases the locks of a machine that lost power as soon as the client would.
_SERVER_SIDE: Final[dict[str, str]] = {
    "statement_timeout": "60s",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
    "client_connection_check_interval": "5s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}

_RETRYABLE: Final = frozenset({"40001", "40P01", "23505"})
"""Serialisation failure, deadlock, and unique violation by a concurrent insert."""

_ATTEMPTS: Final = 5

_STATES: Final = {
    "25006": LocalizedText(
        "数据库为只读（备用服务器？）；请连接主服务器",
        "the database is read-only (a standby?); connect to the primary server",
    ),
    "42501": LocalizedText(
        "数据库用户权限不足；请授予该用户建表及读写权限",
        "the database user lacks permissions; let it create, read and write tables",
    ),
    "53100": LocalizedText("数据库服务器磁盘已满；请腾出空间", "the disk of the server is full; free some space"),
    "55P03": LocalizedText(
        "等待数据库锁超时；请稍后重试", "a lock of another transaction was not released in time; try again shortly"
    ),
    "57014": LocalizedText("数据库操作超时；请稍后重试", "a statement exceeded its time limit; try again shortly"),
    "57P01": LocalizedText("数据库服务器正在关闭；请稍后重试", "the server is shutting down; try again shortly"),
}
_UNREACHABLE: Final = LocalizedText(
    "无法连接服务器；请确认其已启动、地址无误",
    "the server cannot be reached; check that it is running and its address",
)
# A refused connection has no SQLSTATE, only a message, which is in the language of the server.
_MESSAGES: Final = {
    # These come first, because they too contain "database ".
    "starting up": LocalizedText("数据库服务器正在启动；请稍后重试", "the server is starting; try again shortly"),
    "not yet accepting connections": LocalizedText(
        "数据库服务器正在启动；请稍后重试", "the server is starting; try again shortly"
    ),
    "recovery mode": LocalizedText("数据库服务器正在恢复；请稍后重试", "the server is recovering; try again shortly"),
    "shutting down": LocalizedText(
        "数据库服务器正在关闭；请稍后重试", "the server is shutting down; try again shortly"
    ),
    "password": LocalizedText(
        "用户名或密码有误；请核对 SHANBEN_DATABASE", "the user name or password is wrong; check SHANBEN_DATABASE"
    ),
    "no pg_hba.conf entry": LocalizedText(
        "服务器不允许此连接；请修改 pg_hba.conf", "the server does not allow this connection; change pg_hba.conf"
    ),
    "role ": LocalizedText("没有此数据库用户；请先创建", "the database user does not exist; create it first"),
    "database ": LocalizedText(
        "没有此数据库；请先用 createdb 创建", "the database does not exist; create it with createdb"
    ),
    "too many clients": LocalizedText(
        "数据库连接数已满；请调高 max_connections", "the server has no free connections; raise max_connections"
    ),
    "connection slots": LocalizedText(
        "数据库连接数已满；请调高 max_connections", "the server has no free connections; raise max_connections"
    ),
    "connection refused": _UNREACHABLE,
    "timeout expired": _UNREACHABLE,
    "resolve host": _UNREACHABLE,
    "server closed the connection": _UNREACHABLE,
    "connection is lost": _UNREACHABLE,
    "connection is closed": _UNREACHABLE,
}
_EXHAUSTED: Final = LocalizedText(
    "本进程的数据库连接都在使用中；请稍后重试", "all database connections of this process are in use; try again shortly"
)


def open_database(url: str, *, read_only: bool = False) -> Engine:
    """Return an engine for `url` without connecting. Raises `DatabaseFault` for an invalid address.

    SQLite uses WAL, so that readers never wait for the writer, and waits 30 s for a lock; `read_only` says that its
    folder cannot be written. PostgreSQL is limited to ten connections for each process and has time limits for
    statements, locks and transactions; parameters of the address override the time limits.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, **_POOL, connect_args=_connection_arguments(parsed))
        if read_only and parsed.database and not _is_memory_url(parsed):
            return create_engine(parsed, creator=reader_of(Path(parsed.database)))
        engine = create_engine(parsed, **(_SHARED if _is_memory_url(parsed) else {}))
    except (ArgumentError, ImportError, ValueError) as fault:
        form = "postgresql+psycopg://user:password@host/database"
        reason = LocalizedText(f"地址应如 {form}（{fault}）", f"the address must have the form {form} ({fault})")
        raise DatabaseFault(reason=reason) from fault
    event.listen(engine, "connect", prepare_connection)
    return engine


def migrate(engine: Engine) -> None:
    """Migrate the tables to the newest revision, or create them. Repeating the call is harmless.

    Raises `DatabaseFault`, also when a newer release has migrated the tables or the server is too old, and `Busy` when
    another process is migrating them for too long.
    """
    try:
        newest = _newest_revision()
        with engine.connect() as connection:
            is_newest = _revision(connection) == newest
        if not is_newest:
            with engine.begin() as connection:
                _lock_tables(connection)
                if _revision(connection) is None:
                    create_database(connection, newest)
                else:
                    _upgrade(connection)
    except SQLAlchemyError as fault:
        if sql_state(fault) == LOCK_NOT_AVAILABLE:
            raise Busy(what=LocalizedText("数据库的升级", "the database migration")) from fault
        raise database_fault(fault) from fault


def _revision(connection: Connection) -> str | None:
    """Return the revision of the tables; None when there are none."""
    if not inspect(connection).has_table(_VERSIONS):
        return None
    return connection.exec_driver_sql(f"SELECT version_num FROM {_VERSIONS}").scalar()  # noqa: S608 - a constant


def _newest_revision() -> str:
    """Return the newest revision of this release, from the file names of the migrations (``0001_...py``)."""
    revisions = (
        file.name.partition("_")[0] for file in (files("repository.database") / "migrations" / "versions").iterdir()
    )
    return max(revision for revision in revisions if revision.isdigit())


def _upgrade(connection: Connection) -> None:
    # Imported here because Alembic takes long to load, and only the tables of an older release need it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(files("repository.database") / "migrations"))
    revisions = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    _refuse_newer(connection, revisions)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _lock_tables(connection: Connection) -> None:
    """Keep other processes from migrating until this transaction ends."""
    if connection.dialect.name == "sqlite":
        # Python's sqlite3 opens no transaction for DDL: a process killed midway would leave some of the tables.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif connection.dialect.name == "postgresql":
        _refuse_old(connection)
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_MIGRATION_SECONDS}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")


def _refuse_old(connection: Connection) -> None:
    required = OLDEST_POSTGRESQL
    version = connection.exec_driver_sql("SHOW server_version_num").scalar_one()
    if int(version) < required * 10_000:
        zh, en = (
            f"需要 PostgreSQL {required} 或更新版本，现为 {version}",
            f"PostgreSQL {required} or newer is required; the server has {version}",
        )
        raise DatabaseFault(reason=LocalizedText(zh, en))


def _refuse_newer(connection: Connection, revisions: set[str]) -> None:
    from alembic.migration import MigrationContext  # noqa: PLC0415 - as above

    unknown = [head for head in MigrationContext.configure(connection).get_current_heads() if head not in revisions]
    if unknown:
        zh = f"数据库已由更新版本的程序升级（{unknown[0]}）；请升级本程序"
        en = f"a newer release of this program has migrated the database ({unknown[0]}); upgrade this one"
        raise DatabaseFault(reason=LocalizedText(zh, en))


def is_postgresql(engine: Engine) -> bool:
    """Return whether the database is PostgreSQL, which several machines may share."""
    return engine.dialect.name == "postgresql"


def is_in_memory(engine: Engine) -> bool:
    """Return whether the database is SQLite in memory, which ends with the process."""
    return engine.dialect.name == "sqlite" and _is_memory_url(engine.url)


def sessions_of(engine: Engine) -> Sessions:
    """Return a factory of sessions whose objects stay readable after the transaction."""
    return sessionmaker(engine, expire_on_commit=False)


@contextmanager
def read_session(sessions: Sessions) -> Iterator[Session]:
    """Yield a session for reading. Raises `DatabaseFault`."""
    try:
        with sessions() as session:
            yield session
    except SQLAlchemyError as fault:
        raise database_fault(fault) from fault


@contextmanager
def write_session(sessions: Sessions) -> Iterator[Session]:
    """Yield the session of one transaction, committed at the end. Raises `DatabaseFault`."""
    try:
        with sessions.begin() as session:
            _begin(session)
            yield session
    except SQLAlchemyError as fault:
        raise database_fault(fault) from fault


def run_transaction(sessions: Sessions, action: Callable[[Session], Result]) -> Result:
    """Run `action` in one transaction and return its result. Raises `DatabaseFault`.

    The transaction is retried after a conflict with another one (a deadlock, or the same row inserted by both), so
    `action` must have no effect outside its session.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            with sessions.begin() as session:
                _begin(session)
                return action(session)
        except SQLAlchemyError as fault:
            if sql_state(fault) not in _RETRYABLE:
                raise database_fault(fault) from fault
    with write_session(sessions) as session:
        return action(session)


def lift_timeouts(session: Session) -> None:
    """Remove the time limits of the current transaction."""
    if session.get_bind().dialect.name == "postgresql":
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            session.connection().exec_driver_sql(f"SET LOCAL {name} = 0")


def commit_asynchronously(session: Session) -> None:
    """Let the current transaction commit without waiting for the disk (PostgreSQL's ``synchronous_commit``).

    If the server loses power within about a second, the transaction may be lost, together with all later ones, so the
    database stays consistent. SQLite waits regardless.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.connection().exec_driver_sql("SET LOCAL synchronous_commit = off")


def database_fault(fault: SQLAlchemyError) -> DatabaseFault:
    """Return the domain error for an error of SQLAlchemy."""
    return DatabaseFault(reason=_reason(fault))


def sql_state(fault: SQLAlchemyError) -> str | None:
    """Return PostgreSQL's five-character SQLSTATE (its manual, appendix A); None when the error has none."""
    return getattr(fault.orig, "sqlstate", None) if isinstance(fault, DBAPIError) else None


def _reason(fault: SQLAlchemyError) -> LocalizedText | str:
    if isinstance(fault, PoolExhausted):
        return _EXHAUSTED
    message = " ".join(str(fault.__cause__ or fault).split())
    if not isinstance(fault, DBAPIError):
        return message
    state = sql_state(fault)
    if type(fault.orig).__module__.startswith("sqlite3"):
        advice = _SQLITE_ERRORS.get(_sqlite_error(fault))
    elif state is not None:
        advice = _STATES.get(state)
    else:
        advice = next((text for words, text in _MESSAGES.items() if words in message.lower()), None)
    return LocalizedText(f"{advice.zh}（{message}）", f"{advice.en} ({message})") if advice else message


_NOT_WRITABLE: Final = LocalizedText(
    "数据库所在文件夹不可写；读取之外的操作，须先使其可写",
    "the folder of the database cannot be written; make it writable for anything but reading",
)
_DISK: Final = LocalizedText(
    "数据库所在磁盘已满或有故障；请腾出空间后重试，仍不行则检查磁盘",
    "the disk of the database is full or fails; free some space and try again. If that does not help, check the disk",
)
_SQLITE_ERRORS: Final = {
    "SQLITE_READONLY": _NOT_WRITABLE,
    "SQLITE_CANTOPEN": _NOT_WRITABLE,
    "SQLITE_FULL": _DISK,
    "SQLITE_IOERR": _DISK,  # SQLite reports it, too, when a full disk has no room for its shared memory
}


def _sqlite_error(fault: DBAPIError) -> str:
    """Return the primary code of an error of SQLite, such as SQLITE_READONLY; '' for other errors."""
    name: str = getattr(fault.orig, "sqlite_errorname", "")
    return "_".join(name.split("_")[:2])


def _begin(session: Session) -> None:
    """Begin a write transaction. SQLite would begin it at the first change, after others could change what was read."""
    if session.get_bind().dialect.name == "sqlite":
        session.connection().exec_driver_sql("BEGIN IMMEDIATE")


def _connection_arguments(url: URL) -> dict[str, Any]:
    arguments = {name: value for name, value in _CONNECTION.items() if name not in url.query}
    if "options" not in url.query:
        arguments["options"] = " ".join(f"-c {name}={value}" for name, value in _SERVER_SIDE.items())
    return arguments


def _is_memory_url(url: URL) -> bool:
    return url.database in (None, "", ":memory:")
