"""What a log says of every work, in a scratch file: for a restore, which may have no other database.

The file is a SQLite database of its own and may be deleted at any time. It keeps the memory of a restore independent of
the number of entries in the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, create_engine, select, text, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_BATCH: Final = 1000
_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class LoggedStatement:
    """What one event of the log says of a work: a digest, '' for none, and a version, 0 for none.

    An event that ends the work, because it was deleted, states neither. `accepted` is the version up to which a
    person accepted the loss of the work.
    """

    work: str
    sha256: str = ""
    version: int = 0
    ends: bool = False
    accepted: int = 0


@dataclass(frozen=True, slots=True)
class LoggedVersions:
    """A work that the log names: its newest version there, and the versions that the restored store holds."""

    work: str
    logged: int
    stored: int


class _Scratch(DeclarativeBase):
    """The tables of the scratch file."""


class LoggedDigestRow(_Scratch):
    """A digest that an event of a work states."""

    __tablename__ = "digests"

    work: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(primary_key=True)


class LoggedWorkRow(_Scratch):
    """A work that the log names."""

    __tablename__ = "works"

    work: Mapped[str] = mapped_column(primary_key=True)
    logged: Mapped[int]
    stored: Mapped[int]
    accepted: Mapped[int]


class LoggedWorks:
    """The index of one log. Used from one thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, statements: Iterable[LoggedStatement]) -> None:
        """Add what events say, in the order of the log."""
        batch: list[LoggedStatement] = []
        for statement in statements:
            batch.append(statement)
            if len(batch) == _BATCH:
                self._add(batch)
                batch = []
        self._add(batch)

    def digests_of(self, work: str) -> frozenset[str]:
        """Return every digest that the log states of a work."""
        with self._engine.connect() as connection:
            query = select(LoggedDigestRow.sha256).where(LoggedDigestRow.work == work)
            return frozenset(connection.scalars(query))

    def record_stored(self, work: str, versions: int) -> None:
        """Record how many versions of a work are stored; a work that the log does not name is not recorded."""
        change = update(LoggedWorkRow).where(LoggedWorkRow.work == work).values(stored=versions)
        with self._engine.begin() as connection:
            connection.execute(change)

    def lacking(self) -> Iterator[LoggedVersions]:
        """Yield the works of which the log names a version that is not stored, in the order of their identifiers."""
        last = ""
        while rows := self._lacking_after(last):
            yield from rows
            last = rows[-1].work

    def _lacking_after(self, last: str) -> list[LoggedVersions]:
        table = LoggedWorkRow
        is_lacking = (table.stored < table.logged, table.accepted < table.logged)
        query = select(table.work, table.logged, table.stored).where(table.work > last, *is_lacking)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(table.work).limit(_PAGE))
            return [LoggedVersions(row.work, row.logged, row.stored) for row in rows]

    def _add(self, statements: Sequence[LoggedStatement]) -> None:
        with self._engine.begin() as connection:
            for statement in statements:
                own = {"work": statement.work}
                if statement.ends:
                    connection.execute(text("DELETE FROM works WHERE work = :work"), own)
                    connection.execute(text("DELETE FROM digests WHERE work = :work"), own)
                    continue
                values = {"logged": max(statement.version, 1), "stored": 0, "accepted": statement.accepted}
                row = insert(LoggedWorkRow).values(work=statement.work, **values)
                newest = {name: text(f"max(works.{name}, excluded.{name})") for name in ("logged", "accepted")}
                connection.execute(row.on_conflict_do_update(index_elements=["work"], set_=newest))
                if statement.sha256:
                    digest = insert(LoggedDigestRow).values(work=statement.work, sha256=statement.sha256)
                    connection.execute(digest.on_conflict_do_nothing())


@contextmanager
def open_logged_works(folder: Path) -> Iterator[LoggedWorks]:
    """Yield an empty index in a scratch folder."""
    engine = create_engine(f"sqlite:///{folder / 'log.sqlite'}")
    try:
        with engine.begin() as connection:
            connection.execute(text("PRAGMA journal_mode = OFF"))
            connection.execute(text("PRAGMA synchronous = OFF"))
        _Scratch.metadata.create_all(engine)
        yield LoggedWorks(engine)
    finally:
        engine.dispose()
