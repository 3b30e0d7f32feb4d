"""Parts of an installation are killed while two machines ingest a book; without an operator's help, nothing is lost.

This is the short form: parts are away just longer than the application's timeouts. `make chaos` combines failures of
longer duration in random order. The failures share one installation as long as none of them leaves it unsound.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from ceph_server import CephServer
from database_server import PostgresServer
from fault_injection import (
    SHORT,
    fill_disk,
    kill_broker,
    kill_database,
    kill_decoders,
    kill_storage,
    kill_web,
    kill_workers,
    stop_gateway,
)
from instance import IngestCommand, Instance, write_book
from integrity import assert_no_temporary_files, assert_nothing_is_lost, pyramids_of, wait_for_all_jobs
from tile_reader import TileReader

from preservation.replication.status import replication_status_of

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PAGES, LARGE = 24, 1
INGEST_SECONDS = 150.0
JOBS_SECONDS = 90.0
READER_PAUSE = 0.2
"""Seconds; each of two readers then requests four tiles a second, and many more in `make chaos`."""

WITHOUT_FEATURES = {"similar_pages": 0}
"""The features of these pages take longer than their ingest; `make chaos` has them."""

CHANCE = random.Random(1)
SEEDS = count(1)


@dataclass
class Trial:
    """An installation with the books ingested so far; the first of them is read while others are ingested."""

    instance: Instance
    earlier: str
    books: dict[str, Path]
    sound: bool = True
    ingest: IngestCommand = field(init=False)
    reader: TileReader = field(init=False)

    @contextmanager
    def ingesting(self, *, log_may_wait: bool = False) -> Iterator[None]:
        """Ingest a book. The block begins when a tenth of its pages are done; after it, everything must complete.

        With `log_may_wait`, the command may end before the log has the book's events.
        """
        self.sound = False
        seed = next(SEEDS)
        book = write_book(self.instance.folder / f"book-{seed}", PAGES, LARGE, seed, identifier=f"book-{seed}")
        earlier = pyramids_of(self.instance, self.earlier)
        with TileReader(self.instance.address, earlier, [self.earlier], pause=READER_PAUSE) as self.reader:
            self.ingest = self.instance.ingest(book)
            try:
                self.ingest.wait_for_pages(PAGES // 10, INGEST_SECONDS)
                yield
                work = self.ingest.wait(INGEST_SECONDS, log_may_wait=log_may_wait)
            finally:
                self.ingest.kill()
            wait_for_all_jobs(self.instance, JOBS_SECONDS)
            self.reader.wait_for_a_tile(30)
            self.assert_readable(work)
        self.books[work] = book
        assert_nothing_is_lost(self.instance, self.books, [work])
        self.reader.assert_content()
        self.sound = True

    def assert_readable(self, work: str) -> None:
        """Assert that readers get the tiles and the manifest of a work."""
        with TileReader(self.instance.address, pyramids_of(self.instance, work), [work]) as reader:
            reader.wait_for_a_tile(30)
        reader.assert_content()


@contextmanager
def running(instance: Instance) -> Iterator[Trial]:
    """Start an installation that holds one book; at the end, that book must be whole and everything stop cleanly."""
    with instance:
        deposit = write_book(instance.folder / "earlier", 4, identifier="earlier")
        work = instance.ingest(deposit).wait(INGEST_SECONDS)
        trial = Trial(instance, work, {work: deposit})
        yield trial
        if trial.sound:
            assert_nothing_is_lost(instance, trial.books, [work])
            instance.stop()
            assert_no_temporary_files(instance)


class Trials:
    """Starts installations with some settings, one at a time."""

    def __init__(self, stack: ExitStack, start: Callable[[], Instance]) -> None:
        self._stack, self._start = stack, start
        self._trials: list[Trial] = []

    def sound(self) -> Trial:
        """Return the trial of the test before, or a new one when that test failed."""
        if not self._trials or not self._trials[-1].sound:
            self._stack.close()
            self._trials.append(self._stack.enter_context(running(self._start())))
        return self._trials[-1]


@pytest.fixture(scope="module")
def trials(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer, durable_ceph: CephServer
) -> Iterator[Trials]:
    """Installations that fetch every tile from the store."""

    def start() -> Instance:
        return Instance(tmp_path_factory.mktemp("instance"), postgres, durable_ceph, **WITHOUT_FEATURES)

    with ExitStack() as stack:
        yield Trials(stack, start)


@pytest.fixture(scope="module")
def trials_with_disks(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer, durable_ceph: CephServer
) -> Iterator[Trials]:
    """Installations with tiles in a local cache of the first machine, and a small disk of the second."""

    def start() -> Instance:
        folder = tmp_path_factory.mktemp("instance")
        return Instance(folder, postgres, durable_ceph, small_disk=True, cache_bytes=64 << 20, **WITHOUT_FEATURES)

    with ExitStack() as stack:
        yield Trials(stack, start)


@pytest.fixture
def trial(trials: Trials) -> Trial:
    return trials.sound()


@pytest.fixture
def trial_with_disks(trials_with_disks: Trials) -> Trial:
    return trials_with_disks.sound()


def test_killed_workers_and_decoders_lose_no_page(trial: Trial) -> None:
    with trial.ingesting():
        kill_decoders(trial.instance, trial.reader, CHANCE, SHORT)
        kill_workers(trial.instance, trial.reader, CHANCE, SHORT)


def test_a_killed_broker_that_comes_back_empty_loses_no_page(trial: Trial) -> None:
    with trial.ingesting():
        kill_broker(trial.instance, trial.reader, CHANCE, SHORT)


def test_an_absent_gateway_delays_the_ingest_only(trial: Trial) -> None:
    with trial.ingesting():
        stop_gateway(trial.instance, trial.reader, CHANCE, SHORT)


def test_a_killed_storage_daemon_delays_the_ingest_only(trial: Trial) -> None:
    with trial.ingesting():
        kill_storage(trial.instance, trial.reader, CHANCE, SHORT)


def test_a_killed_database_delays_the_ingest_and_is_reported(trial: Trial) -> None:
    with trial.ingesting():
        kill_database(trial.instance, trial.reader, CHANCE, SHORT)
    log = "".join(path.read_text("utf-8", "replace") for path in trial.instance.folder.glob("*.log"))
    assert "the server is" in log or "the server cannot be reached" in log
    assert "createdb" not in log, "a server that is starting is reported as one without our database"


def test_a_full_disk_of_a_worker_delays_the_ingest_only(trial_with_disks: Trial) -> None:
    trial = trial_with_disks
    with trial.ingesting(log_may_wait=True):
        fill_disk(trial.instance, trial.reader, CHANCE, SHORT)


def test_an_absent_replica_and_killed_web_processes_stop_no_ingest(trial_with_disks: Trial) -> None:
    trial = trial_with_disks
    instance = trial.instance
    with trial.ingesting():
        instance.replica_gateway.kill()
        kill_web(instance, trial.reader, CHANCE, SHORT)
        work = trial.ingest.wait(INGEST_SECONDS)
        trial.assert_readable(work)
        assert not replication_status_of(instance.repository, work).preserved
        instance.replica_gateway.start()
