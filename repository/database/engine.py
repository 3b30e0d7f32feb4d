"""Opening the database, bringing it to the newest form, and the one way to read and to write it.

Faults of the database leave this package as `DatabaseFault`, whose reason says in both languages what to do where that
is known. What goes wrong while a server is away passes by itself: a connection is tried before it is used again, and
one found dead makes the pool forget all of them, so that no process need be started anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from repository.errors import Busy, DatabaseFault
from repository.localized import LocalizedText

Sessions = sessionmaker[Session]

Result = TypeVar("Result")

OLDEST_POSTGRESQL: Final = 14
LOCK_NOT_AVAILABLE: Final = "55P03"
"""The state by which PostgreSQL says that a lock was not had in time."""

_VERSIONS: Final = "alembic_version"
_MIGRATION_LOCK: Final = 0x7368616E62656E
_MIGRATION_SECONDS: Final = 60

_POOL: Final[dict[str, Any]] = {
    "pool_size": 5,
    "max_overflow": 5,
    "pool_timeout": 15,  # seconds
    "pool_recycle": 1800,  # seconds: firewalls forget connections that are silent for longer
    "pool_pre_ping": True,
    "pool_use_lifo": True,
}
# A database in memory is its one connection, which threads take in turns.
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
# The server looks after its own end: what a machine that lost its power had locked is free again as soon.
_SERVER_SIDE: Final[dict[str, str]] = {
    "statement_timeout": "60s",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
    "client_connection_check_interval": "5s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}

_TRY_AGAIN: Final = frozenset({"40001", "40P01", "23505"})
"""Serialisation failure, deadlock, and a row that somebody else put there meanwhile."""

_ATTEMPTS: Final = 5

_STATES: Final = {
    "25006": LocalizedText(
        "数据库为只读（备用服务器？）；请连接主服务器", "it is read-only (a standby?); connect to the primary"
    ),
    "42501": LocalizedText(
        "数据库用户权限不足；请授予该用户建表及读写权限", "the user may not do this; grant it the rights"
    ),
    "53100": LocalizedText("数据库服务器磁盘已满；请腾出空间", "the disk of its server is full; make room"),
    "55P03": LocalizedText(
        "等待数据库锁超时；请稍后重试", "waited too long for what another transaction holds; try again shortly"
    ),
    "57014": LocalizedText("数据库操作超时；请稍后重试", "a statement took too long; try again shortly"),
    "57P01": LocalizedText("数据库服务器正在关闭；请稍后重试", "its server is shutting down; try again shortly"),
}
_AWAY: Final = LocalizedText(
    "无法连接服务器；请确认其已启动、地址无误", "its server is away; see that it runs and the address is right"
)
# A connection that was refused carries no code of PostgreSQL's, only words, in the language of its server.
_WORDS: Final = {
    # First: these too speak of "the database system".
    "starting up": LocalizedText("数据库服务器正在启动；请稍后重试", "its server is starting; try again shortly"),
    "not yet accepting connections": LocalizedText(
        "数据库服务器正在启动；请稍后重试", "its server is starting; try again shortly"
    ),
    "recovery mode": LocalizedText("数据库服务器正在恢复；请稍后重试", "its server is recovering; try again shortly"),
    "shutting down": LocalizedText(
        "数据库服务器正在关闭；请稍后重试", "its server is shutting down; try again shortly"
    ),
    "password": LocalizedText(
        "用户名或密码有误；请核对 SHANBEN_DATABASE", "wrong user or password; check SHANBEN_DATABASE"
    ),
    "no pg_hba.conf entry": LocalizedText(
        "服务器不允许此连接；请修改 pg_hba.conf", "the server does not let us in; see pg_hba.conf"
    ),
    "role ": LocalizedText("没有此数据库用户；请先创建", "there is no such user; create it first"),
    "database ": LocalizedText(
        "没有此数据库；请先用 createdb 创建", "there is no such database; make it with createdb"
    ),
    "too many clients": LocalizedText(
        "数据库连接数已满；请调高 max_connections", "too many connections; raise max_connections"
    ),
    "connection slots": LocalizedText(
        "数据库连接数已满；请调高 max_connections", "too many connections; raise max_connections"
    ),
    "connection refused": _AWAY,
    "timeout expired": _AWAY,
    "resolve host": _AWAY,
    "server closed the connection": _AWAY,
    "connection is lost": _AWAY,
    "connection is closed": _AWAY,
}
_EXHAUSTED: Final = LocalizedText(
    "本进程的数据库连接都在使用中；请稍后重试", "all connections of this process are in use; try again shortly"
)


def open_database(url: str) -> Engine:
    """An engine for `url`; nothing is connected yet. Raises `DatabaseFault` for what is no address of a database.

    SQLite gets WAL (readers never wait for the writer) and waits 30 s for a lock. PostgreSQL gets at most ten
    connections a process, and limits on how long anything may take; each may be set otherwise in the address.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, **_POOL, connect_args=_connection_arguments(parsed))
        engine = create_engine(parsed, **(_SHARED if _no_file(parsed) else {}))
    except (ArgumentError, ImportError, ValueError) as fault:
        form = "postgresql+psycopg://user:password@host/database"
        reason = LocalizedText(f"地址应如 {form}（{fault}）", f"its address is to read like {form} ({fault})")
        raise DatabaseFault(reason=reason) from fault
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def migrate(engine: Engine) -> None:
    """Bring the tables to the newest form; safe to repeat.

    Raises `DatabaseFault`, also when a newer program has changed the tables already or the server is too old, and
    `Busy` when another process is at it for long.
    """
    try:
        if _revision(engine) != _newest_revision():
            with engine.begin() as connection:
                _alone(connection)
                _upgrade(connection)
    except SQLAlchemyError as fault:
        if sql_state(fault) == LOCK_NOT_AVAILABLE:
            raise Busy(what=LocalizedText("数据库的升级", "the database")) from fault
        raise database_fault(fault) from fault


def _revision(engine: Engine) -> str | None:
    """The form that the tables have; None when there are none."""
    with engine.connect() as connection:
        if not inspect(connection).has_table(_VERSIONS):
            return None
        return connection.exec_driver_sql(f"SELECT version_num FROM {_VERSIONS}").scalar()  # noqa: S608 - a constant


def _newest_revision() -> str:
    """The newest form that this program knows, by the names of the steps: ``0001_...py``."""
    steps = (
        file.name.partition("_")[0] for file in (files("repository.database") / "migrations" / "versions").iterdir()
    )
    return max(step for step in steps if step.isdigit())


def _upgrade(connection: Connection) -> None:
    # Imported here because Alembic takes as long to load as a command that finds nothing to do takes in all.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(files("repository.database") / "migrations"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    _refuse_newer(connection, known)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _alone(connection: Connection) -> None:
    """Nobody else changes the tables until this transaction ends."""
    if connection.dialect.name == "sqlite":
        # Python's sqlite3 opens no transaction for DDL: killed half-way, it would leave half the tables.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif connection.dialect.name == "postgresql":
        _refuse_old(connection)
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_MIGRATION_SECONDS}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")


def _refuse_old(connection: Connection) -> None:
    asked = OLDEST_POSTGRESQL
    found = connection.exec_driver_sql("SHOW server_version_num").scalar_one()
    if int(found) < asked * 10_000:
        zh, en = (
            f"需要 PostgreSQL {asked} 或更新版本，现为 {found}",
            f"PostgreSQL {asked} or newer is needed, not {found}",
        )
        raise DatabaseFault(reason=LocalizedText(zh, en))


def _refuse_newer(connection: Connection, known: set[str]) -> None:
    from alembic.migration import MigrationContext  # noqa: PLC0415 - as above

    unknown = [head for head in MigrationContext.configure(connection).get_current_heads() if head not in known]
    if unknown:
        zh = f"数据库已由更新版本的程序升级（{unknown[0]}）；请升级本程序"
        en = f"a newer release of this program has changed it ({unknown[0]}); upgrade this one"
        raise DatabaseFault(reason=LocalizedText(zh, en))


def is_postgresql(engine: Engine) -> bool:
    """Whether the database is a server that several machines may share."""
    return engine.dialect.name == "postgresql"


def in_memory(engine: Engine) -> bool:
    """Whether the database is SQLite's and ends with this process."""
    return engine.dialect.name == "sqlite" and _no_file(engine.url)


def sessions_of(engine: Engine) -> Sessions:
    """Sessions whose values stay readable after their transaction has ended."""
    return sessionmaker(engine, expire_on_commit=False)


@contextmanager
def reading(sessions: Sessions) -> Iterator[Session]:
    """A session to read by. Raises `DatabaseFault`."""
    try:
        with sessions() as session:
            yield session
    except SQLAlchemyError as fault:
        raise database_fault(fault) from fault


@contextmanager
def writing(sessions: Sessions) -> Iterator[Session]:
    """One transaction, committed at the end. Raises `DatabaseFault`."""
    try:
        with sessions.begin() as session:
            _begin(session)
            yield session
    except SQLAlchemyError as fault:
        raise database_fault(fault) from fault


def write(sessions: Sessions, action: Callable[[Session], Result]) -> Result:
    """What `action` returns, done in one transaction.

    It is begun again when it met another transaction half-way (a deadlock, the same row put by both), so `action` does
    nothing but with its session. Raises `DatabaseFault`.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            with sessions.begin() as session:
                _begin(session)
                return action(session)
        except SQLAlchemyError as fault:
            if sql_state(fault) not in _TRY_AGAIN:
                raise database_fault(fault) from fault
    with writing(sessions) as session:
        return action(session)


def without_limits(session: Session) -> None:
    """Let this one transaction take as long as it needs."""
    if session.get_bind().dialect.name == "postgresql":
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            session.connection().exec_driver_sql(f"SET LOCAL {name} = 0")


def commit_asynchronously(session: Session) -> None:
    """Let this one transaction be committed without waiting for the disk.

    If the server loses its power within the next second it may be as if it had never been; others cannot tell, since
    what is committed after it is lost too. SQLite waits all the same.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.connection().exec_driver_sql("SET LOCAL synchronous_commit = off")


def database_fault(fault: SQLAlchemyError) -> DatabaseFault:
    """A fault of the database, as this house tells it."""
    return DatabaseFault(reason=_reason(fault))


def sql_state(fault: SQLAlchemyError) -> str | None:
    """The five characters by which PostgreSQL names a fault (its manual, appendix A); None when it named none."""
    return getattr(fault.orig, "sqlstate", None) if isinstance(fault, DBAPIError) else None


def _reason(fault: SQLAlchemyError) -> LocalizedText | str:
    if isinstance(fault, PoolExhausted):
        return _EXHAUSTED
    said = " ".join(str(fault.__cause__ or fault).split())
    if not isinstance(fault, DBAPIError) or type(fault.orig).__module__.startswith("sqlite3"):
        return said
    state = sql_state(fault)
    if state is not None:
        told = _STATES.get(state)
    else:
        told = next((text for words, text in _WORDS.items() if words in said.lower()), None)
    return LocalizedText(f"{told.zh}（{said}）", f"{told.en} ({said})") if told else said


def _begin(session: Session) -> None:
    """SQLite would begin at the first change, and so let others change what was read before."""
    if session.get_bind().dialect.name == "sqlite":
        session.connection().exec_driver_sql("BEGIN IMMEDIATE")


def _connection_arguments(url: URL) -> dict[str, Any]:
    given = {name: value for name, value in _CONNECTION.items() if name not in url.query}
    if "options" not in url.query:
        given["options"] = " ".join(f"-c {name}={value}" for name, value in _SERVER_SIDE.items())
    return given


def _no_file(url: URL) -> bool:
    return url.database in (None, "", ":memory:")


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
