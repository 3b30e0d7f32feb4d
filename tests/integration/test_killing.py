"""Parts of a house are killed while 200 pages are taken in by two machines; with nobody's help, nothing is lost.

`make chaos` does the same for longer, in random order.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from ceph_server import CephServer
from database_server import PostgresServer
from fault_injection import (
    fill_disk,
    kill_broker,
    kill_database,
    kill_decoders,
    kill_storage,
    kill_web,
    kill_workers,
    stop_gateway,
)
from instance import House, Ingest, write_book
from integrity import assert_nothing_left, assert_nothing_lost, pyramids_of, wait_until_quiet
from tile_reader import TileReader

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PAGES, LARGE = 200, 2
INGEST_SECONDS = 150.0
CHANCE = random.Random(1)
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


@dataclass
class Trial:
    """An ingest under way, and somebody who reads another book."""

    ingest: Ingest
    reader: TileReader


@contextmanager
def under_way(house: House, earlier_book: Path, book: Path) -> Iterator[Trial]:
    """A tenth of a book's pages are in when it begins; at its end all are, and nothing else is left."""
    with house:
        earlier = house.ingest(earlier_book).wait(INGEST_SECONDS)
        with TileReader(house.address, pyramids_of(house, earlier), [earlier]) as reader:
            ingest = house.ingest(book)
            try:
                ingest.wait_for_pages(PAGES // 10, INGEST_SECONDS)
                yield Trial(ingest, reader)
                work = ingest.wait(INGEST_SECONDS)
            finally:
                ingest.end()
            wait_until_quiet(house, QUIET_SECONDS)
            reader.wait_for_a_tile(30)
            read_a_little(house, work)
        assert_nothing_lost(house, {earlier: earlier_book, work: book})
        house.stop()
        assert_nothing_left(house)
        reader.assert_content()


def read_a_little(house: House, work: str) -> None:
    """What is new is there for readers."""
    with TileReader(house.address, pyramids_of(house, work), [work]) as reader:
        reader.wait_for_a_tile(30)
    reader.assert_content()


def test_workers_are_killed(house: House, earlier_book: Path, book: Path) -> None:
    with under_way(house, earlier_book, book) as trial:
        kill_decoders(house, trial.reader, CHANCE)
        kill_workers(house, trial.reader, CHANCE)


def test_the_broker_is_killed_and_comes_back_empty(house: House, earlier_book: Path, book: Path) -> None:
    with under_way(house, earlier_book, book) as trial:
        kill_broker(house, trial.reader, CHANCE)


def test_the_gateway_is_away(house: House, earlier_book: Path, book: Path) -> None:
    with under_way(house, earlier_book, book) as trial:
        stop_gateway(house, trial.reader, CHANCE)


def test_the_storage_daemon_is_killed(house: House, earlier_book: Path, book: Path) -> None:
    with under_way(house, earlier_book, book) as trial:
        kill_storage(house, trial.reader, CHANCE)


def test_the_database_is_killed(house: House, earlier_book: Path, book: Path) -> None:
    with under_way(house, earlier_book, book) as trial:
        kill_database(house, trial.reader, CHANCE)
    told = "".join(log.read_text("utf-8", "replace") for log in house.folder.glob("*.log"))
    assert "its server is" in told
    assert "createdb" not in told, "a server that is starting is told as one without our database"


def test_the_disk_of_a_worker_is_full(
    tmp_path: Path, postgres: PostgresServer, durable_ceph: CephServer, earlier_book: Path, book: Path
) -> None:
    house = House(tmp_path / "house", postgres, durable_ceph, small_disk=True)
    with under_way(house, earlier_book, book) as trial:
        fill_disk(house, trial.reader, CHANCE)


def test_a_replica_is_away_and_the_web_processes_are_killed(
    tmp_path: Path, postgres: PostgresServer, durable_ceph: CephServer, earlier_book: Path, book: Path
) -> None:
    house = House(tmp_path / "house", postgres, durable_ceph, cache_bytes=64 << 20)
    with under_way(house, earlier_book, book) as trial:
        house.replica_gateway.kill()
        kill_web(house, trial.reader, CHANCE)
        work = trial.ingest.wait(INGEST_SECONDS)
        read_a_little(house, work)
        assert not house.repository.replica_status.is_preserved(work, list(house.repository.replicas))
        house.replica_gateway.start()
