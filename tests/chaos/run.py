"""`make chaos`: book after book is taken in while parts of the house are struck, several at once, in random order.

Reads CHAOS_MINUTES (10) and CHAOS_SEED (by chance; printed, so that the same choices can be made again). Ends with 1,
and leaves the logs, when anything was lost. Every few books a new house is begun, so that the disk stays small.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ceph_server import CephServer
from database_server import PostgresServer
from fault_injection import (
    Strike,
    drop_replica,
    fill_disk,
    freeze_broker,
    freeze_database,
    kill_broker,
    kill_database,
    kill_decoders,
    kill_storage,
    kill_web,
    kill_workers,
    stop_gateway,
)
from instance import MACHINES, House, write_book
from integrity import assert_nothing_left, assert_nothing_lost, pyramids_of, wait_until_quiet
from tile_reader import TileReader

PAGES, LARGE = 200, 4
BOOKS_A_HOUSE = 6
INGEST_SECONDS = 600.0
QUIET_SECONDS = 300.0
ALONE: tuple[Strike, ...] = (freeze_broker, freeze_database, kill_database, kill_storage, kill_web, stop_gateway)
TOGETHER: tuple[Strike, ...] = (drop_replica, kill_broker, kill_decoders, kill_workers)


def main() -> None:
    minutes = float(os.environ.get("CHAOS_MINUTES", "10"))
    seed = int(os.environ.get("CHAOS_SEED") or random.randrange(1_000_000))
    folder = Path(tempfile.mkdtemp(prefix="shanben-chaos-"))
    print(f"{minutes:g} minutes, CHAOS_SEED={seed}, logs in {folder}", flush=True)
    deadline = time.monotonic() + 60 * minutes
    chance = random.Random(seed)
    with PostgresServer() as postgres:
        for number in range(1_000):
            if time.monotonic() > deadline:
                break
            place = folder / f"house-{number}"
            with CephServer(place / "ceph", durable=True) as ceph:
                live(place, postgres, ceph, chance, deadline)
            shutil.rmtree(place)
    folder.rmdir()
    print("nothing was lost")


def live(place: Path, postgres: PostgresServer, ceph: CephServer, chance: random.Random, deadline: float) -> None:
    """One house, with or without a disk cache and a machine that is short of disk, and a few books."""
    small_disk = os.geteuid() == 0 and chance.random() < 0.5
    if os.geteuid() != 0:
        print("NOT ROOT: no disk is filled", file=sys.stderr)
    house = House(place, postgres, ceph, cache_bytes=chance.choice([0, 64 << 20]), small_disk=small_disk)
    strikes = (*TOGETHER, fill_disk) if small_disk else TOGETHER
    with house:
        earlier = write_book(place / "earlier", 4, identifier="earlier")
        books = {house.ingest(earlier).wait(INGEST_SECONDS): earlier}
        with TileReader(house.address, pyramids_of(house, next(iter(books))), books) as reader:
            for number in range(1, 1 + BOOKS_A_HOUSE):
                if time.monotonic() > deadline:
                    break
                book = write_book(place / f"book-{number}", PAGES, LARGE, seed=number, identifier=f"book-{number}")
                books[take_in(house, reader, chance, book, strikes)] = book
                reader.assert_content()
                assert_nothing_lost(house, books)
        print(f"reading: {dict(reader.statuses)}, slowest {reader.slowest:.1f} s", flush=True)
        house.stop()
        assert_nothing_left(house)


def take_in(house: House, reader: TileReader, chance: random.Random, book: Path, strikes: tuple[Strike, ...]) -> str:
    """A book, its work's identifier; meanwhile one to three strikes, each at a time of its own."""
    chosen = [chance.choice(ALONE), *chance.sample(strikes, chance.randrange(1, 3))]
    began = time.monotonic()
    ingest = house.ingest(book)
    try:
        ingest.wait_for_pages(chance.randrange(1, PAGES), INGEST_SECONDS)
        print(f"{book.parent.name}/{book.name}: {', '.join(strike.__name__ for strike in chosen)}", flush=True)
        with ThreadPoolExecutor() as pool:
            given = [pool.submit(later, chance.uniform(0, 8), strike, house, reader, chance) for strike in chosen]
            for strike in given:
                strike.result()
        for machine in MACHINES:  # one that was started when what it needs was away has ended
            house.start_worker(machine)
        work = ingest.wait(INGEST_SECONDS)
    finally:
        ingest.end()
    wait_until_quiet(house, QUIET_SECONDS)
    reader.wait_for_a_tile(60)
    print(f"    quiet after {time.monotonic() - began:.0f} s", flush=True)
    return work


def later(seconds: float, strike: Strike, house: House, reader: TileReader, chance: random.Random) -> None:
    time.sleep(seconds)
    strike(house, reader, random.Random(chance.random()))


if __name__ == "__main__":
    main()
