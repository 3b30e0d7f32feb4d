"""The database layer on PostgreSQL: killed and restarted servers, concurrent machines, refusals."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from publications import NOW, publication
from sqlalchemy import make_url

from repository.clock import system_clock
from repository.database import engine as engine_module
from repository.database.catalogue import Catalogue
from repository.database.engine import migrate, open_database, sessions_of
from repository.database.locks import open_locks
from repository.database.outbox import Jobs, NewJob
from repository.errors import Busy, DatabaseFault

pytestmark = pytest.mark.integration

MIGRATION = """
import sys
from repository.database.engine import migrate, open_database
migrate(open_database(sys.argv[1]))
"""


@pytest.fixture
def engine(database_url):
    engine = open_database(database_url)
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def catalogue(engine):
    return Catalogue(sessions_of(engine))


def test_machines_that_start_together_create_the_tables_once(database_url):
    command = [sys.executable, "-c", MIGRATION, database_url]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(4)]
    assert [(process.communicate()[1], process.returncode) for process in started] == [(b"", 0)] * 4
    assert Catalogue(sessions_of(open_database(database_url))).counts().works == 0


def test_a_process_reconnects_when_a_killed_server_returns(postgres, engine, catalogue):
    jobs = Jobs(sessions_of(engine), system_clock)
    catalogue.publish(publication("甲"), (), NOW)
    with ThreadPoolExecutor(4) as threads:  # so that the pool holds several connections, all of which break
        list(threads.map(lambda _: catalogue.counts(), range(16)))
    postgres.kill()
    try:
        for question in (
            catalogue.counts,
            catalogue.works,
            lambda: catalogue.image("i1"),
            lambda: catalogue.publish(publication("乙"), (), NOW),
            lambda: catalogue.works_accessioned(NOW, NOW),
            jobs.counts,
            lambda: jobs.get("journal"),
            lambda: jobs.due(1),
            lambda: jobs.enqueue(NewJob("journal", "journal", {})),
        ):
            with pytest.raises(DatabaseFault, match="无法连接服务器.*the server cannot be reached"):
                question()
    finally:
        postgres.start()
    catalogue.publish(publication("乙"), (), NOW)
    assert catalogue.counts().works == 2


def test_an_interrupted_transaction_changes_nothing(postgres, catalogue):
    catalogue.publish(publication("甲"), (), NOW)

    def publications():
        yield publication("乙")
        postgres.kill()
        yield publication("丙")

    try:
        with pytest.raises(DatabaseFault):
            catalogue.rebuild(publications())
    finally:
        postgres.start()
    assert [work.title for work in catalogue.works()] == ["甲"]
    assert catalogue.counts().works == 1


def test_a_lock_is_lost_with_its_connection_and_stays_lost(postgres, engine, tmp_path):
    locks = open_locks(engine, tmp_path)
    with locks.hold("a", 0, Busy(what="a")) as hold:
        postgres.kill()
        try:
            with pytest.raises(DatabaseFault, match="锁已丢失"):
                hold.check()
        finally:
            postgres.start()
        with locks.hold("a", 5, Busy(what="a")) as other:
            other.check()
            with pytest.raises(DatabaseFault, match="锁已丢失"):
                hold.check()


def test_many_locks_leave_the_connections_of_the_pool_free(engine, catalogue, tmp_path):
    locks = open_locks(engine, tmp_path)
    holds = [locks.hold(f"lock {number}", 0, Busy(what="x")) for number in range(20)]
    for lock in holds:
        lock.__enter__()
    assert catalogue.counts().works == 0
    for lock in holds:
        lock.__exit__(None, None, None)


def test_refusals_of_the_server_are_reported_in_both_languages(postgres, database_url):
    with postgres.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN")
    given = make_url(database_url)
    refusals = {
        given.set(database="nowhere"): "没有此数据库.*the database does not exist",
        given.set(username="nobody"): "没有此数据库用户.*the database user does not exist",
        given.set(username="reader"): "权限不足.*the database user lacks permissions",
        given.set(port=1): "无法连接服务器.*the server cannot be reached",
        given.set(host="no.such.host.invalid"): "无法连接服务器.*the server cannot be reached",
    }
    for url, words in refusals.items():
        with pytest.raises(DatabaseFault, match=words):
            migrate(open_database(url.render_as_string(hide_password=False)))


def test_a_wrong_password_is_reported_without_the_password(postgres, database_url):
    rules = postgres.folder / "cluster" / "pg_hba.conf"
    before = rules.read_text()
    url = make_url(database_url).set(username="guarded", password="a secret of mine")
    with postgres.connect() as connection:
        connection.execute("CREATE ROLE guarded LOGIN PASSWORD 'another'")
        rules.write_text(f"host all guarded 127.0.0.1/32 scram-sha-256\n{before}")
        connection.execute("SELECT pg_reload_conf()")
        try:
            with pytest.raises(DatabaseFault, match="密码有误.*the user name or password is wrong") as raised:
                _migrate_until_refused(url.render_as_string(hide_password=False))
        finally:
            rules.write_text(before)
            connection.execute("SELECT pg_reload_conf()")
    assert "a secret of mine" not in str(raised.value)


def _migrate_until_refused(address):
    """Migrate until the password is refused: the server reloads its rules asynchronously."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            migrate(open_database(address))
        except DatabaseFault as fault:
            if "permission denied" not in str(fault):
                raise
        time.sleep(0.05)


def test_a_server_that_is_too_old_is_reported(database_url, monkeypatch):
    monkeypatch.setattr(engine_module, "OLDEST_POSTGRESQL", 99)
    with pytest.raises(DatabaseFault, match="需要 PostgreSQL 99.*PostgreSQL 99 or newer"):
        migrate(open_database(database_url))


def test_statements_have_timeouts(engine, catalogue):
    catalogue.publish(publication("甲"), (), NOW)
    with engine.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "application_name")
        }
    assert list(settings.values()) == ["1min", "30s", "1min", "shanben"]


def test_the_database_address_overrides_our_options(database_url):
    engine = open_database(f"{database_url}?options=-c%20statement_timeout%3D5s&application_name=reading-room")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar_one() == "5s"
        assert connection.exec_driver_sql("SHOW application_name").scalar_one() == "reading-room"
