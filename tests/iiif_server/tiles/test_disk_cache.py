from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from isal import isal_zlib
from prerequisites import require

from iiif_server.tiles.disk_cache import SMALLEST_BUDGET, TileCache

BUDGET = 4 << 20


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def name_of(number: int) -> bytes:
    return hashlib.blake2b(str(number).encode(), digest_size=20).digest()


def content_of(number: int) -> bytes:
    """Bytes that tell which they must be, 1 to 30 KB."""
    return name_of(number) * (50 + number * 7919 % 1450)


def put(cache: TileCache, number: int) -> None:
    cache.put(name_of(number), content_of(number), isal_zlib.crc32(content_of(number)))


def kept(cache: TileCache, numbers: range) -> list[int]:
    """Which of them are kept; every one must be the right one."""
    found = [(number, cache.get(name_of(number))) for number in numbers]
    assert all(data in (None, content_of(number)) for number, data in found)
    return [number for number, data in found if data is not None]


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def test_a_record_is_read_by_every_process_and_after_a_restart(tmp_path: Path) -> None:
    first, second = TileCache(tmp_path, BUDGET), TileCache(tmp_path, BUDGET)
    for number in range(50):
        put(first, number)
    assert kept(first, range(50)) == kept(second, range(60)) == list(range(50))
    assert kept(TileCache(tmp_path, BUDGET), range(50)) == list(range(50))


def test_a_record_with_another_checksum_is_a_miss(tmp_path: Path) -> None:
    cache = TileCache(tmp_path, BUDGET)
    put(cache, 1)
    assert cache.get(name_of(1), isal_zlib.crc32(content_of(1))) == content_of(1)
    assert cache.get(name_of(1), 12345) is None


def resident(cache: TileCache, number: int) -> bytearray | None:
    """Return what the cache finds without blocking."""
    return cache._get_resident(name_of(number), isal_zlib.crc32(content_of(number)))


def read(cache: TileCache, number: int) -> bytes | bytearray | None:
    return asyncio.run(cache.read(name_of(number), isal_zlib.crc32(content_of(number))))


def test_a_record_in_the_page_cache_is_read_by_every_process_without_blocking(tmp_path: Path) -> None:
    first, second = TileCache(tmp_path, BUDGET), TileCache(tmp_path, BUDGET)
    put(first, 1)
    assert kept(second, range(1)) == []  # opens the file
    assert resident(first, 1) == resident(second, 1) == read(first, 1) == read(second, 1) == content_of(1)
    assert resident(first, 2) is read(first, 2) is None
    assert asyncio.run(first.read(name_of(1), 12345)) is None


def test_an_old_record_is_read_in_a_thread_which_writes_it_again(tmp_path: Path) -> None:
    clock = Clock()
    cache, number = TileCache(tmp_path, BUDGET, clock), 0
    while resident(cache, 0) is not None or number == 0:
        put(cache, number)
        number += 1
    assert read(cache, 0) == content_of(0)
    assert resident(cache, 0) == content_of(0)


def test_a_file_due_for_its_check_is_read_in_a_thread(tmp_path: Path) -> None:
    clock = Clock()
    cache = TileCache(tmp_path, BUDGET, clock)
    put(cache, 1)
    clock.now += 2
    assert resident(cache, 1) is None
    assert kept(cache, range(3)) == [1]
    assert resident(cache, 1) == content_of(1)


@pytest.mark.parametrize("length", [0, 10, 4096, 100_000])
def test_a_truncated_cache_file_never_returns_wrong_bytes(tmp_path: Path, length: int) -> None:
    cache = TileCache(tmp_path, BUDGET)
    for number in range(50):
        put(cache, number)
    os.truncate(tmp_path / "tiles", length)
    for number in range(50):
        assert resident(cache, number) in (None, content_of(number))
        assert read(cache, number) in (None, content_of(number))


def test_a_dropped_record_is_a_miss_for_every_process(tmp_path: Path) -> None:
    cache = TileCache(tmp_path, BUDGET)
    put(cache, 1)
    cache.drop(name_of(1))
    assert kept(cache, range(3)) == []


def test_the_oldest_records_are_overwritten_and_used_ones_stay(tmp_path: Path) -> None:
    clock = Clock()
    cache = TileCache(tmp_path, BUDGET, clock)
    for number in range(2000):
        put(cache, number)
        clock.now += 0.01
        if number >= 10:
            assert kept(cache, range(10)) == list(range(10))
    assert len(kept(cache, range(10, 1000))) == 0
    assert len(kept(cache, range(1900, 2000))) > 90
    assert on_disk(tmp_path) <= BUDGET + 4096


def test_a_new_budget_replaces_the_file_for_all_processes(tmp_path: Path) -> None:
    clock = Clock()
    old = TileCache(tmp_path, BUDGET, clock)
    put(old, 1)
    new = TileCache(tmp_path, 2 * BUDGET, clock)
    assert kept(new, range(3)) == []
    put(new, 2)
    clock.now += 2
    assert kept(old, range(3)) == kept(new, range(3)) == [2]


def test_a_cache_with_too_small_a_budget_keeps_nothing(tmp_path: Path) -> None:
    cache = TileCache(tmp_path / "cache", SMALLEST_BUDGET - 1)
    put(cache, 1)
    assert kept(cache, range(3)) == []
    assert not (tmp_path / "cache").exists()


def test_the_cache_file_may_be_deleted_while_in_use(tmp_path: Path) -> None:
    clock = Clock()
    cache = TileCache(tmp_path / "cache", BUDGET, clock)
    for number in range(20):
        put(cache, number)
    shutil.rmtree(tmp_path / "cache")
    assert set(kept(cache, range(20))) <= set(range(20))
    clock.now += 2
    assert kept(cache, range(20)) == []
    put(cache, 3)
    assert kept(cache, range(20)) == [3]
    assert (tmp_path / "cache" / "tiles").exists()


@pytest.mark.parametrize("seed", range(5))
def test_damaged_records_are_never_returned(tmp_path: Path, seed: int) -> None:
    cache = TileCache(tmp_path, BUDGET)
    for number in range(150):
        put(cache, number)
    chance = random.Random(seed)
    with (tmp_path / "tiles").open("r+b") as file:
        for _ in range(2000):
            file.seek(chance.randrange(4096, BUDGET))
            file.write(chance.randbytes(3))
    assert all(resident(cache, number) in (None, content_of(number)) for number in range(150))
    left = kept(cache, range(150))
    assert len(left) < 150
    for number in range(150):
        put(cache, number)
    assert len(kept(cache, range(150))) > 100


@pytest.mark.parametrize("length", [0, 10, 4096, 100_000])
def test_a_truncated_file_is_replaced(tmp_path: Path, length: int) -> None:
    clock = Clock()
    cache = TileCache(tmp_path, BUDGET, clock)
    for number in range(50):
        put(cache, number)
    os.truncate(tmp_path / "tiles", length)
    kept(cache, range(50))
    clock.now += 2
    put(cache, 60)
    assert 60 in kept(cache, range(61))


def test_a_file_of_another_format_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "tiles").write_bytes(random.Random(1).randbytes(100_000))
    cache = TileCache(tmp_path, BUDGET)
    put(cache, 1)
    assert kept(cache, range(3)) == [1]


WRITER = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_disk_cache import BUDGET, TileCache, put
cache, number = TileCache(Path(sys.argv[1]), BUDGET), int(sys.argv[2])
print("begun", flush=True)
while True:
    put(cache, number % 3000)
    number += 7
"""


def writer(folder: Path, start: int) -> subprocess.Popen[bytes]:
    """A process that goes on putting until it is killed."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen([sys.executable, "-c", WRITER, folder, str(start)], stdout=-1, env=environ)
    assert process.stdout
    assert process.stdout.readline() == b"begun\n"
    return process


def killed(process: subprocess.Popen[bytes]) -> None:
    with process:
        process.send_signal(signal.SIGKILL)


@pytest.mark.slow
def test_killed_writers_leave_no_wrong_byte_and_stay_within_the_budget(tmp_path: Path) -> None:
    cache, chance, hits = TileCache(tmp_path, BUDGET), random.Random(1), 0
    steady = writer(tmp_path, 1)
    try:
        for turn in range(6):
            victim = writer(tmp_path, turn)
            end = time.monotonic() + 0.2 + chance.random() / 20
            while time.monotonic() < end:
                start = chance.randrange(3000)
                hits += len(kept(cache, range(start, start + 5)))
            killed(victim)
            assert on_disk(tmp_path) <= BUDGET + 4096
    finally:
        killed(steady)
    assert hits > 100
    put(cache, 5000)
    assert kept(cache, range(5000, 5001)) == [5000]


def test_a_stopped_process_does_not_block_the_others(tmp_path: Path) -> None:
    other = writer(tmp_path, 1)
    try:
        cache = TileCache(tmp_path, BUDGET)
        for _ in range(5):
            other.send_signal(signal.SIGSTOP)
            began = time.monotonic()
            put(cache, 1)
            kept(cache, range(10))
            assert time.monotonic() - began < 1
            other.send_signal(signal.SIGCONT)
    finally:
        killed(other)


def test_threads_share_one_cache(tmp_path: Path) -> None:
    cache, faults = TileCache(tmp_path, BUDGET), []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(500):
            number = chance.randrange(400)
            data = cache.get(name_of(number))
            if data is None:
                put(cache, number)
            elif data != content_of(number):
                faults.append(number)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_a_disk_that_cannot_be_read_costs_no_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    cache = TileCache(tmp_path, BUDGET, clock)
    put(cache, 1)

    def fails(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    clock.now += 2  # the file is checked again
    with monkeypatch.context() as broken:
        broken.setattr(os, "pread", fails)
        assert cache.get(name_of(1)) is None
        assert not cache.put(name_of(2), content_of(2), isal_zlib.crc32(content_of(2)))
        cache.drop(name_of(1))
    clock.now += 60
    assert kept(cache, range(1, 2)) == [1]


def test_a_damaged_head_costs_no_request(tmp_path: Path) -> None:
    clock = Clock()
    cache = TileCache(tmp_path, BUDGET, clock)
    put(cache, 1)
    with (tmp_path / "tiles").open("r+b") as file:
        file.seek(24)
        file.write(b"\xff" * 8)
    for number in range(2, 20):
        put(cache, number)
    clock.now += 60
    put(cache, 20)
    assert kept(cache, range(20, 21)) == [20]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = (
        os.geteuid() == 0 and not subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "small", folder]).returncode
    )
    require(folder if mounted else None, "a file system of our own (root may mount one)")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_logged_once_and_serving_continues(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    cache = TileCache(small_disk, BUDGET, clock)
    with caplog.at_level(logging.WARNING):
        for number in range(300):
            put(cache, number)
            clock.now += 1
    assert len([record for record in caplog.records if record.name == "shanben.cache"]) == 1
    assert kept(cache, range(300))


def test_an_unwritable_folder_disables_the_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = TileCache(tmp_path / "file", BUDGET)
    put(cache, 1)
    assert kept(cache, range(3)) == []
