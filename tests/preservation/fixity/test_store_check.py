"""Fixity checks of whole stores: every planted fault is found in a store and in its replica, and nothing else."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
from deposits import write_deposit
from planted_faults import FAULTS, MASTER, flip

from preservation.fixity.findings import FileCheck, FixityIncomplete, FixityTotals
from preservation.fixity.store_check import StoreCheck
from repository.config import Settings
from repository.database.outbox import JobState
from repository.errors import StoreFault
from repository.paths import ocfl_object
from repository.repository import Repository, open_repository
from repository.storage.folder import FolderStore
from repository.storage.s3 import memory_store
from repository.storage.s3_admin import prepare_bucket
from repository.storage.store import ObjectStore, open_store_at
from workers.bootstrap import prepare_repository
from workers.deposit.examiner import ChildDepositExaminer
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks.jobs import ingest_job

S3_FAULTS = ("flipped_bit_of_a_master", "deleted_master", "unexpected_content", "deleted_object", "changed_checkpoint")
_numbers = itertools.count()


@dataclass(frozen=True)
class Library:
    """A repository with one replica, and its works; the first has two versions."""

    repository: Repository
    works: list[str]

    @property
    def names(self) -> dict[str, str]:
        """The stores by the words `store` and `replica`."""
        return {"store": "", "replica": next(iter(self.repository.replicas))}

    def store(self, place: str) -> ObjectStore:
        return self.repository.replicas[self.names[place]] if place == "replica" else self.repository.store

    def on(self, new_store: Callable[[], ObjectStore]) -> Library:
        """Return the library with its stores copied into new ones."""
        primary, replica = (copied(self.store(place), new_store()) for place in self.names)
        replicas = {self.names["replica"]: replica}
        return Library(replace(self.repository, store=primary, replicas=replicas), self.works)


def copied(source: ObjectStore, target: ObjectStore) -> ObjectStore:
    for stored in source.list():
        target.put(stored.key, source.read(stored.key))
    return target


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
    assert context.repository.catalogue.version(works[0]) == 2
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


def check(library: Library, place: str) -> tuple[set[tuple[str, str]], FixityTotals]:
    """Check a store; return what was found, and the totals."""
    sweep = StoreCheck(library.repository, library.names[place])
    return found_by(sweep.run()), sweep.totals


def found_by(checks: Iterator[FileCheck]) -> set[tuple[str, str]]:
    findings = {each.finding for each in checks if each.finding}
    return {(finding.key, finding.kind.value) for finding in findings}


def newest_files(store: ObjectStore) -> list[str]:
    """Return the keys below ``ocfl/`` and ``log/``, of partial tiles of the log the newest alone."""
    keys = [stored.key for folder in ("ocfl", "log") for stored in store.list(folder)]
    newest: dict[str, str] = {}
    for key in keys:
        tile = key.rpartition(".p/")[0] or key
        newest[tile] = max(newest.get(tile, ""), key, key=lambda text: (len(text), text))
    return sorted(newest.values())


def sha256(store: ObjectStore, key: str) -> str:
    return hashlib.sha256(store.read(key)).hexdigest()


@pytest.mark.parametrize("place", ["store", "replica"])
def test_sound_store_passes_and_every_file_counts_once(library: Library, place: str) -> None:
    found, totals = check(library, place)
    assert found == set()
    assert totals.expected == totals.passed == len(newest_files(library.store(place)))
    assert totals.bytes > 100_000


@pytest.mark.parametrize("place", ["store", "replica"])
@pytest.mark.parametrize("name", FAULTS)
def test_every_planted_fault_is_found_where_it_is_and_nothing_else(library: Library, place: str, name: str) -> None:
    expected = FAULTS[name](library.store(place), ocfl_object(library.works[0]))
    found, totals = check(library, place)
    assert found == expected
    assert totals.failed >= 1
    (other,) = {"store", "replica"} - {place}
    assert check(library, other)[0] == set()


@pytest.mark.parametrize(("name", "place"), list(zip(FAULTS, itertools.cycle(["store", "replica"]), strict=False)))
def test_every_planted_fault_is_found_in_a_folder(original: Library, tmp_path: Path, place: str, name: str) -> None:
    library = original.on(lambda: FolderStore(tmp_path / str(next(_numbers))))
    expected = FAULTS[name](library.store(place), ocfl_object(library.works[0]))
    assert check(library, place)[0] == expected


@pytest.mark.parametrize("name", S3_FAULTS)
def test_planted_faults_are_found_in_a_bucket(original: Library, endpoint: str, name: str) -> None:
    settings = Settings(s3_endpoint=endpoint, s3_access_key="key", s3_secret_key="secret")

    def bucket() -> ObjectStore:
        address = f"s3://fixity-{next(_numbers)}/main"
        prepare_bucket(address, settings)
        return open_store_at(address, settings)

    library = original.on(bucket)
    assert check(library, "store")[0] == set()
    expected = FAULTS[name](library.store("replica"), ocfl_object(library.works[0]))
    assert check(library, "replica")[0] == expected


def test_finding_states_work_and_both_digests(library: Library) -> None:
    work, store = library.works[0], library.store("store")
    key = f"{ocfl_object(work)}/{MASTER}"
    before = sha256(store, key)
    flip(store, key)
    (finding,) = {each.finding for each in StoreCheck(library.repository, "").run() if each.finding}
    assert (finding.work, finding.expected, finding.found) == (work, before, sha256(store, key))


def test_finding_about_a_forged_master_states_the_digest_in_the_log(library: Library) -> None:
    work, store = library.works[0], library.store("store")
    logged = sha256(store, f"{ocfl_object(work)}/{MASTER}")
    FAULTS["master_replaced_with_its_inventories"](store, ocfl_object(work))
    (finding,) = {each.finding for each in StoreCheck(library.repository, "").run() if each.finding}
    assert finding.expected == logged


class UnreadableStore:
    """A store that cannot read one of its objects, as a disk with a bad sector."""

    def __init__(self, store: Any, key: str) -> None:
        self._store, self._key = store, key

    def __getattr__(self, name: str) -> Any:
        action = getattr(self._store, name)
        return self._failing(action) if name in {"read", "chunks", "read_range"} else action

    def _failing(self, action: Callable[..., Any]) -> Callable[..., Any]:
        def read(key: str, *arguments: Any) -> Any:
            if key == self._key:
                raise StoreFault(key=key, reason="Input/output error")
            return action(key, *arguments)

        return read


class AbsentStore:
    """A store that cannot be reached."""

    def __getattr__(self, name: str) -> Any:
        def fail(*_: Any) -> Any:
            raise StoreFault(key="", reason="connection refused")

        return fail


def test_each_file_that_cannot_be_read_is_one_finding_and_the_rest_is_checked(library: Library) -> None:
    store = library.store("store")
    keys = newest_files(store)
    for key in keys:
        damaged = Library(
            replace(library.repository, store=cast(ObjectStore, UnreadableStore(store, key))), library.works
        )
        found, totals = check(damaged, "store")
        assert found == {(key, "unreadable")}
        assert (totals.expected, totals.failed) == (len(keys), 1)


def test_store_is_checked_while_the_other_one_is_away(library: Library) -> None:
    away = replace(library.repository, store=cast(ObjectStore, AbsentStore()))
    flip(library.store("replica"), f"{ocfl_object(library.works[0])}/{MASTER}")
    found, _ = check(Library(away, library.works), "replica")
    assert found == {(f"{ocfl_object(library.works[0])}/{MASTER}", "changed")}


def test_store_that_is_away_is_no_finding(library: Library) -> None:
    with pytest.raises(StoreFault):
        check(Library(replace(library.repository, store=cast(ObjectStore, AbsentStore())), library.works), "store")


def test_run_that_expected_nothing_fails() -> None:
    with pytest.raises(FixityIncomplete, match="nothing was checked"):
        FixityTotals().require_complete()


def test_run_that_does_not_account_for_every_file_fails() -> None:
    totals = FixityTotals(expected=2)
    totals.count(FileCheck("a"))
    with pytest.raises(FixityIncomplete, match="2 files were expected, 1 checked"):
        totals.require_complete()


def test_emptied_store_lacks_everything(library: Library) -> None:
    store = library.store("replica")
    for stored in list(store.list()):
        store.delete(stored.key)
    found, totals = check(library, "replica")
    assert {(ocfl_object(work), "missing") for work in library.works} <= found
    assert totals.passed == 0
    assert totals.failed == totals.expected == len(newest_files(library.store("store")))


def test_one_work_is_checked_alone(library: Library) -> None:
    flip(library.store("store"), f"{ocfl_object(library.works[0])}/{MASTER}")
    damaged, sound = (StoreCheck(library.repository, "") for _ in range(2))
    assert len(found_by(damaged.check_work(library.works[0]))) == 1
    assert found_by(sound.check_work(library.works[1])) == set()
    assert sound.totals.expected == len(list(library.store("store").list(ocfl_object(library.works[1]))))
