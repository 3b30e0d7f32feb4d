"""Every command that uses the store fails, and writes nothing, when the store is unmounted or another library's."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result
from deposits import write_deposit

from preservation.store_identity import (
    ReplicaNotRecognised,
    StoreNotRecognised,
    read_identity,
    verify_replica,
    write_identity,
)
from repository import paths
from repository.config import Settings
from repository.database.outbox import JobState
from repository.database.store_registry import PRIMARY
from repository.repository import Repository, open_repository
from repository.storage.folder import FolderStore
from web.cli.main import main
from workers.bootstrap import bootstrap, bootstrap_to_serve
from workers.deposit.examiner import ChildDepositExaminer
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks.jobs import ingest_job

COMMANDS = (
    ("init",),
    ("ingest", "deposit"),
    ("retry",),
    ("rebuild",),
    ("status",),
    ("status", "--json"),
    ("log", "verify"),
    ("log", "prove", "image"),
    ("store", "adopt"),
    ("store", "validate"),
    ("store", "validate", "--json"),
)


class Library(NamedTuple):
    """A library on folders, with one work and one replica."""

    settings: Settings
    deposit: Path
    examiner: ChildDepositExaminer

    @property
    def store(self) -> Path:
        return Path(self.settings.store_url)

    @property
    def replica(self) -> Path:
        return Path(self.settings.replicas[0])

    def open(self) -> Repository:
        return open_repository(self.settings)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, arguments)

    def ingest(self) -> Any:
        with local_runner(TaskContext(bootstrap(self.settings), self.examiner)) as runner:
            job = runner.run(ingest_job(self.deposit))
            return job, runner.unfinished()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, examiner: ChildDepositExaminer) -> tuple[Library, Path]:
    """A library whose work is ingested and copied to its replica, and a copy of its folder."""
    folder = tmp_path_factory.mktemp("original") / "library"
    settings = Settings(data=folder / "var", replicas=(str(folder / "replica"),))
    library = Library(settings, write_deposit(folder / "deposit", 1), examiner)
    job, unfinished = library.ingest()
    assert (job.state, unfinished) == (JobState.DONE, [])
    return library, Path(shutil.copytree(folder, folder.with_name("copy")))


@pytest.fixture
def library(original: tuple[Library, Path], monkeypatch: pytest.MonkeyPatch) -> Library:
    """The library as it was, in its own folder: its database has the addresses of the deposit and of the replica."""
    library, copy = original
    for name in list(os.environ):
        if name.startswith("SHANBEN_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SHANBEN_DATA", str(library.settings.data))
    monkeypatch.setenv("SHANBEN_REPLICAS", str(library.replica))
    shutil.rmtree(library.settings.data.parent)
    shutil.copytree(copy, library.settings.data.parent)
    return library


def empty(store: Path) -> None:
    """Leave what an unmounted folder is: the empty folder below the mount."""
    shutil.rmtree(store)
    store.mkdir()


def swap(store: Path) -> None:
    """Mount the store of another library here."""
    empty(store)
    write_identity(FolderStore(store), "another")


def lose_identity(store: Path) -> None:
    (store / paths.STORE_IDENTITY).unlink()


def damage_identity(store: Path) -> None:
    (store / paths.STORE_IDENTITY).write_text("{", "utf-8")


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("change", [empty, swap])
def test_every_command_fails_and_writes_nothing_into_a_store_that_is_not_recognised(
    library: Library, change: Callable[[Path], None]
) -> None:
    (image,) = (image.identifier for work in library.open().catalogue.works() for image in _images(library, work))
    change(library.store)
    before = listing(library.store)
    for arguments in COMMANDS:
        words = [{"deposit": str(library.deposit), "image": image}.get(word, word) for word in arguments]
        done = library.run(*words)
        assert done.exit_code == 3, (arguments, done.output)
        assert "is not the store of this library" in done.output, arguments
        assert listing(library.store) == before, arguments
    assert json.loads(library.run("status", "--json").stdout)["preserved"] == 0


def _images(library: Library, work: Any) -> Any:
    held = library.open().catalogue.work(work.identifier)
    assert held
    return held.images()


@pytest.mark.parametrize(
    ("change", "reason"),
    [(lose_identity, "it has no shanben-store.json"), (damage_identity, "its shanben-store.json is damaged")],
)
def test_store_whose_identity_is_lost_is_refused_until_it_is_adopted(
    library: Library, change: Callable[[Path], None], reason: str
) -> None:
    before = read_identity(library.open().store)
    change(library.store)
    refused = library.run("init")
    assert (refused.exit_code, reason in refused.output) == (3, True)
    assert library.run("store", "adopt").exit_code == 0
    assert library.run("init").exit_code == 0
    assert read_identity(library.open().store) == before


def test_store_that_is_unmounted_while_a_process_runs_gets_no_job(library: Library) -> None:
    repository = bootstrap(library.settings)
    empty(library.store)
    with local_runner(TaskContext(repository, library.examiner)) as runner:
        job = runner.run(ingest_job(library.deposit))
    assert job.state is JobState.FAILED
    assert job.result
    assert job.result["code"] == StoreNotRecognised.code
    assert listing(library.store) == []


def test_serving_starts_without_the_store_and_reports_it(library: Library) -> None:
    empty(library.store)
    assert isinstance(bootstrap_to_serve(library.settings), StoreNotRecognised)
    assert listing(library.store) == []


def test_store_that_was_filled_before_identities_adopts_one(library: Library) -> None:
    repository = library.open()
    for folder in (library.store, library.replica):
        lose_identity(folder)
    with repository.stores._sessions.begin() as session:
        session.connection().exec_driver_sql("DELETE FROM stores")
    assert library.run("status").exit_code == 0  # reading writes nothing
    assert read_identity(repository.store) is None
    assert library.run("init").exit_code == 0
    identity = read_identity(repository.store)
    assert identity
    assert repository.stores.identity(PRIMARY) == identity
    _, unfinished = library.ingest()
    assert unfinished == []
    assert read_identity(FolderStore(library.replica)) == identity


@pytest.mark.parametrize("change", [empty, swap])
def test_store_without_a_known_identity_is_not_adopted_unless_it_holds_the_works(
    library: Library, change: Callable[[Path], None]
) -> None:
    repository = library.open()
    with repository.stores._sessions.begin() as session:
        session.connection().exec_driver_sql("DELETE FROM stores")
    change(library.store)
    assert library.run("init").exit_code == 3


def test_emptied_store_is_refused_by_what_the_log_signed_when_the_database_is_lost(library: Library) -> None:
    library.settings.data.joinpath("shanben.sqlite").unlink()
    empty(library.store)
    done = library.run("rebuild")
    assert done.exit_code == 3
    assert "is not the store of this library" in done.output


def test_lost_database_is_rebuilt_from_a_store_that_has_its_identity(library: Library) -> None:
    before = read_identity(library.open().store)
    library.settings.data.joinpath("shanben.sqlite").unlink()
    assert library.run("rebuild").exit_code == 0
    assert library.open().stores.identity(PRIMARY) == before


@pytest.mark.parametrize("change", [empty, swap])
def test_replica_that_was_filled_and_is_not_recognised_is_an_alarm(
    library: Library, change: Callable[[Path], None]
) -> None:
    change(library.replica)
    before = listing(library.replica)
    job, unfinished = library.ingest()
    assert job.state is JobState.DONE
    codes = {(each.job.state, (each.job.result or {}).get("code")) for each in unfinished}
    assert codes == {(JobState.FAILED, ReplicaNotRecognised.code)}
    assert library.run("ingest", str(library.deposit)).exit_code == 3
    assert listing(library.replica) == before
    status = library.run("status", "--json")
    document = json.loads(status.stdout)
    assert (status.exit_code, document["preserved"]) == (0, 0)
    assert "is not the store of this library" in document["replicas"][0]["reason"]


def test_emptied_replica_is_filled_again_when_an_operator_says_that_it_is_lost(library: Library) -> None:
    before = listing(library.replica)
    empty(library.replica)
    assert library.run("store", "adopt", "--store", str(library.replica)).exit_code == 3
    assert library.run("store", "adopt", "--store", str(library.replica), "--refill").exit_code == 0
    assert library.run("retry").exit_code == 0
    library.ingest()
    canaries = {name for name in listing(library.replica) if name.startswith("canaries/")}
    assert canaries, "an adopted store has canaries at once"
    assert [name for name in listing(library.replica) if name not in canaries] == before
    assert json.loads(library.run("status", "--json").stdout)["preserved"] == 1


@pytest.mark.parametrize(("change", "options"), [(damage_identity, ()), (empty, ("--refill",))])
def test_replica_is_adopted_by_the_command_that_the_reason_names(
    library: Library, change: Callable[[Path], None], options: tuple[str, ...]
) -> None:
    repository, replica = library.open(), str(library.replica)
    change(library.replica)
    command = ("store", "adopt", "--store", replica, *options)
    with pytest.raises(ReplicaNotRecognised, match=re.escape(f"run shanben {' '.join(command)}")):
        verify_replica(repository, replica)
    assert library.run(*command).exit_code == 0
    verify_replica(repository, replica)


def test_only_a_replica_is_refilled(library: Library) -> None:
    assert library.run("store", "adopt", "--refill").exit_code == 2
    assert library.run("store", "adopt", "--store", "elsewhere").exit_code == 2


def test_replica_may_become_the_primary_store(library: Library) -> None:
    shutil.rmtree(library.store)
    promoted = library._replace(settings=replace(library.settings, store=str(library.replica), replicas=()))
    job, unfinished = promoted.ingest()
    assert (job.state, unfinished) == (JobState.DONE, [])


def test_copy_of_a_store_has_its_identity_and_another_librarys_store_is_no_target(
    library: Library, tmp_path: Path
) -> None:
    copied = library.run("store", "copy", str(library.store), str(tmp_path / "copy"))
    assert copied.exit_code == 0
    assert read_identity(FolderStore(tmp_path / "copy")) == read_identity(FolderStore(library.store))
    swap(tmp_path / "copy")
    before = listing(tmp_path / "copy")
    refused = library.run("store", "copy", str(library.store), str(tmp_path / "copy"))
    assert (refused.exit_code, listing(tmp_path / "copy")) == (3, before)
