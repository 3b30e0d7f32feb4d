"""The SQL of a segment, a part of the search index: one SQLite file that is written once, then only read.

::

    meta(name, value)                      the format, and the characters that the texts of the segment have
    works(id, identifier, document)        the works; the document is opaque here (`iiif_server/search/documents.py`)
    blocks(id, body)                       the blocks of text; the id is that of the work, shifted by `BLOCK_BITS`, and
                                           a number (`iiif_server/search/blocks.py`)
    characters_{tier}                      FTS5 without content: a row for each block, a token a character
    pairs_exact                            FTS5 without content: a row for each block, a token each two characters
    record_{tier}                          FTS5 without content: a row for each work, a column for each field
    suggestions(folded, pinyin, initials, text, kind)

FTS5's tokenizer ``ascii`` keeps every character beyond ASCII, and splits at spaces. Each tier
(`iiif_server/search/fold.py`) has a table of its own, because a phrase of FTS5 has one token at each place. FTS5 reads
every place of every token of a phrase, and a common pair has a hundredth of the places of a common character. Pairs
take twice the space of characters, so that there is one table of them, which is asked for all forms of a phrase.
Segments are derived data and no part of the catalogue, so that SQLAlchemy does not know them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from repository.errors import StagingFault, SystemFault
from repository.localized import LocalizedText

FORMAT: Final = "3"
BLOCK_BITS: Final = 16
"""A work has fewer blocks than 1 << BLOCK_BITS."""

TIERS: Final = ("exact", "folded", "variant")
CHARACTERS: Final = "characters"
PAIRS: Final = "pairs"
"""The indexes of the text of blocks."""

_TEXT_TABLES: Final = (*(f"{CHARACTERS}_{tier}" for tier in TIERS), f"{PAIRS}_{TIERS[0]}")
"""The tables of text."""

FIELDS: Final = ("title", "person", "place", "class", "call_number", "other")
"""The fields of a record that are searched, each a column of the index."""

_OPTIMIZED_BLOCKS: Final = 64
_HASH_BYTES: Final = 32 << 20
_FTS: Final = "content='', tokenize='ascii', columnsize=0"
_COLUMNS: Final = ", ".join(f'"{name}"' for name in FIELDS)
_MARKS: Final = ", ".join("?" * len(FIELDS))

_SCHEMA: Final = f"""
    PRAGMA page_size = 8192;
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE works (id INTEGER PRIMARY KEY, identifier TEXT NOT NULL, document BLOB NOT NULL);
    CREATE TABLE blocks (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE suggestions (
        folded TEXT NOT NULL, pinyin TEXT NOT NULL, initials TEXT NOT NULL, text TEXT NOT NULL, kind TEXT NOT NULL
    );
    {"".join(f"CREATE VIRTUAL TABLE {name} USING fts5(t, {_FTS});" for name in _TEXT_TABLES)}
    {"".join(f"CREATE VIRTUAL TABLE record_{tier} USING fts5({_COLUMNS}, {_FTS});" for tier in TIERS)}
"""

_SUGGESTIONS: Final = """
    SELECT text, kind, count(*) FROM suggestions
    WHERE (:folded <> '' AND instr(folded, :folded) > 0)
       OR (:latin <> '' AND :latin IN (substr(pinyin, 1, length(:latin)), substr(initials, 1, length(:latin))))
    GROUP BY text, kind
    ORDER BY min(CASE WHEN instr(folded, :folded) = 1 THEN 0 ELSE 1 END), length(text), text LIMIT :limit
"""


class SegmentDamaged(SystemFault):
    """A local copy of a segment cannot be read; deleting it has it copied again."""

    code = "search.segment"
    text = LocalizedText(
        "检索索引的本机副本 {file} 无法读取（{reason}）；请删除该文件，程序会重新复制",
        "The local copy {file} of a part of the search index cannot be read ({reason}); delete it, and it is copied"
        " again",
    )


class SegmentWriter:
    """Writes one segment."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._blocks = 0

    def add_work(self, number: int, identifier: str, document: bytes) -> None:
        """Add a work; numbers count from 0."""
        self._database.execute("INSERT INTO works VALUES (?, ?, ?)", (number, identifier, document))

    def add_record(self, tier: str, number: int, columns: Sequence[str]) -> None:
        """Add the record of a work in a tier: the encoded tokens of each of `FIELDS`."""
        statement = f"INSERT INTO record_{tier}(rowid, {_COLUMNS}) VALUES (?, {_MARKS})"  # noqa: S608 - constants
        self._database.execute(statement, (number, *columns))

    def add_suggestions(self, rows: Sequence[tuple[str, str, str, str, str]]) -> None:
        """Add suggestions: folded text, pinyin, its initials, text, kind."""
        self._database.executemany("INSERT INTO suggestions VALUES (?, ?, ?, ?, ?)", rows)

    def add_block(self, row: int, body: bytes) -> None:
        """Add the body of a block."""
        self._blocks += 1
        self._database.execute("INSERT INTO blocks VALUES (?, ?)", (row, body))

    def add_text(self, index: str, tier: str, row: int, encoded: str) -> None:
        """Add the encoded text of a block to an index of a tier."""
        self._database.execute(f"INSERT INTO {index}_{tier}(rowid, t) VALUES (?, ?)", (row, encoded))  # noqa: S608

    def finish(self, characters: str) -> None:
        """Merge the parts of large tables into one, and note the `characters` of all texts."""
        meta = [("format", FORMAT), ("characters", characters)]
        self._database.executemany("INSERT INTO meta VALUES (?, ?)", meta)
        if self._blocks > _OPTIMIZED_BLOCKS:
            for name in _TEXT_TABLES:
                self._database.execute(f"INSERT INTO {name}({name}) VALUES ('optimize')")  # noqa: S608
        self._database.execute("CREATE INDEX works_identifier ON works (identifier)")


@contextmanager
def new_segment(path: Path) -> Iterator[SegmentWriter]:
    """Yield the writer of a new file, which is complete at the end. Raises `StagingFault`."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.executescript(_SCHEMA)
            for name in _TEXT_TABLES:
                statement = f"INSERT INTO {name}({name}, rank) VALUES ('hashsize', ?)"  # noqa: S608
                database.execute(statement, [_HASH_BYTES])
            database.execute("BEGIN")
            yield SegmentWriter(database)
            database.execute("COMMIT")
    except (OSError, sqlite3.Error) as fault:
        raise StagingFault(reason=str(fault)) from fault


class SegmentReader:
    """Reads a segment that nobody changes. A reader is used by one thread at a time. Raises `SegmentDamaged`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            # Immutable: SQLite then takes no locks, and the file may be deleted meanwhile.
            address = f"{path.absolute().as_uri()}?immutable=1&mode=ro"
            self._database = sqlite3.connect(address, uri=True, check_same_thread=False)
        except sqlite3.Error as fault:
            raise self._damaged(fault) from fault
        found = self._rows("SELECT value FROM meta WHERE name = 'format'", ())
        if found != [(FORMAT,)]:
            raise SegmentDamaged(file=path.name, reason=f"format {found}")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def works(self) -> Iterator[tuple[int, bytes]]:
        """Yield the number and the document of each work."""
        try:
            yield from self._database.execute("SELECT id, document FROM works ORDER BY id")
        except sqlite3.Error as fault:
            raise self._damaged(fault) from fault

    def characters(self) -> str:
        """Return all characters of the texts."""
        return str(self._rows("SELECT value FROM meta WHERE name = 'characters'", ())[0][0])

    def text_rows(self, index: str, tier: str, expression: str, work: int | None = None) -> str:
        """Return the blocks that an expression of FTS5 matches, in order, with commas; of one work if it is given.

        `index` is `CHARACTERS` or `PAIRS`. They are one text, because thousands of rows would be slow to fetch.
        """
        table = f"{index}_{tier}"
        condition = f"{table} MATCH ?"
        values: list[object] = [expression]
        if work is not None:
            condition += " AND rowid BETWEEN ? AND ?"
            values += [work << BLOCK_BITS, (work + 1 << BLOCK_BITS) - 1]
        return self._listed(f"SELECT rowid FROM {table} WHERE {condition} ORDER BY rowid", values)  # noqa: S608

    def record_rows(self, tier: str, expression: str) -> str:
        """Return the works whose records an expression of FTS5 matches, as `text_rows`."""
        query = f"SELECT rowid FROM record_{tier} WHERE record_{tier} MATCH ? ORDER BY rowid"  # noqa: S608 - a constant
        return self._listed(query, [expression])

    def block(self, row: int) -> bytes | None:
        """Return the body of a block; None if there is none."""
        found = self._rows("SELECT body FROM blocks WHERE id = ?", (row,))
        return found[0][0] if found else None

    def blocks_of(self, work: int) -> Iterator[bytes]:
        """Yield the bodies of a work's blocks, in order."""
        bounds = (work << BLOCK_BITS, (work + 1 << BLOCK_BITS) - 1)
        for (row,) in self._rows("SELECT id FROM blocks WHERE id BETWEEN ? AND ? ORDER BY id", bounds):
            body = self.block(row)
            if body is not None:
                yield body

    def suggestions(self, folded: str, latin: str, limit: int) -> list[tuple[str, str, int]]:
        """Return suggestions: text, kind, and how often; by a part of the text, or by the beginning of its pinyin."""
        return self._rows(_SUGGESTIONS, {"folded": folded, "latin": latin, "limit": limit})

    def _listed(self, query: str, values: Sequence[object]) -> str:
        return self._rows(f"SELECT group_concat(rowid) FROM ({query})", values)[0][0] or ""  # noqa: S608 - constants

    def _rows(self, query: str, values: Sequence[object] | Mapping[str, object]) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(query, values).fetchall()
        except sqlite3.Error as fault:
            raise self._damaged(fault) from fault

    def _damaged(self, fault: sqlite3.Error) -> SegmentDamaged:
        return SegmentDamaged(file=self._path.name, reason=str(fault))
