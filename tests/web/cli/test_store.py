"""`shanben store validate` over a folder store and a replica, as an operator and as a program call it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from preservation.ocfl.objects import prepare_storage_root, write_version
from repository.config import Settings
from repository.identifiers import Kind, mint
from repository.paths import ocfl_object
from repository.storage.address import store_name
from repository.storage.folder import FolderStore
from repository.storage.store import ObjectStore, open_store_at
from web.cli.main import main
from workers.store_preparation import prepare_store

pytestmark = pytest.mark.slow

WORKS = [mint(Kind.WORK, title) for title in ("論語", "孟子")]


class Result(NamedTuple):
    """The exit code of a command, its standard output, and its standard error."""

    code: int
    output: str
    messages: str

    @property
    def document(self) -> Any:
        return json.loads(self.output)


class Library(NamedTuple):
    """A folder store with two works, and its replica."""

    main: FolderStore
    replica: FolderStore
    replica_name: str

    def validate(self, *arguments: str) -> Result:
        done = CliRunner().invoke(main, ["store", "validate", *arguments])
        return Result(done.exit_code, done.stdout, done.stderr)


def fill(store: ObjectStore) -> None:
    prepare_storage_root(store)
    for work in WORKS:
        write_version(store, work, {"masters/1.tif": work.encode()}, message="m", created="2026-01-02T03:04:05Z")


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    for name in list(os.environ):
        if name.startswith("SHANBEN_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    monkeypatch.setenv("SHANBEN_STORE", str(tmp_path / "main"))
    monkeypatch.setenv("SHANBEN_REPLICAS", str(tmp_path / "replica"))
    library = Library(FolderStore(tmp_path / "main"), FolderStore(tmp_path / "replica"), str(tmp_path / "replica"))
    fill(library.main)
    fill(library.replica)
    return library


def test_valid_store_ends_with_0_and_its_warnings_are_counted(library: Library) -> None:
    result = library.validate("--json")
    assert result.code == 0
    document = result.document
    assert (document["objects"], document["valid"], document["faults"]) == (2, 2, [])
    assert document["bytes"] == sum(stored.size for stored in library.main.list("ocfl"))
    (warning,) = document["warnings"]
    assert (warning["code"], warning["count"]) == ("W004", 4)
    assert "2 objects, 2 valid" in library.validate().output


def test_fault_is_reported_with_its_object_code_key_and_meaning(library: Library) -> None:
    key = f"{ocfl_object(WORKS[0])}/v1/content/masters/1.tif"
    library.main.put(key, b"damaged")
    result = library.validate("--json")
    assert result.code == 1
    document = result.document
    assert (document["objects"], document["valid"]) == (2, 1)
    message = "The content does not have the digest in the manifest (sha256)"
    assert document["faults"] == [{"object": f"shanben:{WORKS[0]}", "code": "E092", "key": key, "message": message}]
    readable = library.validate()
    assert readable.code == 1
    assert f"✗ shanben:{WORKS[0]}  E092  {key}: {message}" in readable.output
    assert "1 fault. Delete nothing" in readable.output


def test_replica_is_validated_by_its_name_and_apart_from_the_main_store(library: Library) -> None:
    library.replica.delete(f"{ocfl_object(WORKS[1])}/inventory.json")
    assert library.validate("--json").code == 0
    result = library.validate("--json", "--store", library.replica_name)
    assert (result.code, result.document["store"]) == (1, library.replica_name)
    assert [fault["code"] for fault in result.document["faults"]] == ["E063"]


@pytest.mark.integration
def test_replica_in_s3_is_validated(library: Library, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"s3://library/copy?endpoint={endpoint}&access_key=a&secret_key=s&region=us-east-1"
    monkeypatch.setenv("SHANBEN_REPLICAS", address)
    prepare_store(address, Settings())
    replica = open_store_at(address, Settings())
    fill(replica)
    name = store_name(address)
    assert library.validate("--json", "--store", name).document["valid"] == 2
    replica.put(f"{ocfl_object(WORKS[0])}/inventory.json", b"{")
    result = library.validate("--json", "--store", name)
    assert (result.code, [fault["code"] for fault in result.document["faults"]]) == (1, ["E033"])
    assert "access_key" not in result.output + result.messages


def test_main_store_is_named_store_or_by_its_address(library: Library, tmp_path: Path) -> None:
    for name in ("store", str(tmp_path / "main")):
        assert library.validate("--json", "--store", name).document["store"] == str(tmp_path / "main")


@pytest.mark.parametrize("name", ["nowhere", ""])
def test_unknown_name_ends_with_2_and_lists_the_known_ones(library: Library, name: str) -> None:
    result = library.validate("--store", name)
    assert result.code == 2
    assert library.replica_name in result.messages


def test_initialised_store_without_objects_says_that_nothing_was_validated(library: Library, tmp_path: Path) -> None:
    for key in [stored.key for stored in library.main.list()]:
        library.main.delete(key)
    for _ in range(2):
        result = library.validate()
        assert result.code == 0
        assert "0 objects" in result.output
        assert "nothing was validated" in result.output
        prepare_storage_root(library.main)
    assert library.validate("--json").document["objects"] == 0


def test_missing_folder_ends_with_3(library: Library, tmp_path: Path) -> None:
    (tmp_path / "replica").rename(tmp_path / "unmounted")
    result = library.validate("--store", library.replica_name)
    assert result.code == 3
    assert "does not exist" in result.messages


def test_unreachable_store_ends_with_3(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHANBEN_STORE", "s3://bucket/prefix?endpoint=http://127.0.0.1:9&access_key=a&secret_key=s")
    assert library.validate().code == 3


def test_file_name_that_is_not_unicode_is_reported(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "main" / ocfl_object(WORKS[0])
    Path(os.fsdecode(os.fsencode(folder) + b"/v1/content/\xff")).write_bytes(b"x")
    result = library.validate("--json")
    assert result.code == 1
    assert {fault["code"] for fault in result.document["faults"]} == {"E023"}
    assert r"\udcff" in result.document["faults"][0]["key"]
