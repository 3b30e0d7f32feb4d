"""Fixtures for the databases of the repository, a SQLite file and PostgreSQL, new for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from database_server import PostgresServer
from sqlalchemy import Engine

from repository.database.engine import migrate, open_database

ENGINES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.integration))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server shared by the tests of this process. A test that stops it starts it again."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new, empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/catalogue.sqlite"
    return request.getfixturevalue("postgres").create_database()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """The engine of a new database with its tables, of each kind in turn."""
    engine = open_database(database_url)
    migrate(engine)
    yield engine
    engine.dispose()
