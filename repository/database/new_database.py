"""The tables of a new database, created at once from their classes, with their first rows.

They equal those that all migrations create one after another, but for defaults that migrations gave to columns added
beside existing rows (a test compares both). This way needs no Alembic, which takes ten times as long.
"""

from __future__ import annotations

import secrets
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Column, Connection, MetaData, String, create_mock_engine, insert
from sqlalchemy import Table as CoreTable

from repository.database import (
    change_tables,
    deletion_tables,
    fixity_tables,
    harvest_tables,
    partner_tables,
    report_tables,
    search_tables,
)
from repository.database.change_tables import FEED, FeedHeadRow
from repository.database.counters import COUNTERS
from repository.database.search_tables import SEARCH_HEAD
from repository.database.tables import CounterRow, SecretRow, Table

DECLARED_IN: Final = (
    change_tables,
    deletion_tables,
    fixity_tables,
    harvest_tables,
    partner_tables,
    report_tables,
    search_tables,
)
"""The modules beside `tables` whose import declares tables."""

COOKIES: Final = "cookies"
"""The name of the secret with which the web processes sign cookies. They may be unable to write the database."""

_REVISIONS: Final = CoreTable(
    "alembic_version",
    MetaData(naming_convention={"pk": "%(table_name)s_pkc"}),
    Column("version_num", String(32), primary_key=True),
)
"""Alembic's own table."""


def create_database(connection: Connection, revision: str) -> None:
    """Create all tables in an empty database, as of `revision`, the newest. The caller commits."""
    for statement in _definitions(connection.engine.url.drivername):
        connection.exec_driver_sql(statement)
    connection.execute(insert(_REVISIONS), [{"version_num": revision}])
    connection.execute(insert(CounterRow), [{"name": name, "value": 0} for name in COUNTERS])
    connection.execute(insert(FeedHeadRow), [{"name": name, "size": 0, "time": ""} for name in (FEED, SEARCH_HEAD)])
    connection.execute(insert(SecretRow), [{"name": COOKIES, "value": secrets.token_bytes(32)}])


@lru_cache(maxsize=2)
def _definitions(driver: str) -> tuple[str, ...]:
    """Return the statements that create all tables and indexes.

    Compiling them takes ten times as long as SQLite takes to run them, and tests make a thousand databases.
    """
    statements: list[str] = []

    def keep(definition: Any, *_: object, **__: object) -> None:
        statements.append(str(definition.compile(dialect=engine.dialect)))

    engine = create_mock_engine(f"{driver}://", keep)
    for tables in (_REVISIONS.metadata, Table.metadata):
        tables.create_all(engine, checkfirst=False)
    return tuple(statements)
