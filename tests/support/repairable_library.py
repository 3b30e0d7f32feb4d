"""A library of two works in two stores, copied for each test, and stores that fail in a chosen way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from deposits import write_deposit

from preservation.fixity.repair import StoreRepair
from preservation.fixity.repair_outcome import RepairOutcome
from preservation.fixity.store_check import StoreCheck
from repository.config import Settings
from repository.database.outbox import JobState
from repository.repository import Repository, open_repository
from repository.storage.store import ObjectStore
from workers.bootstrap import prepare_repository
from workers.deposit.examiner import DepositExaminer
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks.jobs import ingest_job

PLACES = ("store", "replica")


@dataclass(frozen=True)
class RepairableLibrary:
    """A repository with one replica, and its works; the first has two versions."""

    repository: Repository
    works: list[str]

    @property
    def replica(self) -> str:
        return next(iter(self.repository.replicas))

    def store(self, place: str) -> ObjectStore:
        return self.repository.replicas[self.replica] if place == "replica" else self.repository.store

    def on(self, new_store: Callable[[], ObjectStore]) -> RepairableLibrary:
        """Return the library with its stores copied into new ones."""
        primary, replica = (copied(self.store(place), new_store()) for place in PLACES)
        return self.with_stores(primary, replica)

    def with_stores(self, primary: object, replica: object) -> RepairableLibrary:
        stores = cast(Any, primary), {self.replica: cast(Any, replica)}
        return RepairableLibrary(replace(self.repository, store=stores[0], replicas=stores[1]), self.works)

    def repair(self, *, quarantine: bool = False) -> RepairOutcome:
        """Repair the log, the storage root and every work."""
        repair = StoreRepair(self.repository, quarantine=quarantine)
        outcome = repair.log()
        outcome.add(repair.storage_root())
        for work in self.works:
            outcome.add(repair.work(work))
        return outcome

    def findings(self, place: str) -> set[tuple[str, str]]:
        checks = StoreCheck(self.repository, self.replica if place == "replica" else "").run()
        return {(each.finding.key, each.finding.kind.value) for each in checks if each.finding}


class FailingStore:
    """A store that calls `before` with the name and the key of every put and read before it does it."""

    def __init__(self, store: ObjectStore, before: Callable[[str, str], None]) -> None:
        self._store, self._before = store, before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put(self, key: str, content: Any) -> None:
        self._before("put", key)
        self._store.put(key, content)
        self._before("was put", key)

    def read(self, key: str) -> bytes:
        self._before("read", key)
        return self._store.read(key)

    def chunks(self, key: str, *arguments: Any) -> Iterator[bytes]:
        self._before("read", key)
        return self._store.chunks(key, *arguments)

    def list(self, prefix: str = "") -> Iterator[Any]:
        self._before("list", prefix)
        return self._store.list(prefix)


def build_library(folder: Path, examiner: DepositExaminer) -> RepairableLibrary:
    """Return a new library in a folder."""
    settings = Settings(data=folder / "var", replicas=(str(folder / "replica"),))
    context = TaskContext(prepare_repository(open_repository(settings)), examiner)
    first, second = write_deposit(folder / "first", 2), write_deposit(folder / "second", 1, "另書", seed=50)
    works = [_ingested(context, first), _ingested(context, second)]
    record = first / "work.toml"
    record.write_text(record.read_text("utf-8").replace("試書", "試書二"), "utf-8")
    assert _ingested(context, first) == works[0]
    return RepairableLibrary(context.repository, works)


def _ingested(context: TaskContext, deposit: Path) -> str:
    with local_runner(context) as runner:
        job = runner.run(ingest_job(deposit))
        assert job.state is JobState.DONE, job.result
        assert runner.unfinished() == []
    return str((job.result or {})["identifier"])


def copied(source: ObjectStore, target: ObjectStore) -> ObjectStore:
    for stored in source.list():
        target.put(stored.key, source.read(stored.key))
    return target


def contents(store: ObjectStore) -> dict[str, bytes]:
    """Return everything preserved in a store."""
    return {stored.key: store.read(stored.key) for folder in ("ocfl", "log") for stored in store.list(folder)}
