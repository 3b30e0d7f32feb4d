"""Parts of a house are killed while 200 pages are taken in by two machines; with nobody's help, nothing is lost.

`make chaos` does the same for longer, in random order.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ceph_server import CephServer
from database_server import PostgresServer
from house import House, write_book
from losses import assert_nothing_left, assert_nothing_lost, pyramids_of, wait_until_quiet
from strikes import (
    drop_replica,
    fill_disk,
    kill_broker,
    kill_database,
    kill_decoders,
    kill_storage,
    kill_web,
    kill_workers,
    stop_gateway,
)
from tile_reader import TileReader

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PAGES, LARGE = 200, 4
INGEST_SECONDS = 150.0
QUIET_SECONDS = 90.0


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_book(tmp_path_factory.mktemp("books") / "book", PAGES, LARGE, seed=1, identifier="book")


@pytest.fixture(scope="module")
def earlier_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_book(tmp_path_factory.mktemp("books") / "earlier", 4, seed=2, identifier="earlier")


@pytest.fixture
def house(tmp_path: Path, postgres: PostgresServer, durable_ceph: CephServer) -> House:
    return House(tmp_path / "house", postgres, durable_ceph)


@contextmanager
def under_way(house: House, earlier_book: Path, book: Path) -> Iterator[TileReader]:
    """A tenth of a book's pages are in and somebody reads another; at the end it is all there, and nothing else."""
    with house:
        began = time.monotonic()
        earlier = house.ingest(earlier_book).wait(INGEST_SECONDS)
        with TileReader(house.address, pyramids_of(house, earlier)) as reader:
            ingest = house.ingest(book)
            try:
                house.wait_for_pages(PAGES // 10, INGEST_SECONDS)
                print(f"\nunder way after {time.monotonic() - began:.1f} s")
                yield reader
                print(f"struck after {time.monotonic() - began:.1f} s")
                work = ingest.wait(INGEST_SECONDS)
            finally:
                ingest.end()
            print(f"taken in after {time.monotonic() - began:.1f} s")
            wait_until_quiet(house, QUIET_SECONDS)
            reader.wait_for_a_tile(30)
        print(f"quiet after {time.monotonic() - began:.1f} s; {dict(reader.statuses)}, slowest {reader.slowest:.1f} s")
        assert_nothing_lost(house, {earlier: earlier_book, work: book})
        house.stop()
        assert_nothing_left(house)
        print(f"checked after {time.monotonic() - began:.1f} s")
        reader.assert_content()


def test_workers_are_killed(house: House, earlier_book: Path, book: Path) -> None:
    with under_way(house, earlier_book, book) as reader:
        kill_workers(house, reader, random.Random(1))


def test_the_children_of_a_worker_are_killed(house: House, earlier_book: Path, book: Path) -> None:
    with under_way(house, earlier_book, book) as reader:
        for number in range(3):
            kill_decoders(house, reader, random.Random(number))
            time.sleep(1)


def test_the_broker_is_killed_and_comes_back_empty(house: House, earlier_book: Path, book: Path) -> None:
    with under_way(house, earlier_book, book) as reader:
        kill_broker(house, reader, random.Random(1))


def test_the_gateway_is_away(house: House, earlier_book: Path, book: Path) -> None:
    with under_way(house, earlier_book, book) as reader:
        stop_gateway(house, reader, random.Random(1))


def test_the_storage_daemon_is_killed(house: House, earlier_book: Path, book: Path) -> None:
    with under_way(house, earlier_book, book) as reader:
        kill_storage(house, reader, random.Random(1))


def test_the_database_is_killed(house: House, earlier_book: Path, book: Path) -> None:
    with under_way(house, earlier_book, book) as reader:
        kill_database(house, reader, random.Random(1))


def test_the_disk_of_a_worker_is_full(
    tmp_path: Path, postgres: PostgresServer, durable_ceph: CephServer, earlier_book: Path, book: Path
) -> None:
    house = House(tmp_path / "house", postgres, durable_ceph, small_disk=True)
    with under_way(house, earlier_book, book) as reader:
        fill_disk(house, reader, random.Random(1))


def test_a_replica_is_away(house: House, earlier_book: Path, book: Path) -> None:
    with under_way(house, earlier_book, book) as reader:
        drop_replica(house, reader, random.Random(1))


def test_the_web_processes_are_killed(
    tmp_path: Path, postgres: PostgresServer, durable_ceph: CephServer, earlier_book: Path, book: Path
) -> None:
    house = House(tmp_path / "house", postgres, durable_ceph, cache_bytes=64 << 20)
    with under_way(house, earlier_book, book) as reader:
        kill_web(house, reader, random.Random(1))
