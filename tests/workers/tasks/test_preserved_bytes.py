"""Whatever single file of an object is lost, outdated or damaged, no command deletes or changes a preserved byte.

An object with two versions, in the store and in its replica, loses one file; then commands run. The pages are tiny,
because only the files of the object matter. Each case begins with another command and runs `COMMANDS_OF_A_CASE`, so
that the cases together try every command early and late; `make fuzz` runs all commands in every case.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import pyvips
from silent_progress import SilentProgress

from preservation.log.sequencer import open_log
from preservation.ocfl.objects import read_inventory
from preservation.ocfl.store_validation import survey_store, validate_store
from preservation.replication.transfer import NamedStore
from repository import paths
from repository.config import Settings
from repository.database.outbox import Job, JobState
from repository.errors import ShanbenError
from repository.model.work import WorkState
from repository.repository import open_repository
from repository.storage.folder import FolderStore
from web.cli.retry import jobs_to_retry
from web.operations.status import StatusReader
from workers.bootstrap import bootstrap
from workers.deposit.check import check
from workers.execution.context import TaskContext
from workers.maintenance.copy_store import copy_store
from workers.maintenance.rebuild import rebuild
from workers.maintenance.restore_store import restore_store
from workers.masters.examine import Examiner
from workers.service.local import local_runner
from workers.tasks.access import restore, withdraw
from workers.tasks.jobs import (
    access_job,
    ingest_job,
    pyramid_job,
    repair_stores_job,
    repair_work_job,
    replicate_work_job,
)

COMMANDS_OF_A_CASE = int(os.environ.get("PRESERVED_COMMANDS", "5"))
STORES = ("store", "replica")
FILES = (
    "0=ocfl_object_1.1",
    "inventory.json",
    "inventory.json.sha256",
    "v1/inventory.json",
    "v1/inventory.json.sha256",
    "v1/content/masters/0001.png",
    "v1/content/masters/0002.png",
    "v1/content/metadata/events.json",
    "v1/content/metadata/work.json",
    "v1/content/deposit/work.toml",
    "v2/inventory.json",
    "v2/inventory.json.sha256",
    "v2/content/masters/0002.png",
    "v2/content/metadata/events.json",
    "v2/content/metadata/work.json",
)


@dataclass(frozen=True)
class Library:
    """A data folder with a work in two versions, its replica, and deposits of the work."""

    folder: Path
    examiner: Examiner

    @property
    def settings(self) -> Settings:
        return Settings(data=self.folder / "var", replicas=(str(self.folder / "replica"),))

    def context(self) -> TaskContext:
        return TaskContext(open_repository(self.settings), self.examiner)

    def ingest(self, deposit: str) -> Job:
        with local_runner(self.context()) as runner:
            return runner.run(ingest_job(self.folder / deposit))

    @property
    def work(self) -> str:
        folders = (self.folder / "replica").glob("ocfl/???/???/???/*")
        return next(folders).name.removeprefix("shanben%3a")

    def object_folder(self, store: str) -> Path:
        root = self.folder / ("var/store" if store == "store" else "replica")
        return root / paths.ocfl_object(self.work)

    def files(self, store: str) -> dict[str, str]:
        """Return the digest of every file of the object by its path."""
        folder = self.object_folder(store)
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


def write_page(path: Path, seed: int) -> None:
    pyvips.Image.gaussnoise(40, 50, mean=200, sigma=30, seed=seed).cast("uchar").pngsave(str(path))


def write_deposit(folder: Path, title: str, second_page: int) -> None:
    folder.mkdir()
    (folder / "work.toml").write_text(f'title = "{title}"\nidentifier = "一"\n', "utf-8")
    write_page(folder / "0001.png", 1)
    write_page(folder / "0002.png", second_page)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, examiner: Examiner) -> Library:
    library = Library(tmp_path_factory.mktemp("whole"), examiner)
    for number, deposit in enumerate(("first", "second", "third", "broken"), start=2):
        write_deposit(library.folder / deposit, "書", number)
    (library.folder / "broken" / "0002.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    bootstrap(library.settings)
    for deposit in ("first", "second"):
        assert library.ingest(deposit).state is JobState.DONE
    return library


@pytest.fixture
def library(whole: Library, tmp_path: Path) -> Library:
    """A copy of the library, under whose deposits' paths its jobs are known too."""
    shutil.copytree(whole.folder, tmp_path / "copy")
    return Library(tmp_path / "copy", whole.examiner)


def run_rebuild(library: Library) -> None:
    rebuild(library.context().repository, library.examiner, SilentProgress())


def run_retry(library: Library) -> None:
    context = library.context()
    with local_runner(context) as runner:
        runner.attempt(jobs_to_retry(context.repository.jobs, ()))


def run_withdrawal(library: Library) -> None:
    """Withdraw the work, or restore it if it is withdrawn."""
    context = library.context()
    access = context.repository.catalogue.access(library.work)
    is_withdrawn = access is not None and access.access.state is WorkState.WITHDRAWN
    (restore if is_withdrawn else withdraw)(context.repository, library.work, "")
    with local_runner(context) as runner:
        runner.attempt([access_job(library.work)])


def run_replication(library: Library) -> None:
    context = library.context()
    with local_runner(context) as runner:
        runner.attempt([replicate_work_job(name, library.work) for name in context.repository.replicas])


def run_repair(library: Library) -> None:
    context = library.context()
    pyramids = context.repository.catalogue.pyramids(library.work)
    for pyramid in pyramids.values():
        context.repository.store.delete(pyramid.key)
    with local_runner(context) as runner:
        runner.attempt([pyramid_job(image, library.work) for image in pyramids])


def run_validation(library: Library) -> None:
    repository = library.context().repository
    for store in (repository.store, *repository.replicas.values()):
        list(validate_store(store, survey_store(store)))


def run_copy(library: Library) -> None:
    """Copy each store into the other, and into a third."""
    stores = [NamedStore(name, FolderStore(library.folder / name)) for name in ("var/store", "replica", "third-store")]
    for source, target in ((0, 1), (1, 0), (0, 2), (1, 2)):
        copy_store(stores[source], stores[target], SilentProgress())


def run_store_repair(library: Library) -> None:
    """Repair the log and the work in every store, and move away what nothing explains."""
    with local_runner(library.context()) as runner:
        runner.attempt([repair_stores_job(), repair_work_job(library.work, quarantine=True, derived=True)])


def run_restore(library: Library) -> None:
    """Restore each store from the other, and a third from both."""
    repository = library.context().repository
    replica = next(iter(repository.replicas.items()))
    stores = [NamedStore("store", repository.store), NamedStore(*replica)]
    third = NamedStore("third-store", FolderStore(library.folder / "third-store"))
    for sources, target in ((stores[1:], stores[0]), (stores[:1], stores[1]), (stores, third)):
        restore_store(repository, sources, target, SilentProgress())


def run_reading(library: Library) -> None:
    repository = library.context().repository
    StatusReader(repository).read(5)
    open_log(repository).verify()
    check(library.folder / "third", library.examiner, SilentProgress())


COMMANDS: tuple[Callable[[Library], object], ...] = (
    lambda library: library.ingest("broken"),
    lambda library: library.ingest("second"),
    run_rebuild,
    lambda library: library.ingest("broken"),
    lambda library: library.ingest("third"),
    run_repair,
    run_replication,
    run_copy,
    run_store_repair,
    lambda library: library.ingest("first"),
    run_retry,
    run_validation,
    run_restore,
    run_reading,
    run_withdrawal,
    lambda library: library.ingest("broken"),
    run_rebuild,
    lambda library: library.ingest("third"),
)


def lose(path: Path) -> None:
    path.unlink()


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x01
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def outdate(path: Path) -> None:
    """Replace a file with the one of the first version that has its name."""
    folder = next(parent for parent in path.parents if parent.name.startswith("shanben%3a"))
    name = str(path.relative_to(folder)).removeprefix("v2/")
    if (folder / "v1" / name).exists():
        shutil.copyfile(folder / "v1" / name, path)


def outdate_with_sidecar(path: Path) -> None:
    for each in (path, path.with_name(f"{path.name}.sha256")):
        if path.name == "inventory.json":
            outdate(each)


HARMS = {file: [lose, damage] for file in FILES}
for file in ("inventory.json", "inventory.json.sha256", "v2/content/metadata/events.json", "v2/inventory.json"):
    HARMS[file] += [empty, outdate]
HARMS["inventory.json"].append(outdate_with_sidecar)
CASES = [(store, file, harm) for store in STORES for file in FILES for harm in HARMS[file]]


def assert_nothing_disappeared(before: dict[str, str], after: dict[str, str], harmed: set[str], what: str) -> None:
    """Assert that all content exists, and that the files of versions are as they were; harmed ones may be restored."""
    assert set(before.values()) - {before.get(path) for path in harmed} <= set(after.values()), what
    for path, digest in before.items():
        if path.startswith("v") and path not in harmed:
            assert after.get(path) == digest, f"{what}: {path}"


def test_files_of_the_object_are_those_that_are_harmed(whole: Library) -> None:
    assert set(whole.files("store")) == set(whole.files("replica")) == set(FILES)


def test_a_whole_object_gets_a_further_version(library: Library) -> None:
    assert library.ingest("broken").state is JobState.FAILED
    assert library.ingest("third").state is JobState.DONE
    inventory = read_inventory(library.context().repository.store, library.work)
    assert inventory
    assert inventory.head == "v3"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "store", "file", "harm"),
    [(number, *case) for number, case in enumerate(CASES)],
    ids=[f"{store}-{harm.__name__}-{file}" for store, file, harm in CASES],
)
def test_no_command_deletes_a_preserved_byte_of_an_object_with_one_harmed_file(
    library: Library, case: int, store: str, file: str, harm: Callable[[Path], None]
) -> None:
    whole = library.files(store)
    harm(library.object_folder(store) / file)
    before = {name: library.files(name) for name in STORES}
    harmed = {path for path in whole if before[store].get(path) != whole[path]}
    first = case % len(COMMANDS)
    commands = (COMMANDS[first:] + COMMANDS[:first])[:COMMANDS_OF_A_CASE]
    for number, command in enumerate(commands):
        with suppress(ShanbenError):
            command(library)
        for name in STORES:
            assert_nothing_disappeared(
                before[name], library.files(name), harmed if name == store else set(), f"{name} after {number + first}"
            )


@pytest.mark.parametrize("harm", [lose, damage, empty, outdate_with_sidecar])
def test_a_refused_deposit_and_a_new_version_leave_an_object_without_its_inventory_untouched(
    library: Library, harm: Callable[[Path], None]
) -> None:
    harm(library.object_folder("store") / "inventory.json")
    before = library.files("store")
    for deposit in ("broken", "third", "second"):
        job = library.ingest(deposit)
        assert job.state is JobState.FAILED
        assert job.result
        assert job.result["branch"] == "integrity"
        assert library.work in job.result["message"]["en"]  # type: ignore[index]
        assert library.files("store") == before


@pytest.mark.parametrize("remaining", ["no version", "the first version"])
def test_versions_that_the_catalogue_knows_and_the_store_lacks_are_not_written_again(
    library: Library, remaining: str
) -> None:
    folder, work = library.object_folder("store"), library.work
    if remaining == "no version":
        shutil.rmtree(folder)
    else:
        outdate_with_sidecar(folder / "inventory.json")
        shutil.rmtree(folder / "v2")
    before = library.files("store")
    for deposit in ("second", "third"):
        job = library.ingest(deposit)
        assert job.state is JobState.FAILED
        assert job.result
        assert "the catalogue knows v2" in job.result["message"]["en"]  # type: ignore[index]
        assert library.files("store") == before
    rebuilt = rebuild(library.context().repository, library.examiner, SilentProgress())
    assert [(lost.work, lost.logged) for lost in rebuilt.lost] == [(work, 2)]
    assert library.ingest("third").state is JobState.DONE
