"""`shanben store copy` as an operator uses it: a library moves to another store, also when it is stopped on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ceph_server import S3Settings

from repository.config import Settings
from repository.storage.folder import FolderStore
from repository.storage.store import ObjectStore, open_store

pytestmark = pytest.mark.integration
SHANBEN = Path(sys.executable).with_name("shanben")


class Ended(NamedTuple):
    """How a command ended: its exit code, its document, and what it said."""

    code: int
    document: Any
    words: str


Shanben = Callable[..., Ended]


def environment_of(settings: dict[str, str]) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SHANBEN_")}
    return {**kept, **settings}


@pytest.fixture
def shanben(tmp_path: Path) -> Shanben:
    """Runs `shanben` in an empty folder with settings of its own."""

    def run(*arguments: object, **settings: str) -> Ended:
        command = [str(SHANBEN), *map(str, arguments), "--json"]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment_of(settings), capture_output=True, text=True, timeout=240
        )
        return Ended(done.returncode, json.loads(done.stdout) if done.stdout.strip() else None, done.stderr)

    return run


@pytest.fixture
def library(shanben: Shanben, deposit: Path, tmp_path: Path) -> FolderStore:
    """A small library in a folder: one work in one version, its pyramids, its log."""
    ended = shanben("ingest", deposit)
    assert ended.code == 0, ended.words
    return FolderStore(tmp_path / "var" / "store")


@pytest.fixture
def elsewhere(library: FolderStore, bucket: S3Settings, tmp_path: Path) -> dict[str, str]:
    """The settings of another machine: its data folder has the log's keys and nothing else, its store is in S3."""
    shutil.copytree(tmp_path / "var" / "keys", tmp_path / "elsewhere" / "keys")
    return {
        "SHANBEN_DATA": str(tmp_path / "elsewhere"),
        **{f"SHANBEN_{name.upper()}": str(value) for name, value in bucket.items()},
    }


def contents(store: ObjectStore) -> dict[str, bytes]:
    kept = ("ocfl/", "log/", "published/", "pyramids/")
    return {found.key: store.read(found.key) for found in store.list() if found.key.startswith(kept)}


def store_of(settings: dict[str, str]) -> ObjectStore:
    names = ("store", "s3_endpoint", "s3_access_key", "s3_secret_key")
    return open_store(Settings(**{name: settings[f"SHANBEN_{name.upper()}"] for name in names}))


def test_a_library_moves_to_s3_and_is_brought_up_there(
    shanben: Shanben, library: FolderStore, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    before = shanben("status").document
    ended = shanben("store", "copy", tmp_path / "var" / "store", elsewhere["SHANBEN_STORE"], **elsewhere)
    assert ended.code == 0, ended.words
    moved = contents(library)
    assert (ended.document["works"], ended.document["objects"]) == (1, len(moved) - 3)  # the storage root's own three
    assert ended.document["objects_put"] == ended.document["objects"]
    assert ended.document["log"] == {"size": before["log"]["size"], "root": before["log"]["root"]}
    assert contents(store_of(elsewhere)) == moved
    again = shanben("store", "copy", tmp_path / "var" / "store", elsewhere["SHANBEN_STORE"], **elsewhere)
    assert (again.code, again.document["objects_put"], again.document["bytes_put"]) == (0, 0, 0)
    rebuilt = shanben("rebuild", **elsewhere)
    assert (rebuilt.code, rebuilt.document["pyramids_made"]) == (0, 0), rebuilt.words
    after = shanben("status", **elsewhere).document
    assert [after[name] for name in ("works", "images", "bytes")] == [
        before[name] for name in ("works", "images", "bytes")
    ]
    verdict = shanben("log", "verify", **elsewhere).document
    assert (verdict["ok"], verdict["root"]) == (True, before["log"]["root"])
    assert contents(store_of(elsewhere)) == moved


def test_back_from_s3_into_a_folder_without_what_can_be_made_again(
    shanben: Shanben, library: FolderStore, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    there = elsewhere["SHANBEN_STORE"]
    assert shanben("store", "copy", tmp_path / "var" / "store", there, "--masters-only", **elsewhere).code == 0
    back = tmp_path / "back"
    ended = shanben("store", "copy", there, back, **elsewhere)
    assert ended.code == 0, ended.words
    kept = {key: body for key, body in contents(library).items() if key.startswith(("ocfl/", "log/"))}
    assert contents(FolderStore(back)) == kept
    rebuilt = shanben("rebuild", SHANBEN_STORE=str(back))
    assert (rebuilt.code, rebuilt.document["pyramids_made"]) == (0, 3), rebuilt.words


def test_killed_on_the_way_it_goes_on_where_it_was(
    shanben: Shanben, library: FolderStore, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    arguments = ["store", "copy", str(tmp_path / "var" / "store"), elsewhere["SHANBEN_STORE"]]
    target = store_of(elsewhere)
    whole = len(contents(library))
    for part in (0.2, 0.5, 0.9):
        with subprocess.Popen(
            [str(SHANBEN), *arguments],
            env=environment_of(elsewhere),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        ) as copying:
            deadline = time.monotonic() + 60
            while copying.poll() is None and sum(1 for _ in target.list()) < whole * part:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            copying.send_signal(signal.SIGKILL)
    reached = sum(1 for _ in target.list())
    ended = shanben(*arguments, **elsewhere)
    assert ended.code == 0, ended.words
    assert ended.document["objects_put"] <= whole - reached + 3
    assert contents(target) == contents(library)


def test_one_damaged_master_is_told_and_all_else_is_copied(
    shanben: Shanben, library: FolderStore, tmp_path: Path
) -> None:
    master = next(found.key for found in library.list("ocfl") if found.key.endswith("0002.tif"))
    good = library.read(master)
    library.put(master, good[:-1] + b"x")
    ended = shanben("store", "copy", tmp_path / "var" / "store", tmp_path / "copy", LC_ALL="en_GB.UTF-8")
    (problem,) = ended.document["problems"]
    assert (ended.code, problem["code"], ended.document["works"]) == (1, "integrity.digest", 0)
    assert str(tmp_path / "var" / "store") in problem["message"]
    assert master in problem["message"]
    copy = FolderStore(tmp_path / "copy")
    assert not copy.exists(master)
    assert contents(copy).items() <= contents(library).items()
    library.put(master, good)
    assert shanben("store", "copy", tmp_path / "var" / "store", tmp_path / "copy").code == 0
    assert contents(copy) == contents(library)


def test_what_cannot_be_copied_is_told_by_its_exit_code_without_a_traceback(
    shanben: Shanben, library: FolderStore, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    here = tmp_path / "var" / "store"
    away = {**elsewhere, "SHANBEN_S3_SECRET_KEY": "wrong"}
    for code, arguments, settings in [
        (2, (here, here), {}),
        (2, (here, here / "inside"), {}),
        (2, (tmp_path / "nothing", tmp_path / "copy"), {}),
        (2, (here, "ftp://example/store"), {}),
        (3, (here, elsewhere["SHANBEN_STORE"]), away),
    ]:
        ended = shanben("store", "copy", *arguments, **settings)
        assert (ended.code, "Traceback" in ended.words) == (code, False), ended.words
    assert not (tmp_path / "copy").exists()
