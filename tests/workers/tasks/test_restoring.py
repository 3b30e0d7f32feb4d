"""A repeated ingest verifies the stored bytes, and puts back from the deposit what is damaged or missing."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from deposits import write_deposit
from saved_repository import SavedRepository

from preservation.log.sequencer import open_log
from preservation.ocfl import objects
from preservation.ocfl.restoration import Damage, find_damage, restore
from preservation.ocfl.validation import validate_object
from preservation.premis import parse_event
from repository import paths
from repository.config import Settings
from repository.database.outbox import Job, JobState
from repository.errors import DigestMismatch
from repository.identifiers import Kind, mint
from repository.model.work import EventType
from repository.repository import Repository, memory_repository
from repository.storage.s3 import memory_store
from repository.storage.store import ObjectStore
from workers.bootstrap import prepare_repository
from workers.deposit.examiner import ChildDepositExaminer
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks.jobs import ingest_job
from workers.tasks.preserve import RECORD, read_events

MASTER = "masters/0002.tif"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def delete(store: ObjectStore, key: str) -> None:
    store.delete(key)


def flip(store: ObjectStore, key: str) -> None:
    content = bytearray(store.read(key))
    content[len(content) // 2] ^= 1
    store.put(key, bytes(content))


def cut(store: ObjectStore, key: str) -> None:
    store.put(key, store.read(key)[:-1])


def empty(store: ObjectStore, key: str) -> None:
    store.put(key, b"")


DAMAGES = {delete: Damage.MISSING, flip: Damage.CHANGED, cut: Damage.CHANGED, empty: Damage.CHANGED}


def ingest(context: TaskContext, deposit: Path) -> Job:
    with local_runner(context) as runner:
        job = runner.run(ingest_job(deposit))
        assert runner.unfinished() == []
    return job


def result(job: Job) -> tuple[str, bool, int]:
    assert job.state is JobState.DONE, job.result
    assert job.result is not None
    return str(job.result["identifier"]), bool(job.result["changed"]), int(str(job.result["restored"]))


def key_of(repository: Repository, work: str, path: str) -> str:
    inventory = objects.read_inventory(repository.store, work)
    assert inventory
    return objects.file_key(inventory, work, path)


def logged_types(repository: Repository) -> list[str]:
    log = open_log(repository)
    assert log.verify().ok
    return [parse_event(leaf).type for leaf in log.entries(0, log.size)]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, examiner: ChildDepositExaminer) -> tuple[SavedRepository, str]:
    """A saved repository with one work, whose deposit is beside its data folder."""
    folder = tmp_path_factory.mktemp("original")
    repository = prepare_repository(memory_repository(Settings(data=folder / "var"), lambda: NOON))
    deposit = write_deposit(folder / "deposit")
    (deposit / "text").mkdir()
    (deposit / "text/0001.json").write_text('{"a": 1}')
    work, _, _ = result(ingest(TaskContext(repository, examiner), deposit))
    return SavedRepository(repository, folder), work


@pytest.fixture
def context(original: tuple[SavedRepository, str], examiner: ChildDepositExaminer) -> TaskContext:
    """The context of a repository that has `work`."""
    return TaskContext(original[0].copy(), examiner)


@pytest.fixture
def work(original: tuple[SavedRepository, str]) -> str:
    return original[1]


@pytest.fixture
def deposit(context: TaskContext) -> Path:
    """The deposit of `work`."""
    return context.repository.settings.data.with_name("deposit")


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("path", [MASTER, "deposit/work.toml", "text/0001.json", RECORD])
def test_repeated_ingest_restores_a_damaged_file_and_records_it(
    context: TaskContext, deposit: Path, work: str, path: str, damage: Callable[[ObjectStore, str], None]
) -> None:
    repository = context.repository
    key = key_of(repository, work, path)
    content = repository.store.read(key)
    damage(repository.store, key)
    assert result(ingest(context, deposit)) == (work, False, 1)
    assert repository.store.read(key) == content
    assert validate_object(repository.store, paths.ocfl_object(work)).valid
    event = read_events(repository.store, work)[-1]
    assert (event.type, event.detail["damage"]) == (EventType.RECOVERY, DAMAGES[damage])
    assert (event.image is not None) == (path == MASTER)
    assert logged_types(repository)[-1] == EventType.RECOVERY
    assert result(ingest(context, deposit)) == (work, False, 0)
    assert logged_types(repository).count(EventType.RECOVERY) == 1


def test_damage_that_occurs_again_is_recorded_again(context: TaskContext, deposit: Path, work: str) -> None:
    for count in (1, 2):
        delete(context.repository.store, key_of(context.repository, work, MASTER))
        assert result(ingest(context, deposit)) == (work, False, 1)
        assert logged_types(context.repository).count(EventType.RECOVERY) == count


def test_next_version_restores_what_it_shares_with_the_one_before(
    context: TaskContext, deposit: Path, work: str
) -> None:
    flip(context.repository.store, key_of(context.repository, work, MASTER))
    record = deposit / "work.toml"
    record.write_text(record.read_text("utf-8").replace("試書", "正名"), "utf-8")
    assert result(ingest(context, deposit)) == (work, True, 1)
    assert validate_object(context.repository.store, paths.ocfl_object(work)).valid


def test_refused_deposit_restores_nothing(context: TaskContext, deposit: Path, work: str) -> None:
    key = key_of(context.repository, work, MASTER)
    delete(context.repository.store, key)
    (deposit / "0003.tif").write_bytes(b"II*\0nonsense")
    record = (deposit / "work.toml").read_text("utf-8")
    (deposit / "work.toml").write_text(f'identifier = "LIB-1"\n{record}', "utf-8")
    assert ingest(context, deposit).state is JobState.FAILED
    assert not context.repository.store.exists(key)


def test_another_work_with_the_same_master_does_not_vouch_for_it(
    context: TaskContext, deposit: Path, work: str, tmp_path: Path
) -> None:
    other = shutil.copytree(deposit, tmp_path / "other")
    (other / "0003.tif").unlink()
    (other / "work.toml").write_text('title = "節本"\nidentifier = "節本"\n', "utf-8")
    second, _, _ = result(ingest(context, other))
    flip(context.repository.store, key_of(context.repository, work, MASTER))
    assert result(ingest(context, other)) == (second, False, 0)
    assert result(ingest(context, deposit)) == (work, False, 1)


def test_content_is_restored_only_from_bytes_with_its_digest() -> None:
    store, work = memory_store(), mint(Kind.WORK, "work")
    content = {"masters/1.tif": b"one" * 1000, "masters/2.tif": b"two"}
    inventory = objects.write_version(store, work, content, message="m", created="2026-01-02T03:04:05Z")
    for path, damage in itertools.product(content, DAMAGES):
        digest, key = inventory.state[path], objects.file_key(inventory, work, path)
        assert find_damage(store, work, inventory, digest) is None
        damage(store, key)
        assert find_damage(store, work, inventory, digest) is DAMAGES[damage]
        before = store.read(key) if store.exists(key) else None
        with pytest.raises(DigestMismatch):
            restore(store, work, inventory, digest, b"other bytes")
        assert (store.read(key) if store.exists(key) else None) == before
        restore(store, work, inventory, digest, content[path])
        assert store.read(key) == content[path]
