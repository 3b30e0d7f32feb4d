"""`make chaos`: ingest book after book while several parts of the installation fail together, in random order.

CHAOS_MINUTES (10) sets the time. CHAOS_SEED (random, and printed) repeats the same choices. Exits with 1, and keeps the
logs, when anything is lost. A new installation replaces the old one every few books, so that the disk does not fill.
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
    LONG,
    Failure,
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
from instance import MACHINES, Instance, write_book
from integrity import assert_no_temporary_files, assert_nothing_is_lost, pyramids_of, wait_for_all_jobs
from tile_reader import TileReader

PAGES, LARGE = 200, 4
BOOKS_PER_INSTANCE = 6
INGEST_SECONDS = 600.0
JOBS_SECONDS = 300.0
EXCLUSIVE: tuple[Failure, ...] = (
    freeze_broker,
    freeze_database,
    kill_database,
    kill_storage,
    kill_web,
    stop_gateway,
)
COMBINED: tuple[Failure, ...] = (drop_replica, kill_broker, kill_decoders, kill_workers)


def main() -> None:
    minutes = float(os.environ.get("CHAOS_MINUTES", "10"))
    seed = int(os.environ.get("CHAOS_SEED") or random.randrange(1_000_000))
    logs = Path(tempfile.mkdtemp(prefix="shanben-chaos-"))
    print(f"{minutes:g} minutes, CHAOS_SEED={seed}, logs in {logs}", flush=True)
    deadline = time.monotonic() + 60 * minutes
    chance = random.Random(seed)
    with PostgresServer() as postgres:
        for number in range(1_000):
            if time.monotonic() > deadline:
                break
            folder = logs / f"instance-{number}"
            with CephServer(folder / "ceph", durable=True) as ceph:
                run_instance(folder, postgres, ceph, chance, deadline)
            shutil.rmtree(folder)
    logs.rmdir()
    print("nothing was lost")


def run_instance(
    folder: Path, postgres: PostgresServer, ceph: CephServer, chance: random.Random, deadline: float
) -> None:
    """Run one installation for a few books, with or without a disk cache and with or without a small disk."""
    small_disk = os.geteuid() == 0 and chance.random() < 0.5
    if os.geteuid() != 0:
        print("NOT ROOT: no disk is filled", file=sys.stderr)
    instance = Instance(folder, postgres, ceph, cache_bytes=chance.choice([0, 64 << 20]), small_disk=small_disk)
    combined = (*COMBINED, fill_disk) if small_disk else COMBINED
    with instance:
        earlier = write_book(folder / "earlier", 4, identifier="earlier")
        books = {instance.ingest(earlier).wait(INGEST_SECONDS): earlier}
        with TileReader(instance.address, pyramids_of(instance, next(iter(books))), books) as reader:
            for number in range(1, 1 + BOOKS_PER_INSTANCE):
                if time.monotonic() > deadline:
                    break
                book = write_book(folder / f"book-{number}", PAGES, LARGE, seed=number, identifier=f"book-{number}")
                books[ingest_during_failures(instance, reader, chance, book, combined)] = book
                reader.assert_content()
                assert_nothing_is_lost(instance, books)
        print(f"responses: {dict(reader.statuses)}, slowest {reader.slowest:.1f} s", flush=True)
        instance.stop()
        assert_no_temporary_files(instance)


def ingest_during_failures(
    instance: Instance, reader: TileReader, chance: random.Random, book: Path, combined: tuple[Failure, ...]
) -> str:
    """Ingest a book while two or three failures begin at random times, and return the work's identifier."""
    failures = [chance.choice(EXCLUSIVE), *chance.sample(combined, chance.randrange(1, 3))]
    began = time.monotonic()
    ingest = instance.ingest(book)
    try:
        ingest.wait_for_pages(chance.randrange(1, PAGES), INGEST_SECONDS)
        print(f"{book.parent.name}/{book.name}: {', '.join(failure.__name__ for failure in failures)}", flush=True)
        with ThreadPoolExecutor() as pool:
            running = [
                pool.submit(inject, chance.uniform(0, 8), failure, instance, reader, chance) for failure in failures
            ]
            for failure in running:
                failure.result()
        for machine in MACHINES:  # a worker that was started while the broker or the database was away has ended
            instance.start_worker(machine)
        work = ingest.wait(INGEST_SECONDS)
    finally:
        ingest.kill()
    wait_for_all_jobs(instance, JOBS_SECONDS)
    reader.wait_for_a_tile(60)
    print(f"    all jobs done after {time.monotonic() - began:.0f} s", flush=True)
    return work


def inject(
    delay_seconds: float, failure: Failure, instance: Instance, reader: TileReader, chance: random.Random
) -> None:
    time.sleep(delay_seconds)
    failure(instance, reader, random.Random(chance.random()), LONG)


if __name__ == "__main__":
    main()
