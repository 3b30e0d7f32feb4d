"""The runbook of a restore, as an operator follows it: the primary store is lost or damaged."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from ceph_server import S3Settings
from command_line import ShanbenHere
from deposits import write_deposit

from repository.config import Settings
from repository.storage.folder import FolderStore
from repository.storage.store import ObjectStore, open_store_at

pytestmark = pytest.mark.integration

REPLICAS = "first,second"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with two works, the first in two versions, and two replicas, to be copied."""
    folder = tmp_path_factory.mktemp("template")
    shanben = ShanbenHere(folder, replicas=REPLICAS)
    book = write_deposit(folder / "book", 2)
    assert shanben.run("ingest", book, write_deposit(folder / "other", 1, "另書", seed=50)).code == 0
    record = book / "work.toml"
    record.write_text(record.read_text("utf-8").replace("試書", "試書二"), "utf-8")
    assert shanben.run("ingest", book).code == 0
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    for name in ("var", "first", "second"):
        shutil.copytree(template / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def shanben(folder: Path) -> ShanbenHere:
    return ShanbenHere(folder, replicas=REPLICAS)


def preserved(store: ObjectStore) -> dict[str, str]:
    keys = [stored.key for prefix in ("ocfl", "log") for stored in store.list(prefix)]
    return {key: hashlib.sha256(store.read(key)).hexdigest() for key in keys}


def read(folder: Path) -> dict[str, str]:
    return preserved(FolderStore(folder))


def masters(root: Path) -> list[Path]:
    return sorted(root.glob("ocfl/*/*/*/*/v1/content/masters/*.tif"))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def assert_serves(shanben: ShanbenHere, **settings: object) -> None:
    """Follow the runbook to its end: the catalogue is rebuilt, and everything is valid."""
    rebuilt = shanben.run_json("rebuild", **settings)
    assert (rebuilt.code, rebuilt.document["works"], rebuilt.document["lost"]) == (0, 2, []), rebuilt.errors
    verdict = shanben.run_json("log", "verify", **settings)
    assert (verdict.code, verdict.document["ok"]) == (0, True), verdict.errors
    assert shanben.run_json("store", "validate", **settings).code == 0


@pytest.mark.parametrize("data", ["with its database", "without its database"])
def test_primary_store_is_restored_from_one_replica_alone(shanben: ShanbenHere, folder: Path, data: str) -> None:
    before = read(folder / "var" / "store")
    shutil.rmtree(folder / "var" / "store")
    shutil.rmtree(folder / "second")
    if data == "without its database":
        keys = folder / "keys"
        (folder / "var" / "keys").rename(keys)
        shutil.rmtree(folder / "var")
        (folder / "var").mkdir()
        keys.rename(folder / "var" / "keys")
    source = read(folder / "first")
    done = shanben.run_json("store", "restore", "--from", "first")
    assert done.code == 0, done.errors
    assert (done.document["missing"], done.document["works"]) == ([], 2)
    assert done.document["restored"] >= len([key for key in before if key.startswith("ocfl/")]) - 3
    after = read(folder / "var" / "store")
    assert {key: after.get(key) for key in before if ".p/" not in key} == {
        key: digest for key, digest in before.items() if ".p/" not in key
    }
    assert read(folder / "first") == source
    assert_serves(shanben)


def test_damaged_primary_and_two_partial_replicas_give_the_whole(shanben: ShanbenHere, folder: Path) -> None:
    stores = {name: folder / name for name in ("var/store", "first", "second")}
    before = read(stores["var/store"])
    first, second, third = (masters(root) for root in stores.values())
    flip(first[0])
    first[1].unlink()
    second[0].unlink()
    flip(second[2])
    flip(third[1])
    third[2].unlink()
    (stores["var/store"] / "log" / "checkpoint").unlink()
    for path in (stores["first"] / "log" / "tile" / "0").rglob("*"):
        if path.is_file():
            flip(path)
    for path in stores["second"].glob("ocfl/*/*/*/*/inventory.json"):
        path.write_bytes(b"{")
    done = shanben.run_json("store", "restore", "--from", "first,second")
    assert (done.code, done.document["missing"]) == (0, []), done.errors
    assert read(stores["var/store"]) == before
    again = shanben.run_json("store", "restore", "--from", "first,second")
    assert (again.code, again.document["restored"]) == (0, 0)
    assert_serves(shanben)


def test_store_is_restored_into_a_new_bucket(shanben: ShanbenHere, folder: Path, bucket: S3Settings) -> None:
    before = read(folder / "first")
    shutil.rmtree(folder / "var" / "store")
    target = {name: value for name, value in bucket.items() if name != "store"}
    done = shanben.run_json("store", "restore", "--from", "first", "--to", bucket["store"], **target)
    assert (done.code, done.document["missing"]) == (0, []), done.errors
    settings = Settings(**{name: str(value) for name, value in target.items()})  # type: ignore[arg-type]
    after = preserved(open_store_at(str(bucket["store"]), settings))
    assert {key: after.get(key) for key in before if ".p/" not in key} == {
        key: digest for key, digest in before.items() if ".p/" not in key
    }
    assert_serves(shanben, **bucket)


def test_what_the_log_names_and_no_store_has_is_listed(shanben: ShanbenHere, folder: Path) -> None:
    shutil.rmtree(folder / "var" / "store")
    root = folder / "first"
    lost = next(path for path in root.glob("ocfl/*/*/*/*") if not (path / "v2").exists())
    older = next(path for path in root.glob("ocfl/*/*/*/*") if (path / "v2").exists())
    shutil.rmtree(lost)
    for name in ("inventory.json", "inventory.json.sha256"):
        shutil.copyfile(older / "v1" / name, older / name)
    shutil.rmtree(older / "v2")
    flip(older / "v1" / "content" / "masters" / "0001.tif")
    done = shanben.run_json("store", "restore", "--from", "first")
    assert done.code == 1
    named = {
        (each["work"], each["logged"], each["stored"], each["key"].rpartition("/")[2])
        for each in done.document["missing"]
    }
    works = {path: path.name.removeprefix("shanben%3a") for path in (lost, older)}
    assert (works[lost], 1, 0, lost.name) in named
    assert (works[older], 2, 1, older.name) in named
    assert (works[older], 0, 1, "0001.tif") in named
    restored = folder / "var" / "store" / older.relative_to(root)
    assert (restored / "v1" / "content" / "masters" / "0002.tif").exists()
    assert not (restored / "v1" / "content" / "masters" / "0001.tif").exists()


def test_store_of_another_library_is_neither_read_nor_written(shanben: ShanbenHere, folder: Path) -> None:
    other = ShanbenHere(folder / "elsewhere")
    (folder / "elsewhere").mkdir()
    assert other.run("init").code == 0
    strange = folder / "elsewhere" / "var" / "store"
    before = {path: path.read_bytes() for path in strange.rglob("*") if path.is_file()}
    for arguments in (("--from", str(strange)), ("--from", "first", "--to", str(strange))):
        done = shanben.run_json("store", "restore", *arguments)
        assert (done.code, done.document) == (3, None)
        assert "another store" in done.errors
    assert {path: path.read_bytes() for path in strange.rglob("*") if path.is_file()} == before


def test_lost_work_stays_listed_until_its_loss_is_accepted_or_it_is_deposited_again(
    shanben: ShanbenHere, folder: Path
) -> None:
    shutil.rmtree(folder / "var" / "store")
    lost = next(path for path in (folder / "first").glob("ocfl/*/*/*/*") if not (path / "v2").exists())
    work = lost.name.removeprefix("shanben%3a")
    shutil.rmtree(lost)
    assert shanben.run_json("store", "restore", "--from", "first").code == 1
    assert shanben.run_json("rebuild").code == 1
    listed = shanben.run_json("store", "lost")
    assert (listed.code, [(each["work"], each["logged"], each["stored"]) for each in listed.document["lost"]]) == (
        1,
        [(work, 1, 0)],
    )
    assert shanben.run_json("status").document["lost"] == 1
    assert shanben.run("store", "lost", work).code == 2
    accepted = shanben.run_json("store", "lost", work, "--reason", "洪水")
    assert (accepted.code, accepted.document["identifier"]) == (0, work), accepted.errors
    assert shanben.run_json("status").document["lost"] == 0
    (folder / "var" / "shanben.sqlite").unlink()
    assert shanben.run_json("rebuild").code == 0
    assert shanben.run_json("store", "lost").document == {"lost": []}
    assert shanben.run_json("log", "verify").document["ok"]
