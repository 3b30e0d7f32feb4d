"""A rebuild makes the catalogue from what is sound, names the rest, and reads a damaged log without changing it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from deposits import write_deposit
from saved_repository import SavedRepository
from silent_progress import SilentProgress

from preservation.log.sequencer import open_log, record_events
from preservation.ocfl.objects import file_key, read_inventory
from preservation.store_identity import StoreNotRecognised
from repository import paths
from repository.config import Settings
from repository.database.lost_works import LostWork
from repository.database.outbox import JobState
from repository.errors import DependencyMissing, ShanbenError
from repository.model.condition import Condition
from repository.repository import Repository, memory_repository, open_repository
from repository.storage.store import ObjectStore
from web.cli.main import main
from workers.bootstrap import bootstrap_to_rebuild, prepare_repository
from workers.deposit.examiner import ChildDepositExaminer
from workers.execution.context import TaskContext
from workers.maintenance.rebuild import rebuild
from workers.service.local import local_runner
from workers.tasks.jobs import ingest_job

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PROGRESS = SilentProgress()
Harm = Callable[[ObjectStore, str], None]


def ingest(context: TaskContext, deposit: Path) -> str:
    with local_runner(context) as runner:
        job = runner.run(ingest_job(deposit))
    assert job.state is JobState.DONE, job.result
    assert job.result
    return str(job.result["identifier"])


@pytest.fixture(scope="module")
def original(
    tmp_path_factory: pytest.TempPathFactory, examiner: ChildDepositExaminer
) -> tuple[SavedRepository, list[str]]:
    """A saved repository with two works; the first has two versions."""
    folder = tmp_path_factory.mktemp("original")
    repository = prepare_repository(memory_repository(Settings(data=folder / "var"), lambda: NOON))
    context = TaskContext(repository, examiner)
    deposits = [write_deposit(folder / name, 2, name, seed) for name, seed in (("甲", 10), ("乙", 20))]
    ingested = [ingest(context, deposit) for deposit in deposits]
    record = deposits[0] / "work.toml"
    condition = '[condition]\ndamage = "三级"\nassessed = "2024"\n'
    record.write_text(record.read_text("utf-8").replace("甲", "丙") + condition, "utf-8")
    assert ingest(context, deposits[0]) == ingested[0]
    return SavedRepository(repository, folder), ingested


@pytest.fixture
def context(original: tuple[SavedRepository, list[str]], examiner: ChildDepositExaminer) -> TaskContext:
    """The context of a repository that has `works`."""
    return TaskContext(original[0].copy(), examiner)


@pytest.fixture
def works(original: tuple[SavedRepository, list[str]]) -> list[str]:
    """The works of the repository; the first has two versions."""
    return original[1]


def lose(store: ObjectStore, key: str) -> None:
    store.delete(key)


def damage(store: ObjectStore, key: str) -> None:
    content = bytearray(store.read(key))
    content[len(content) // 2] ^= 0x04
    store.put(key, bytes(content))


def cut(store: ObjectStore, key: str) -> None:
    content = store.read(key)
    store.put(key, content[: len(content) // 2])


def contents(store: ObjectStore, prefix: str) -> dict[str, bytes]:
    return {stored.key: store.read(stored.key) for stored in store.list(prefix)}


@pytest.mark.parametrize("harm", [lose, damage, cut])
@pytest.mark.parametrize("file", ["metadata/work.json", "metadata/events.json", "masters/0001.tif", "inventory.json"])
def test_damaged_work_is_skipped_and_named_and_all_others_are_rebuilt(
    context: TaskContext, works: list[str], file: str, harm: Harm
) -> None:
    repository, store = context.repository, context.repository.store
    inventory = read_inventory(store, works[0])
    assert inventory
    root = paths.ocfl_object(works[0])
    harm(store, f"{root}/{file}" if file == "inventory.json" else file_key(inventory, works[0], file))
    for stored in list(store.list(paths.PYRAMIDS)):
        store.delete(stored.key)
    before = contents(store, paths.OCFL_ROOT)
    done = rebuild(repository, context.examiner, PROGRESS)
    assert (done.works, done.images, [each.work for each in done.skipped]) == (1, 2, [works[0]])
    assert works[0] in done.skipped[0].fault.message.en or file == "metadata/events.json"
    assert (done.lost, done.log_problems) == ((), ())
    assert repository.catalogue.work(works[0]) is None
    assert repository.catalogue.work(works[1])
    assert contents(store, paths.OCFL_ROOT) == before


@pytest.mark.parametrize("harm", [lose, damage, cut])
@pytest.mark.parametrize("key", ["log/tile/entries/000.p/7", "log/tile/0/000.p/7", "log/checkpoint"])
@pytest.mark.parametrize("database", ["kept", "lost"])
def test_damaged_log_is_read_as_far_as_possible_and_not_changed(
    context: TaskContext, works: list[str], key: str, harm: Harm, database: str
) -> None:
    repository = context.repository
    assert open_log(repository).size == 7
    harm(repository.store, key)
    if (key, harm, database) == ("log/checkpoint", lose, "lost"):
        with pytest.raises(StoreNotRecognised):  # this data folder remembers a log that the store seems not to hold
            with_new_database(repository)
        return
    if database == "lost":
        repository = with_new_database(repository)
    before = contents(repository.store, paths.LOG)
    done = rebuild(repository, context.examiner, PROGRESS)
    assert (done.works, done.skipped, done.lost) == (2, (), ())
    work = repository.catalogue.work(works[0])
    assert work
    assert work.condition == Condition(damage="三级破损", assessed="2024")
    assert done.log_problems
    with pytest.raises(ShanbenError):
        record_events(repository)
    assert contents(repository.store, paths.LOG).items() >= before.items(), "what was signed is unchanged"


def with_new_database(repository: Repository) -> Repository:
    return prepare_repository(replace(memory_repository(repository.settings, repository.clock), store=repository.store))


def test_works_and_versions_that_the_log_names_and_the_store_lacks_are_listed(
    context: TaskContext, works: list[str]
) -> None:
    store, root = context.repository.store, paths.ocfl_object(works[0])
    for stored in list(store.list(f"{root}/v2")):
        store.delete(stored.key)
    for name in ("inventory.json", "inventory.json.sha256"):
        store.put(f"{root}/{name}", store.read(f"{root}/v1/{name}"))
    for stored in list(store.list(paths.ocfl_object(works[1]))):
        store.delete(stored.key)
    done = rebuild(context.repository, context.examiner, PROGRESS)
    assert set(done.lost) == {LostWork(works[0], 2, 1), LostWork(works[1], 1, 0)}
    assert (done.works, done.skipped, done.log_problems) == (1, (), ())


def test_rebuild_and_reading_need_no_key(context: TaskContext, works: list[str], tmp_path: Path) -> None:
    elsewhere = memory_repository(Settings(data=tmp_path / "elsewhere"), context.repository.clock)
    moved = prepare_repository(replace(elsewhere, store=context.repository.store))
    before = contents(moved.store, paths.LOG)
    done = rebuild(moved, context.examiner, PROGRESS)
    assert (done.works, done.skipped, done.lost) == (2, (), ())
    assert ["key" in problem.en for problem in done.log_problems] == [True]
    assert moved.catalogue.counts().staged == 0
    assert not moved.settings.keys.exists()
    assert contents(moved.store, paths.LOG) == before
    # With the key put back, the log is continued where it ended.
    shutil.copytree(context.repository.settings.keys, moved.settings.keys)
    prepare_repository(moved)
    assert record_events(moved) == 0
    assert open_log(moved).verify().ok
    assert open_log(moved).size == 7


def test_ingest_without_any_key_preserves_and_leaves_the_log_alone(
    context: TaskContext, works: list[str], tmp_path: Path
) -> None:
    elsewhere = memory_repository(Settings(data=tmp_path / "elsewhere"), context.repository.clock)
    moved = prepare_repository(replace(elsewhere, store=context.repository.store))
    rebuild(moved, context.examiner, PROGRESS)
    ingest(TaskContext(moved, context.examiner), write_deposit(tmp_path / "丁", 2, "丁", 30))
    assert moved.catalogue.counts().works == 3
    with pytest.raises(DependencyMissing):
        record_events(moved)
    assert open_log(context.repository).size == 7


@pytest.mark.slow
@pytest.mark.parametrize("key_file", ["lost", "damaged"])
def test_command_names_what_it_skipped_and_exits_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key_file: str
) -> None:
    for name in list(os.environ):
        if name.startswith("SHANBEN_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SHANBEN_DATA", str(tmp_path / "var"))
    for name, seed in (("甲", 10), ("乙", 20)):
        write_deposit(tmp_path / name, 2, name, seed)
        assert run("ingest", str(tmp_path / name))[0] == 0
    assert run("rebuild")[0] == 0
    work = open_repository(Settings(data=tmp_path / "var")).catalogue.works()[0].identifier
    (tmp_path / "var" / "store" / paths.ocfl_object(work) / "inventory.json").unlink()
    (tmp_path / "var" / "shanben.sqlite").unlink(missing_ok=True)
    for database in (tmp_path / "var").glob("*.db*"):
        database.unlink()
    key = tmp_path / "var" / "keys" / "log.key"
    if key_file == "lost":
        key.unlink()
    else:
        key.write_bytes(b"damaged")
    code, document = run("rebuild")
    assert code == 1
    assert (document["works"], [each["work"] for each in document["skipped"]]) == (1, [work])
    assert document["skipped"][0]["code"] == "integrity.ocfl"
    assert document["log_problems"]
    assert bootstrap_to_rebuild(Settings(data=tmp_path / "var")).catalogue.counts().works == 1


def run(*arguments: str) -> tuple[int, Any]:
    done = CliRunner().invoke(main, [*arguments, "--json"])
    return done.exit_code, json.loads(done.stdout) if done.stdout.strip() else None
