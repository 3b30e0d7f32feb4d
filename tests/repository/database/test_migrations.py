"""A database gets its tables at once when it is new, and by migrations when an older release made it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from publications import publication
from sqlalchemy import Connection, Engine, MetaData, inspect, select

from repository.database import engine as engine_module
from repository.database.changes import ChangeFeed
from repository.database.engine import migrate, open_database, sessions_of
from repository.database.harvest import Harvests
from repository.database.rows import access_values, work_values
from repository.database.tables import Table
from repository.errors import DatabaseFault
from repository.model.changes import RecordRange
from repository.model.work import WorkAccess, WorkState

BEFORE_THE_FEED = "0017"


@pytest.fixture
def empty(database_url):
    engine = open_database(database_url)
    yield engine
    engine.dispose()


# A process of its own, where no other module has declared tables.
MIGRATION = "import sys; from repository.database.engine import *; migrate(open_database(sys.argv[1]))"


@pytest.fixture
def by_migrations(monkeypatch) -> None:
    """Have all migrations make the tables of a new database, one after another, as older releases did."""
    monkeypatch.setattr(engine_module, "create_database", lambda connection, _: engine_module._upgrade(connection))


def content(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every table; random bytes as their length."""
    tables = MetaData()
    tables.reflect(connection)
    return {
        name: sorted(({key: len(v) if isinstance(v, bytes) else v for key, v in row.items()} for row in rows), key=str)
        for name, table in tables.tables.items()
        for rows in [connection.execute(select(table)).mappings()]
    }


def schema(connection: Connection) -> dict[str, Any]:
    """Return every table: its columns by name, its keys, constraints and indexes; types as the database writes them."""
    inspector = inspect(connection)
    return {
        name: {
            "columns": {
                column["name"]: (column["type"].compile(connection.dialect), column["nullable"])
                for column in inspector.get_columns(name)
            },
            "primary key": inspector.get_pk_constraint(name),
            "foreign keys": sorted(inspector.get_foreign_keys(name), key=str),
            "unique": sorted(inspector.get_unique_constraints(name), key=str),
            "indexes": sorted(map(plain, inspector.get_indexes(name)), key=str),
            "checks": sorted(inspector.get_check_constraints(name), key=str),
        }
        for name in inspector.get_table_names()
    }


def plain(index: Any) -> dict[str, Any]:
    """Return an index with its condition as text."""
    options = {key: str(value) for key, value in index.get("dialect_options", {}).items()}
    return {**index, "dialect_options": options}


def drop_everything(engine: Engine) -> None:
    with engine.begin() as connection:
        tables = MetaData()
        tables.reflect(connection)
        tables.drop_all(connection)


def test_a_new_database_equals_one_that_was_migrated_from_the_first_release(database_url, empty, by_migrations):
    subprocess.run([sys.executable, "-c", MIGRATION, database_url], check=True)
    with empty.connect() as connection:
        created = schema(connection), content(connection)
    drop_everything(empty)
    migrate(empty)
    with empty.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
        assert created == (schema(connection), content(connection))


def test_migrating_again_changes_nothing(engine):
    with engine.connect() as connection:
        before = schema(connection), content(connection)
    migrate(engine)
    with engine.connect() as connection:
        assert (schema(connection), content(connection)) == before


class Died(BaseException):
    """The process ended."""


def then_die(function):
    def run(*arguments):
        function(*arguments)
        raise Died

    return run


def assert_nothing_is_left_by_a_death_after(module, function, engine, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(module, function, then_die(getattr(module, function)))
        with pytest.raises(Died):
            migrate(engine)
    assert inspect(engine).get_table_names() == []
    migrate(engine)
    assert "works" in inspect(engine).get_table_names()


def test_a_process_that_dies_before_the_tables_are_created_leaves_none(empty, monkeypatch):
    assert_nothing_is_left_by_a_death_after(engine_module, "create_database", empty, monkeypatch)


def test_a_process_that_dies_during_migrations_leaves_no_table(empty, monkeypatch, by_migrations):
    assert_nothing_is_left_by_a_death_after(command, "upgrade", empty, monkeypatch)


def test_tables_of_a_newer_release_are_not_migrated(engine):
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'beyond'")
    with pytest.raises(DatabaseFault, match="更新版本.*newer release"):
        migrate(engine)


def test_works_in_public_view_of_an_older_release_are_in_the_feed_of_changes(empty, monkeypatch):
    with monkeypatch.context() as older:
        older.setattr(engine_module, "create_database", lambda connection, _: engine_module._upgrade(connection))
        upgrade = command.upgrade
        older.setattr(command, "upgrade", lambda config, _: upgrade(config, BEFORE_THE_FEED))
        migrate(empty)
    with empty.begin() as connection:
        tables = MetaData()
        tables.reflect(connection, only=["works", "harvest_sources"])
        source = {"name": "a", "url": "https://a", "settings": {"kind": "iiif"}, "state": {"rules": 3, "since": "t"}}
        connection.execute(tables.tables["harvest_sources"].insert(), source)
        for name, day, state in (("b", "02", "published"), ("a", "03", "published"), ("c", "01", "withdrawn")):
            made = publication(name, f"2026-01-{day}T00:00:00Z").work
            values = work_values(
                replace(made, record=replace(made.record, classification="經部·易類")), 1, made_on(day)
            )
            access = access_values(WorkAccess(WorkState(state)), pending=False)
            connection.execute(tables.tables["works"].insert(), {**values, **access})
    migrate(empty)
    feed = ChangeFeed(sessions_of(empty))
    works = [publication(name).work.identifier for name in ("b", "a")]
    assert [(each.number, each.kind.value, each.work, each.time) for each in feed.activities(0, 9)] == [
        (0, "Create", works[0], made_on("02")),
        (1, "Create", works[1], made_on("03")),
    ]
    assert [each.identifier for each in feed.records(RecordRange(within="class:jing"), 9)] == works
    assert feed.size() == 2
    state = Harvests(sessions_of(empty)).source("a").state
    assert (state.rules, state.since) == (0, "t"), "the next run makes all records again, with their sizes"


def made_on(day: str) -> str:
    return f"2026-01-{day}T00:00:00Z"
