"""The shards on the disk of a machine that searches: copied once, replaced when the list changes, within a limit."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from iiif_server.similarity.local_shards import FRESH_SECONDS, LocalShards
from iiif_server.similarity.shards import INDEX, TABLE, ShardEntry, ShardList
from repository import paths
from repository.errors import StoreFault
from repository.storage.s3 import memory_store
from repository.storage.store import ObjectStore


class ChangingTime:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store() -> ObjectStore:
    return memory_store()


def write(store: ObjectStore, **pages: int) -> None:
    """Store shards of so many pages, and the list that names them."""
    entries = [ShardEntry(paths.similar_shard(name), count, count, 2) for name, count in pages.items()]
    for entry in entries:
        store.put(f"{entry.key}{TABLE}", b"t")
        store.put(f"{entry.key}{INDEX}", b"i")
    store.put(paths.SIMILAR_SHARDS, ShardList(shards=entries).to_json())


def wait(shards: LocalShards) -> None:
    """Wait until nothing is being copied."""
    deadline = time.monotonic() + 20
    while shards.is_copying:
        assert time.monotonic() < deadline, "a shard is still being copied"
        time.sleep(0.005)


def settled(shards: LocalShards, clock: ChangingTime) -> tuple[list[str], int, int]:
    """Return what is searched after the list was read again."""
    wait(shards)
    clock.now += FRESH_SECONDS
    shards.current()
    wait(shards)
    current = shards.current()
    return [Path(path).name for path in current.paths], current.images, current.total


def test_a_new_list_replaces_the_shards(store: ObjectStore, tmp_path: Path) -> None:
    clock = ChangingTime()
    shards = LocalShards(store, tmp_path, 100, clock)
    assert shards.current().paths == ()  # nothing was indexed yet
    write(store, one=10, two=20)
    assert settled(shards, clock) == (["one", "two"], 30, 30)
    assert (tmp_path / f"one{INDEX}").read_bytes() == b"i"
    write(store, two=20, three=5)
    assert settled(shards, clock) == (["two", "three"], 25, 25)


def test_a_list_is_not_read_again_within_a_minute(store: ObjectStore, tmp_path: Path) -> None:
    clock = ChangingTime()
    write(store, one=10)
    shards = LocalShards(store, tmp_path, 100, clock)
    assert settled(shards, clock)[0] == ["one"]
    write(store, two=10)
    clock.now += FRESH_SECONDS / 2
    assert [Path(path).name for path in shards.current().paths] == ["one"]


def test_pages_beyond_the_limit_are_counted_and_not_copied(store: ObjectStore, tmp_path: Path) -> None:
    write(store, one=60, two=60, three=30)
    assert settled(LocalShards(store, tmp_path, 100, clock := ChangingTime()), clock) == (["one", "three"], 90, 150)
    assert not (tmp_path / f"two{TABLE}").exists()


def test_files_of_old_shards_are_removed_after_an_hour(store: ObjectStore, tmp_path: Path) -> None:
    clock = ChangingTime()
    for name, age in (("old", 4000), ("new", 10)):
        (tmp_path / f"{name}{TABLE}").write_bytes(b"")
        os.utime(tmp_path / f"{name}{TABLE}", (time.time() - age,) * 2)
    settled(LocalShards(store, tmp_path, 100, clock), clock)
    assert [path.name for path in tmp_path.iterdir()] == [f"new{TABLE}"]


def test_an_incomplete_copy_leaves_the_shards_before_in_use(store: ObjectStore, tmp_path: Path) -> None:
    clock = ChangingTime()
    write(store, one=10)
    shards = LocalShards(store, tmp_path, 100, clock)
    assert settled(shards, clock)[0] == ["one"]
    write(store, two=20)
    store.delete(f"{paths.similar_shard('two')}{INDEX}")
    assert settled(shards, clock)[0] == ["one"]
    with pytest.raises(StoreFault):
        LocalShards(store, tmp_path / "other", 100, clock).current()
