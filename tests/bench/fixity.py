"""Fixity checks, each against what it is to be near to, by turns; medians are compared.

- Large and small files in a folder store, one process, against `openssl dgst -sha256` of the same files.
- The large files in two processes against one process.
- Files in S3, a Ceph gateway of our own on the same machine, against bare ranged downloads of the same files by
  obstore, each in as many threads as a check of a remote store has.

All read what the page cache holds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from obstore.store import S3Store

from preservation.fixity.files import ExpectedFile, check_file
from preservation.fixity.store_check import THREADS
from repository.config import Settings
from repository.storage.folder import FolderStore
from repository.storage.store import ObjectStore, open_store_at
from workers.tasks.check_files import executor_for

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from ceph_server import CephServer

LARGE = (8, 64 << 20, "8 files of 64 MiB")
SMALL = (10_000, 4096, "10,000 files of 4 kB")
REMOTE = (16, 32 << 20, "16 files of 32 MiB")
ROUNDS = 5
RANGE = 8 << 20
NAMES_AT_ONCE = "2000"


def main() -> None:
    """Print one row for each comparison."""
    for count, size, shape in (LARGE, SMALL):
        with TemporaryDirectory(prefix="bench-fixity-") as name:
            _write(Path(name), count, size)
            _compare_with_openssl(Path(name), count, size, shape)
            if size == LARGE[1]:
                _compare_processes(Path(name), count, size, shape)
    with TemporaryDirectory(prefix="bench-fixity-") as name, CephServer(Path(name) / "ceph") as ceph:
        _compare_with_downloads(ceph)


def _write(folder: Path, count: int, size: int) -> None:
    for number in range(count):
        (folder / f"{number:05d}").write_bytes(os.urandom(size))


def _compare_with_openssl(folder: Path, count: int, size: int, shape: str) -> None:
    names = sorted(path.name for path in folder.iterdir())
    ours, theirs = _by_turns(partial(_check, FolderStore(folder), names), partial(_digest, folder))
    _print("fixity, folder store", shape, count * size, ours, "openssl dgst -sha256", theirs)


def _compare_processes(folder: Path, count: int, size: int, shape: str) -> None:
    names = sorted(path.name for path in folder.iterdir())
    with ProcessPoolExecutor(2) as processes:

        def run(parts: Sequence[Sequence[str]]) -> None:
            assert all(processes.map(partial(_check_folder, folder), parts))

        run([names[:1], names[:1]])  # the processes have started
        two, one = _by_turns(partial(run, [names[0::2], names[1::2]]), partial(run, [names]))
    _print("fixity, two processes", shape, count * size, two, "one process", one)


def _compare_with_downloads(ceph: CephServer) -> None:
    count, size, shape = REMOTE
    bucket = ceph.create_bucket()
    settings = Settings(**ceph.settings(bucket))
    store = open_store_at(settings.store_url, settings)
    names = [f"{number:05d}" for number in range(count)]
    for name in names:
        store.put(name, os.urandom(size))
    bare = S3Store(
        bucket,
        endpoint=settings.s3_endpoint,
        access_key_id=settings.s3_access_key,
        secret_access_key=settings.s3_secret_key,
        region=settings.s3_region,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )

    def download(name: str) -> int:
        return sum(
            len(bare.get_range(name, start=start, length=min(RANGE, size - start))) for start in range(0, size, RANGE)
        )

    def download_all() -> None:
        with ThreadPoolExecutor(THREADS) as threads:
            assert sum(threads.map(download, names)) == count * size

    ours, theirs = _by_turns(partial(_check, store, names), download_all)
    _print("fixity, S3 (Ceph)", shape, count * size, ours, "obstore ranged download", theirs)


def _check_folder(folder: Path, names: Sequence[str]) -> bool:
    _check(FolderStore(folder), names)
    return True


def _check(store: ObjectStore, names: Sequence[str]) -> None:
    files = [ExpectedFile(name, "0" * 64) for name in names]
    with executor_for(store) as executor:
        assert all(each.bytes for each in executor.map(partial(check_file, store), files))


def _digest(folder: Path) -> None:
    command = f"ls | xargs -n {NAMES_AT_ONCE} openssl dgst -sha256"
    subprocess.run(["/bin/sh", "-c", command], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def _by_turns(first: Callable[[], None], second: Callable[[], None]) -> tuple[float, float]:
    """Return the median seconds of each."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for action, times in zip((first, second), seconds, strict=True):
            started = time.perf_counter()
            action()
            times.append(time.perf_counter() - started)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def _print(what: str, shape: str, size: int, ours: float, other: str, theirs: float) -> None:
    rates = [size / seconds / 1e6 for seconds in (ours, theirs)]
    print(f"{what} | {shape} | {rates[0]:,.0f} MB/s | {other} {rates[1]:,.0f} MB/s | {rates[0] / rates[1]:.2f}")


if __name__ == "__main__":
    main()
