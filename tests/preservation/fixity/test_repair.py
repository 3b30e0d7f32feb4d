"""Repairs of works and of the log: every planted fault is mended byte for byte from one good copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from deposits import write_deposit
from planted_faults import FAULTS

from preservation.fixity.repair import StoreRepair
from preservation.fixity.repair_outcome import RepairOutcome
from preservation.fixity.store_check import StoreCheck
from repository.config import Settings
from repository.database.outbox import JobState
from repository.paths import ocfl_object
from repository.repository import Repository, open_repository
from repository.storage.s3 import memory_store
from repository.storage.store import ObjectStore
from workers.bootstrap import prepare_repository
from workers.deposit.examiner import ChildDepositExaminer
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks.jobs import ingest_job

PLACES = ("store", "replica")
UNEXPECTED = {name for name in FAULTS if name.startswith(("unexpected", "unknown", "renamed", "several"))}


@dataclass(frozen=True)
class Library:
    """A repository with one replica, and its works; the first has two versions."""

    repository: Repository
    works: list[str]

    @property
    def replica(self) -> str:
        return next(iter(self.repository.replicas))

    def store(self, place: str) -> ObjectStore:
        return self.repository.replicas[self.replica] if place == "replica" else self.repository.store

    def on(self, new_store: Callable[[], ObjectStore]) -> Library:
        """Return the library with its stores copied into new ones."""
        primary, replica = (copied(self.store(place), new_store()) for place in PLACES)
        return Library(replace(self.repository, store=primary, replicas={self.replica: replica}), self.works)

    def repair(self, *, quarantine: bool = False) -> RepairOutcome:
        repair = StoreRepair(self.repository, quarantine=quarantine)
        outcome = repair.log()
        outcome.add(repair.storage_root())
        for work in self.works:
            outcome.add(repair.work(work))
        return outcome


def copied(source: ObjectStore, target: ObjectStore) -> ObjectStore:
    for stored in source.list():
        target.put(stored.key, source.read(stored.key))
    return target


def contents(store: ObjectStore) -> dict[str, bytes]:
    return {stored.key: store.read(stored.key) for folder in ("ocfl", "log") for stored in store.list(folder)}


def findings(library: Library, place: str) -> set[tuple[str, str]]:
    checks = StoreCheck(library.repository, library.replica if place == "replica" else "").run()
    return {(each.finding.key, each.finding.kind.value) for each in checks if each.finding}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, examiner: ChildDepositExaminer) -> Library:
    """The library that the tests copy: never changed."""
    folder = tmp_path_factory.mktemp("library")
    settings = Settings(data=folder / "var", replicas=(str(folder / "replica"),))
    context = TaskContext(prepare_repository(open_repository(settings)), examiner)
    first, second = write_deposit(folder / "first", 2), write_deposit(folder / "second", 1, "另書", seed=50)
    works = [ingested(context, first), ingested(context, second)]
    record = first / "work.toml"
    record.write_text(record.read_text("utf-8").replace("試書", "試書二"), "utf-8")
    assert ingested(context, first) == works[0]
    return Library(context.repository, works)


def ingested(context: TaskContext, deposit: Path) -> str:
    with local_runner(context) as runner:
        job = runner.run(ingest_job(deposit))
        assert job.state is JobState.DONE, job.result
        assert runner.unfinished() == []
    return str((job.result or {})["identifier"])


@pytest.fixture
def library(original: Library) -> Library:
    return original.on(memory_store)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", FAULTS)
def test_every_planted_fault_is_repaired_byte_for_byte(library: Library, place: str, name: str) -> None:
    store = library.store(place)
    before = {each: contents(library.store(each)) for each in PLACES}
    FAULTS[name](store, ocfl_object(library.works[0]))
    outcome = library.repair()
    after = contents(store)
    assert {key: after.get(key) for key in before[place]} == before[place]
    assert (
        contents(library.store("replica" if place == "store" else "store"))
        == before["replica" if place == "store" else "store"]
    )
    assert outcome.lost == []
    if name not in UNEXPECTED:
        assert outcome.left == []
        assert after == before[place]
        assert findings(library, place) == set()
        assert outcome.repaired
