"""A harvest of 100,000 works by OAI-PMH in each format: records a second, and how the memory of the server grows.

Works of two pages are written directly into the tables. The harvester asks for each page as the resumption token says;
the application answers in this process, whose memory is read after a tenth of the list and at its end.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "support"))

from publications import NOW, publication
from sqlalchemy import insert

from repository.config import Settings
from repository.database.change_tables import FeedRecordRow
from repository.database.engine import open_database, sessions_of
from repository.database.rows import access_values, work_values
from repository.database.tables import WorkRow
from repository.model.work import Dating, WorkAccess
from repository.repository import open_repository
from web.app import create_app

WORKS = 100_000
BATCH = 1000
TOKEN = re.compile(rb"<resumptionToken[^>]*>([^<]+)<")
MEBIBYTE = 1 << 20


def main() -> None:
    """Print the rows."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), base_url="https://books.example")
        repository = open_repository(settings)
        fill(settings)
        client = create_app(repository).test_client()
        for prefix in ("oai_dc", "mods", "marcxml", "mets"):
            records, seconds, growth = harvest(client, prefix)
            assert records == WORKS, records
            print(
                f"OAI-PMH, {prefix} | {WORKS:,} works, SQLite | {records / seconds:,.0f} records/s |"
                f" | memory {growth / MEBIBYTE:+.1f} MB after a tenth of the list",
                flush=True,
            )


def harvest(client, prefix: str) -> tuple[int, float, int]:
    """Return the number of records, the seconds, and how much memory was added after a tenth of them."""
    query, records, before = f"metadataPrefix={prefix}", 0, 0
    start = time.perf_counter()
    while True:
        answer = client.get(f"/oai?verb=ListRecords&{query}").data
        records += answer.count(b"<header>")
        if not before and records >= WORKS // 10:
            before = resident_bytes()
        token = TOKEN.search(answer)
        if token is None:
            return records, time.perf_counter() - start, resident_bytes() - before
        query = f"resumptionToken={token[1].decode()}"


def fill(settings: Settings) -> None:
    """Write the works and their records."""
    engine = open_database(settings.database_url)
    rows = row_pairs()
    with sessions_of(engine).begin() as session:
        while batch := list(islice(rows, BATCH)):
            session.execute(insert(WorkRow), [work for work, _ in batch])
            session.execute(insert(FeedRecordRow), [record for _, record in batch])
    engine.dispose()


def row_pairs() -> Iterator[tuple[dict[str, object], dict[str, object]]]:
    """Yield the row of each work and of its record."""
    for number in range(WORKS):
        made = publication(f"書 {number}").work
        dating = Dating("清乾隆間", "1736", "1795")
        record = replace(made.record, date=dating, holder="某圖書館", classification="經部·小學類", edition="刻本")
        work = replace(made, record=record)
        yield (
            {**work_values(work, 1, NOW), **access_values(WorkAccess(), pending=False)},
            {"work": work.identifier, "number": number, "time": NOW, "deleted": False, "class_set": "class:jing"},
        )


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
