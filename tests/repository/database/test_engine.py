"""Addresses of databases that are not valid."""

from __future__ import annotations

import pytest

from repository.database.engine import open_database
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
