"""The contract of every store, as tests: a module with a fixture `store` imports all names, and so runs them on it."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from repository.errors import KeyExists, KeyNotFound, StoreFault
from repository.storage.content import MovableFile, StoredObject
from repository.storage.store import ObjectStore

MEBIBYTE = 1 << 20


def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return [found.key for found in store.list(prefix)]


def test_an_object_that_was_put_can_be_read(store: ObjectStore) -> None:
    store.put("a/善本 卷一.tif", b"leaf")
    assert store.read("a/善本 卷一.tif") == b"leaf"
    assert store.size("a/善本 卷一.tif") == 4
    assert store.exists("a/善本 卷一.tif")
    assert list(store.chunks("a/善本 卷一.tif", 3)) == [b"lea", b"f"]


@pytest.mark.parametrize("size", [0, 1, MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 1, 17 * MEBIBYTE + 3])
@pytest.mark.parametrize("form", ["bytes", "path", "expendable", "chunks"])
def test_content_of_every_form_and_size_comes_back(store: ObjectStore, tmp_path: Path, form: str, size: int) -> None:
    data = random.Random(size).randbytes(size)
    source = tmp_path / "source"
    source.write_bytes(data)
    pieces = (data[start : start + 700_001] for start in range(0, size, 700_001))
    content = {"bytes": data, "path": source, "expendable": MovableFile(source), "chunks": pieces}[form]
    store.put("big", content)
    assert store.size("big") == size
    chunks = list(store.chunks("big"))
    assert all(0 < len(chunk) <= MEBIBYTE for chunk in chunks)
    assert b"".join(chunks) == data


def test_content_may_be_read_from_a_store_while_it_is_put(store: ObjectStore) -> None:
    data = random.Random(1).randbytes(20 * MEBIBYTE)
    store.put("here", data)
    store.put("there", store.chunks("here"))
    assert store.read("there") == data


def test_a_put_never_moves_or_changes_a_librarians_file(store: ObjectStore, tmp_path: Path) -> None:
    master = tmp_path / "0001.tif"
    master.write_bytes(b"scan")
    before = master.stat()
    store.put("masters/0001.tif", master)
    store.put_new("masters/0001-again.tif", master)
    assert master.read_bytes() == b"scan"
    assert (master.stat().st_ino, master.stat().st_mtime_ns, master.stat().st_nlink) == (
        before.st_ino,
        before.st_mtime_ns,
        1,
    )


def test_an_absent_key_raises_an_error_of_its_own(store: ObjectStore) -> None:
    store.put("a/b", b"x")
    for absent in ("nothing", "a", "a/c", "a/b/c"):
        assert not store.exists(absent)
        for ask in (store.size, store.read, store.chunks, lambda key: store.read_range(key, 0, 5)):
            with pytest.raises(KeyNotFound) as raised:
                ask(absent)
            assert raised.value.details["key"] == absent


def test_put_new_never_overwrites(store: ObjectStore) -> None:
    store.put_new("k/x", b"first")
    with pytest.raises(KeyExists):
        store.put_new("k/x", b"second")
    with pytest.raises(KeyExists):
        store.put_new("k/x", b"first")
    assert store.read("k/x") == b"first"


def test_put_replaces_and_every_way_of_reading_sees_it(store: ObjectStore) -> None:
    store.put("published/x", b"old bytes")
    assert store.read_range("published/x", 0, 3) == b"old"
    store.put("published/x", b"new")
    assert store.read_range("published/x", 0, 99) == b"new"
    assert store.read("published/x") == b"new"
    store.delete("published/x")
    with pytest.raises(KeyNotFound):
        store.read_range("published/x", 0, 3)


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        (0, 10, b"0123456789"),
        (3, 4, b"3456"),
        (8, 100, b"89"),
        (10, 1, b""),
        (99, 1, b""),
        (0, 0, b""),
        (-3, 3, b"789"),
        (-3, 2, b"78"),
        (-3, 100, b"789"),
        (-100, 100, b"0123456789"),
        (-100, 4, b"0123"),
        (0, 1 << 40, b"0123456789"),
        (5, 1 << 40, b"56789"),
    ],
)
def test_a_range_is_clipped_to_the_object(store: ObjectStore, start: int, length: int, expected: bytes) -> None:
    store.put("r", b"0123456789")
    assert store.read_range("r", start, length) == expected
    if start >= 0 and length <= 4 << 20:
        with ThreadPoolExecutor(1) as thread:  # a browser of another test may have an event loop in this one
            read = thread.submit(lambda: asyncio.run(store.read_range_async("r", start, length)))
        assert read.result() == expected


@pytest.mark.parametrize(("start", "length"), [(0, 4), (-4, 4), (4, 4)])
def test_an_empty_object_has_only_empty_ranges(store: ObjectStore, start: int, length: int) -> None:
    store.put("empty", b"")
    assert store.read_range("empty", start, length) == b""
    assert store.read("empty") == b""
    assert list(store.chunks("empty")) == []


AWKWARD = [
    "a.txt",
    "a/b",
    "a/c/d",
    "a-b/c",
    "ab",
    "ocfl/0=ocfl_1.1",
    "ocfl/1ab/shanben%3aw12/v1/content/a+b #1 & [2]~(3)'.tif",
    "ocfl/1ab/shanben%253a/x",
    "pages/卷一",
    "pages/卷一/0001",
    "pages/é",
    "pages/\U00020000",
    "pages/\uffee",
    "pages/..hidden",
    "log/tile/0/x001/067.p/3",
]


def test_a_listing_is_complete_and_ordered_by_the_bytes_of_the_keys(store: ObjectStore) -> None:
    expected = sorted((key for key in AWKWARD if key != "pages/卷一"), key=str.encode)
    for key in random.Random(1).sample(expected, len(expected)):
        store.put(key, key.encode())
    assert list(store.list()) == [StoredObject(key, len(key.encode())) for key in expected]
    assert keys(store, "a") == ["a/b", "a/c/d"]
    assert keys(store, "ocfl/1ab") == [key for key in expected if key.startswith("ocfl/1ab/")]
    assert keys(store, "absent") == []
    for key in expected:
        assert store.read(key) == key.encode()


def test_deleting_removes_an_object_and_ignores_an_absent_key(store: ObjectStore) -> None:
    store.put("a/b/c", b"x")
    store.put("a/d", b"x")
    store.delete("a/b/c")
    store.delete("a/b/c")
    store.delete("never/was")
    assert keys(store) == ["a/d"]
    store.put("a/b/c", b"again")
    assert keys(store) == ["a/b/c", "a/d"]


UNCLEAN = ["", "/", "/etc/passwd", "a//b", "a/", "./a", "a/./b", "../a", "a/../b", "..", "a\0b", "a\nb", "\x7f"]
UNCLEAN += [".incoming/x", ".incoming", "x" * 256, "/".join(["x" * 200] * 6), "\ud800"]


@pytest.mark.parametrize("key", UNCLEAN)
def test_every_operation_refuses_a_key_that_is_not_clean(store: ObjectStore, key: str) -> None:
    for ask in (
        store.size,
        store.read,
        store.chunks,
        store.exists,
        store.delete,
        lambda key: store.read_range(key, 0, 5),
        lambda key: store.put(key, b"x"),
        lambda key: store.put_new(key, b"x"),
        *([] if key == "" else [lambda key: list(store.list(key))]),
    ):
        with pytest.raises(StoreFault) as raised:
            ask(key)
        assert not isinstance(raised.value, KeyNotFound)
    assert keys(store) == []


@pytest.mark.parametrize("before", [0, 5, 40 * MEBIBYTE])
def test_interrupted_content_leaves_no_object(store: ObjectStore, before: int) -> None:
    def breaking() -> Iterator[bytes]:
        for _ in range(0, before, MEBIBYTE):
            yield bytes(MEBIBYTE)
        raise InterruptedScanError

    store.put("kept", b"old")
    for key in ("kept", "fresh"):
        with pytest.raises(InterruptedScanError):
            store.put(key, breaking())
    assert store.read("kept") == b"old"
    assert keys(store) == ["kept"]


class InterruptedScanError(Exception):
    pass


def test_an_unreadable_source_raises_a_fault_that_names_the_key(store: ObjectStore, tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"begun"
        yield (tmp_path / "absent.tif").read_bytes()

    for source in (tmp_path / "absent.tif", MovableFile(tmp_path / "absent.tif"), broken(), tmp_path):
        with pytest.raises(StoreFault) as raised:
            store.put("the/key", source)
        assert "the/key" in str(raised.value)
        assert not isinstance(raised.value, KeyNotFound)
    assert keys(store) == []


def test_threads_write_read_and_delete_concurrently(store: ObjectStore) -> None:
    faults: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(20):
                key = f"shared/{turn % 3}/{number}"
                store.put(key, bytes([number]) * 1000)
                assert store.read_range(key, 500, 10) == bytes([number]) * 10
                store.delete(key)
        except BaseException as fault:  # noqa: BLE001 -- carried to the test's own thread
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert keys(store) == []


def test_removing_incomplete_uploads_keeps_every_object(store: ObjectStore) -> None:
    store.put("kept", b"x")
    store.put("large", bytes(17 * MEBIBYTE))
    assert store.remove_incomplete_uploads(0) == 0
    assert [store.size(key) for key in keys(store)] == [1, 17 * MEBIBYTE]
