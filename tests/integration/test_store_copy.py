"""`shanben store copy` as an operator uses it: a library moves to another store, also after an interrupted copy."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

import pytest
from ceph_server import S3Settings
from command_line import SHANBEN, ShanbenHere, environment_of
from deposits import write_deposit
from server_process import running

from repository.config import Settings
from repository.storage.folder import FolderStore
from repository.storage.store import ObjectStore, open_store

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one work in one version, its pyramids and its log, to be copied."""
    folder = tmp_path_factory.mktemp("template")
    done = ShanbenHere(folder).run("ingest", write_deposit(folder / "deposit"))
    assert done.code == 0, done.errors
    return folder / "var"


@pytest.fixture
def shanben(tmp_path: Path) -> ShanbenHere:
    return ShanbenHere(tmp_path)


@pytest.fixture
def library(template: Path, tmp_path: Path) -> FolderStore:
    """The store of a library of this test's own, which the command uses."""
    shutil.copytree(template, tmp_path / "var")
    return FolderStore(tmp_path / "var" / "store")


@pytest.fixture
def target(library: FolderStore, bucket: S3Settings, tmp_path: Path) -> dict[str, object]:
    """The settings of another machine, with its store in S3; its data folder holds the log's keys and nothing else."""
    shutil.copytree(tmp_path / "var" / "keys", tmp_path / "target" / "keys")
    return {"data": tmp_path / "target", **bucket}


def contents(store: ObjectStore) -> dict[str, bytes]:
    permanent = ("ocfl/", "log/", "published/", "pyramids/")
    return {entry.key: store.read(entry.key) for entry in store.list() if entry.key.startswith(permanent)}


def store_of(settings: dict[str, object]) -> ObjectStore:
    return open_store(Settings(**{name: value for name, value in settings.items() if name != "data"}))


def test_a_library_copied_to_s3_is_rebuilt_there(
    shanben: ShanbenHere, library: FolderStore, target: dict[str, object], tmp_path: Path
) -> None:
    before = shanben.run_json("status").document
    done = shanben.run_json("store", "copy", tmp_path / "var" / "store", target["store"], **target)
    assert done.code == 0, done.errors
    moved = contents(library)
    assert (done.document["works"], done.document["objects"]) == (1, len(moved) - 3)  # the storage root's own three
    assert done.document["objects_put"] == done.document["objects"]
    assert done.document["log"] == {"size": before["log"]["size"], "root": before["log"]["root"]}
    assert contents(store_of(target)) == moved
    again = shanben.run_json("store", "copy", tmp_path / "var" / "store", target["store"], **target)
    assert (again.code, again.document["objects_put"], again.document["bytes_put"]) == (0, 0, 0)
    rebuilt = shanben.run_json("rebuild", **target)
    assert (rebuilt.code, rebuilt.document["pyramids_made"]) == (0, 0), rebuilt.errors
    after = shanben.run_json("status", **target).document
    assert [after[name] for name in ("works", "images", "bytes")] == [
        before[name] for name in ("works", "images", "bytes")
    ]
    verdict = shanben.run_json("log", "verify", **target).document
    assert (verdict["ok"], verdict["root"]) == (True, before["log"]["root"])
    assert contents(store_of(target)) == moved


def test_a_copy_of_the_masters_alone_is_rebuilt_with_its_pyramids(
    shanben: ShanbenHere, library: FolderStore, target: dict[str, object], tmp_path: Path
) -> None:
    there = target["store"]
    assert shanben.run_json("store", "copy", tmp_path / "var" / "store", there, "--masters-only", **target).code == 0
    back = tmp_path / "back"
    done = shanben.run_json("store", "copy", there, back, **target)
    assert done.code == 0, done.errors
    masters_and_log = {key: body for key, body in contents(library).items() if key.startswith(("ocfl/", "log/"))}
    assert contents(FolderStore(back)) == masters_and_log
    rebuilt = shanben.run_json("rebuild", store=back)
    assert (rebuilt.code, rebuilt.document["pyramids_made"]) == (0, 3), rebuilt.errors


def test_a_killed_copy_resumes_where_it_was(
    shanben: ShanbenHere, library: FolderStore, target: dict[str, object], tmp_path: Path
) -> None:
    arguments = ["store", "copy", tmp_path / "var" / "store", target["store"]]
    copied = store_of(target)
    whole = len(contents(library))
    environment = shanben.environment | environment_of(target)
    for part in (0.2, 0.5, 0.9):
        with running([SHANBEN, *arguments], env=environment, stdout=-3, stderr=-3) as copy:
            deadline = time.monotonic() + 60
            while copy.poll() is None and sum(1 for _ in copied.list()) < whole * part:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            copy.send_signal(signal.SIGKILL)
    reached = sum(1 for _ in copied.list())
    done = shanben.run_json(*arguments, **target)
    assert done.code == 0, done.errors
    assert done.document["objects_put"] <= whole - reached + 3
    assert contents(copied) == contents(library)


def test_a_damaged_master_is_reported_and_everything_else_is_copied(
    shanben: ShanbenHere, library: FolderStore, tmp_path: Path
) -> None:
    master = next(entry.key for entry in library.list("ocfl") if entry.key.endswith("0002.tif"))
    good = library.read(master)
    library.put(master, good[:-1] + b"x")
    done = shanben.run_json("store", "copy", tmp_path / "var" / "store", tmp_path / "copy")
    (problem,) = done.document["problems"]
    assert (done.code, problem["code"], done.document["works"]) == (1, "integrity.digest", 0)
    assert str(tmp_path / "var" / "store") in problem["message"]
    assert master in problem["message"]
    copy = FolderStore(tmp_path / "copy")
    assert not copy.exists(master)
    assert contents(copy).items() <= contents(library).items()
    library.put(master, good)
    assert shanben.run_json("store", "copy", tmp_path / "var" / "store", tmp_path / "copy").code == 0
    assert contents(copy) == contents(library)


def test_each_failure_of_a_copy_has_its_exit_code_and_no_traceback(
    shanben: ShanbenHere, library: FolderStore, target: dict[str, object], tmp_path: Path
) -> None:
    here = tmp_path / "var" / "store"
    away = {**target, "s3_secret_key": "wrong"}
    for code, arguments, settings in [
        (2, (here, here), {}),
        (2, (here, here / "inside"), {}),
        (2, (tmp_path / "nothing", tmp_path / "copy"), {}),
        (2, (here, "ftp://example/store"), {}),
        (3, (here, target["store"]), away),
    ]:
        done = shanben.run_json("store", "copy", *arguments, **settings)
        assert (done.code, "Traceback" in done.errors) == (code, False), done.errors
    assert not (tmp_path / "copy").exists()
