"""``/preservation`` with 1,000,000 files recorded in two stores, of 10,000 works: the time to answer, as a conservator.

The rows are written directly into the tables. The page states all that it states of a real repository: totals by store
and class, sweeps, 50 of 1,000 open findings, holdings, growth.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "support"))

from database_server import PostgresServer
from sqlalchemy import Engine, insert

from repository.clock import system_clock
from repository.config import Settings
from repository.database.counters import recount
from repository.database.engine import open_database, sessions_of
from repository.database.fixity_tables import FixityFileRow, FixityFindingRow, FixityTallyRow, FixityUnitRow
from repository.database.fixity_values import FileClass, FileResult, SweepState, UnitKind, day_of, seconds_of
from repository.database.holdings import Amount, add_to_holdings
from repository.database.rows import access_values, work_values
from repository.database.tables import ReplicaCopyRow, WorkRow
from repository.identifiers import Kind, mint
from repository.model.accounts import Role
from repository.model.work import Record, Work, WorkAccess
from repository.repository import Repository, open_repository
from repository.storage.store import open_replicas
from web.app import create_app

WORKS, FILES = 10_000, 50
"""Works, and files of a work in each store: 1,000,000 in two stores."""

ROUNDS = 40
MASTER_BYTES = 60_000_000
NOW = system_clock()
CLASSES = (FileClass.MASTERS,) * 44 + (FileClass.METADATA,) * 6


def main() -> None:
    """Print a row for each kind of database."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(PostgresServer())
        for name, address in (("PostgreSQL", server.create_database()), ("SQLite", "")):
            settings = Settings(data=folder / name, database=address, replicas=(str(folder / f"{name}-copy"),))
            settings.data.mkdir()
            repository = open_repository(settings)
            repository = replace(repository, replicas=open_replicas(settings))
            started = time.perf_counter()
            fill(repository, open_database(settings.database_url))
            print(f"{name}: filled in {time.perf_counter() - started:.0f} s", file=sys.stderr)
            times = [seconds * 1000 for seconds in ask(repository)]
            figures = f"{statistics.median(times):.0f} ms | slowest of {ROUNDS}: {max(times):.0f} ms"
            print(f"/preservation | {2 * WORKS * FILES:,} files, {name} | {figures}", flush=True)


def ask(repository: Repository) -> Iterator[float]:
    """Yield the seconds of each answer."""
    repository.accounts.add("conservator", Role.CONSERVATOR, "$argon2id$none")
    client = create_app(repository).test_client()
    with client.session_transaction() as session:
        session["login"] = repository.account_sessions.start("conservator")
    for number in range(-2, ROUNDS):
        started = time.perf_counter()
        answer = client.get("/preservation")
        seconds = time.perf_counter() - started
        assert answer.status_code == 200
        assert f"{WORKS * 44:,}" in answer.text, "the page states the masters"
        if number >= 0:
            yield seconds


def fill(repository: Repository, engine: Engine) -> None:
    """Write the rows."""
    (replica,) = repository.replicas
    sessions, works = sessions_of(engine), [mint(Kind.WORK, f"bench {number}") for number in range(WORKS)]
    today, seconds = day_of(NOW), seconds_of(NOW)
    for start in range(0, WORKS, 200):
        some = works[start : start + 200]
        with sessions.begin() as session:
            session.execute(insert(WorkRow), [work_row(work, start) for work in some])
            verified = {"version": 1, "verified": "2026-01-01T00:00:00Z"}
            session.execute(insert(ReplicaCopyRow), [{"work": work, "store": replica, **verified} for work in some])
            for place, store in enumerate(("", replica)):
                identifiers = range(place * WORKS + start + 1, place * WORKS + start + len(some) + 1)
                units = zip(identifiers, some, strict=True)
                session.execute(insert(FixityUnitRow), [unit_row(unit, store, work, today) for unit, work in units])
                session.execute(
                    insert(FixityFileRow), [row for unit in identifiers for row in file_rows(unit, seconds)]
                )
    with sessions.begin() as session:
        session.execute(insert(FixityTallyRow), list(tally_rows(("", replica), today)))
        session.execute(insert(FixityFindingRow), [finding_row(number, works) for number in range(2000)])
        whole = Amount(WORKS, WORKS * 44, WORKS * 44 * MASTER_BYTES)
        months = {
            ("month", f"20{number // 12 + 16:02d}-{number % 12 + 1:02d}"): Amount(90, 4000, 10**11)
            for number in range(120)
        }
        add_to_holdings(session, {("class", "经部"): whole, ("format", "image/tiff"): whole, **months})
        recount(session)
    for store in ("", replica):
        for _ in range(12):
            sweep = repository.sweeps.begin(store, "due", NOW)
            repository.sweeps.end(sweep.id, SweepState.CLEAN, "ab" * 32, NOW)


def work_row(work: str, number: int) -> dict[str, object]:
    """Return the row of a work."""
    record = Record(f"第{number}部書", classification="經部·易類")
    values = work_values(Work(work, record), 1, "2026-01-01T00:00:00Z")
    return values | access_values(WorkAccess(), pending=False) | {"images": 44, "master_bytes": 44 * MASTER_BYTES}


def unit_row(unit: int, store: str, work: str, today: int) -> dict[str, object]:
    """Return the row of a work's unit in a store."""
    numbers = {"version": 1, "files": FILES, "bytes": FILES * MASTER_BYTES, "failed": 0, "not_checked": 0}
    state = {"checked": 1, "due": today + unit % 90, "sweep": 0, "held_until": 0}
    return {"id": unit, "store": store, "kind": UnitKind.WORK.value, "name": work, **numbers, **state}


def file_rows(unit: int, seconds: int) -> list[dict[str, object]]:
    """Return the rows of the files of a unit."""
    fixed = {"bytes": MASTER_BYTES, "checked": seconds, "result": FileResult.PASSED.value}
    return [
        {"unit": unit, "path": f"v1/content/masters/{place:04d}.tif", "category": each.value, **fixed}
        for place, each in enumerate(CLASSES)
    ]


def tally_rows(stores: Sequence[str], today: int) -> Iterator[dict[str, object]]:
    """Yield the totals of the files, spread over the days of a period."""
    for store in stores:
        for category, share in ((FileClass.MASTERS, 44), (FileClass.METADATA, 6)):
            for day in range(90):
                files = WORKS * share // 90 + (day < WORKS * share % 90)
                amount = {"files": files, "bytes": files * MASTER_BYTES, "store": store, "category": category.value}
                yield amount | {"measure": "checked", "day": today - day}
                yield amount | {"measure": "due", "day": today + 90 - day}


def finding_row(number: int, works: Sequence[str]) -> dict[str, Any]:
    """Return the row of a finding; half of them are open."""
    is_open, work = number < 1000, works[number % 500]
    times = dict.fromkeys(("first_seen", "last_seen"), "2026-01-01T00:00:00Z")
    state = (
        {"state": "open", "ended": None, "done": ""}
        if is_open
        else {"state": "repaired", "ended": "2026-01-02T00:00:00Z", "done": "/srv/copy"}
    )
    key = f"ocfl/{number:04d}/v1/content/masters/0001.tif"
    digests = {"expected": "aa" * 32, "found": "bb" * 32, "detail": ""}
    return {
        "store": "",
        "key": key,
        "kind": "changed",
        "unit": 1,
        "work": work,
        "sweep": 1,
        **digests,
        **times,
        **state,
    }


if __name__ == "__main__":
    main()
