"""One dialect and one cache of compiled statements for all SQLite engines of a test process.

An engine of SQLAlchemy compiles each statement once, for its own dialect. Tests open thousands of databases, each with
an engine of its own: without this, compiling the same statements again takes a seventh of their processor time.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy
from sqlalchemy import URL, Engine
from sqlalchemy.util import LRUCache

from repository.database import engine as engine_module

_STATEMENTS = 5000


def share_dialect() -> None:
    """Let `open_database` return engines that share what they compile."""
    cache: LRUCache[Any, Any] = LRUCache(_STATEMENTS)
    first = sqlalchemy.create_engine("sqlite://")
    first.connect().close()  # The first connection of an engine fills in what its dialect knows of the server.
    dialect = first.dialect

    def create_engine(url: URL, **options: Any) -> Engine:
        engine = sqlalchemy.create_engine(url, **options)
        if url.get_backend_name() != "sqlite":
            return engine
        shared = Engine(engine.pool, dialect, engine.url)
        shared.update_execution_options(compiled_cache=cache)
        return shared

    engine_module.create_engine = create_engine  # type: ignore[attr-defined]
