"""Faults of databases: addresses that are not valid, and a full disk."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from repository.database.engine import database_fault, open_database
from repository.errors import DatabaseFault


@pytest.mark.parametrize("url", ["nonsense", "postgresql+nope://u:p@host/d", "postgresql+psycopg://u:p@host:port/d"])
def test_invalid_database_addresses_are_reported_in_each_language(url: str) -> None:
    with pytest.raises(DatabaseFault) as raised:
        open_database(url)
    message = raised.value.message
    assert all("postgresql+psycopg://user:password@host/database" in words for words in (message.zh, message.en))
    assert "should" not in message.zh
    assert "is to" not in message.zh
    assert "地址" not in message.en


def test_full_database_of_sqlite_says_what_to_do() -> None:
    with create_engine("sqlite://").connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x)")
        connection.exec_driver_sql("PRAGMA max_page_count = 2")
        with pytest.raises(OperationalError) as full:
            connection.exec_driver_sql("INSERT INTO t VALUES (zeroblob(100000))")
    assert_names_the_disk(full.value)


def test_database_on_a_full_disk_says_what_to_do_when_it_is_opened() -> None:
    """A full disk has no room for SQLite's shared memory. Filling one needs root, so the error is made here."""
    fault = sqlite3.OperationalError("disk I/O error")
    fault.sqlite_errorname = "SQLITE_IOERR_SHMSIZE"
    assert_names_the_disk(OperationalError("", {}, fault))


def assert_names_the_disk(fault: OperationalError) -> None:
    message = database_fault(fault).message
    assert "free some space" in message.en
    assert "请腾出空间" in message.zh
    assert str(fault.orig) in message.en
