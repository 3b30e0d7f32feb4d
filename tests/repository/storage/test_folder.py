"""The folder store beyond the common contract: killed writers, full disks, and other processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from repository.errors import KeyExists, KeyNotFound, StoreFault
from repository.storage.content import MovableFile
from repository.storage.folder import FolderStore

pytestmark = pytest.mark.slow

BODY = bytes(range(256)) * 40_000


def in_another_process(code: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def incoming(root: Path) -> set[str]:
    return {path.name for path in (root / ".incoming").iterdir()} - {"lock"}


WRITER = """
import sys
from pathlib import Path
from repository.storage.folder import FolderStore
store = FolderStore(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(1_000_000):
    store.put(f"a/{number % 50}/x", bytes(range(256)) * 40_000)
    store.put(f"replaced", bytes([number % 256]) * 5_000_000)
"""


def test_a_killed_writer_leaves_complete_objects_and_its_files_are_deleted(tmp_path: Path) -> None:
    strays = 0
    for turn in range(4):
        writer = in_another_process(WRITER, str(tmp_path))
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(0.15 + turn * 0.037)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        strays += len(incoming(tmp_path))
        store = FolderStore(tmp_path)
        for found in store.list("a"):
            assert store.read(found.key) == BODY
        if store.exists("replaced"):
            assert len(set(store.read("replaced"))) == 1
            assert store.size("replaced") == 5_000_000
        store.put("later", b"x")
        assert incoming(tmp_path) == set()
    assert strays > 0, "no kill came in the midst of a write: the test proved nothing"


def test_files_of_living_writers_are_not_deleted(tmp_path: Path) -> None:
    slow = FolderStore(tmp_path)

    def chunks():
        yield b"first"
        FolderStore(tmp_path).put("quick", b"x")  # begins with a sweep
        yield b"second"

    slow.put("slow", chunks())
    assert slow.read("slow") == b"firstsecond"


def test_abandoned_files_are_deleted_by_age(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    assert store.remove_incomplete_uploads(0) == 0
    store.put("kept", b"x")
    for name, age in (("old", 7200), ("young", 60)):
        (tmp_path / ".incoming" / name).write_bytes(b"half done")
        os.utime(tmp_path / ".incoming" / name, (time.time() - age,) * 2)
    assert store.remove_incomplete_uploads(3600) == 1
    assert incoming(tmp_path) == {"young"}

    def chunks():
        yield b"first"
        assert store.remove_incomplete_uploads(0) == 1
        yield b"second"

    store.put("slow", chunks())
    assert incoming(tmp_path) == set()
    assert store.read("slow") == b"firstsecond"


def test_an_object_replaced_by_another_process_is_read_at_once(tmp_path: Path) -> None:
    reader, writer = FolderStore(tmp_path), FolderStore(tmp_path)
    writer.put("log/checkpoint", b"old")
    assert reader.read_range("log/checkpoint", 0, 9) == b"old"
    writer.put("log/checkpoint", b"newer")
    assert reader.read_range("log/checkpoint", 0, 9) == b"newer"
    assert reader.read("log/checkpoint") == b"newer"
    writer.delete("log/checkpoint")
    with pytest.raises(KeyNotFound):
        reader.read_range("log/checkpoint", 0, 9)


def test_the_event_loop_notices_within_a_second_that_an_object_was_replaced(tmp_path: Path) -> None:
    reader, writer = FolderStore(tmp_path), FolderStore(tmp_path)
    writer.put("pyramid", b"old")
    assert reader.read_range("pyramid", 0, 3) == b"old"
    writer.put("pyramid", b"new")
    time.sleep(1.1)
    assert asyncio.run(reader.read_range_async("pyramid", 0, 3)) == b"new"


def test_open_files_stay_within_their_limit(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, open_files=8)
    for number in range(40):
        store.put(f"p/{number}", bytes([number]) * 10)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(2):
        for number in range(40):
            assert store.read_range(f"p/{number}", 5, 2) == bytes([number]) * 2
    assert len(os.listdir("/proc/self/fd")) <= before + 8


def test_a_movable_file_is_moved(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    given = tmp_path / "pyramid.zip"
    for put, key in ((store.put, "a"), (store.put_new, "b"), (store.put, "a")):
        given.write_bytes(key.encode())
        inode = given.stat().st_ino
        put(key, MovableFile(given))
        assert not given.exists()
        assert (tmp_path / "store" / key).stat().st_ino == inode
    given.write_bytes(b"kept by its owner")
    with pytest.raises(KeyExists):
        store.put_new("a", MovableFile(given))
    assert given.read_bytes() == b"kept by its owner"


def test_a_movable_link_is_copied(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"bytes")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    FolderStore(tmp_path / "store").put("a", MovableFile(tmp_path / "link"))
    assert not (tmp_path / "store" / "a").is_symlink()
    assert (tmp_path / "store" / "a").read_bytes() == b"bytes"


def test_deleting_an_object_deletes_empty_folders(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("a/b/c/d", b"x")
    store.put("a/e", b"x")
    store.delete("a/b/c/d")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["e"]


def test_a_key_below_an_object_is_refused(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("a", b"x")
    with pytest.raises(StoreFault):
        store.put("a/b", b"y")
    store.put("c/d", b"x")
    with pytest.raises(StoreFault):
        store.put("c", b"y")
    assert [found.key for found in store.list()] == ["a", "c/d"]


FILLER = """
import subprocess, sys
from pathlib import Path
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", sys.argv[1]], check=True)
from repository.errors import StoreFull
from repository.storage.folder import FolderStore
store = FolderStore(Path(sys.argv[1]))
store.put("kept", b"x" * 1000)
for content in (bytes(2 << 20), iter([bytes(1 << 19)] * 4), Path(sys.argv[2])):
    try:
        store.put("kept", content)
    except StoreFull as fault:
        assert "the disk is full" in str(fault), fault
    else:
        raise SystemExit("no fault")
    assert [path.name for path in Path(sys.argv[1], ".incoming").iterdir()] == ["lock"]
assert store.read("kept") == b"x" * 1000
store.put("small", b"there is room again")
"""


def test_a_full_disk_is_reported_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "large").write_bytes(bytes(2 << 20))
    own_mounts = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*own_mounts, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this system lets nobody make a small file system of their own")
    command = [*own_mounts, sys.executable, "-c", FILLER, str(tmp_path / "disk"), str(tmp_path / "large")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_store_that_cannot_be_created_is_reported_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = FolderStore(tmp_path / "file" / "store")
    with pytest.raises(StoreFault, match="file"):
        store.put("a", b"x")
    assert list(store.list()) == []
    assert not store.exists("a")


def test_files_are_readable_to_others_as_the_umask_allows(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        FolderStore(tmp_path).put("a", b"x")
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["named pipe", "folder"])
def test_what_is_no_file_is_not_found_and_does_not_block(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "key")
    with pytest.raises(KeyNotFound):
        FolderStore(tmp_path).read_range("key", 0, 1)


def test_folder_in_the_place_of_a_file_is_named_and_stays(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(b"c")
    with pytest.raises(StoreFault) as fault:
        FolderStore(tmp_path).put("a/b", b"content")
    assert "a folder of this name is in its place" in fault.value.message.en
    assert (tmp_path / "a" / "b" / "c").read_bytes() == b"c"
