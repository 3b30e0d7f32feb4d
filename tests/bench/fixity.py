"""Fixity checks of large and of small files in a folder store, against `openssl dgst -sha256` of the same files.

One process each, by turns; both read what the page cache holds, and the medians are compared.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from preservation.fixity.files import ExpectedFile, check_file
from preservation.fixity.store_check import THREADS
from repository.storage.folder import FolderStore

SHAPES = ((8, 64 << 20, "8 files of 64 MiB"), (10_000, 4096, "10,000 files of 4 kB"))
ROUNDS = 5
NAMES_AT_ONCE = "2000"


def main() -> None:
    """Print one row for each shape."""
    for count, size, shape in SHAPES:
        with TemporaryDirectory(prefix="bench-fixity-") as name:
            _measure(Path(name), count, size, shape)


def _measure(folder: Path, count: int, size: int, shape: str) -> None:
    names = [f"{number:05d}" for number in range(count)]
    for name in names:
        (folder / name).write_bytes(os.urandom(size))
    store, files = FolderStore(folder), [ExpectedFile(name, "0" * 64) for name in names]
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(_seconds(partial(_check, store, files)))
        theirs.append(_seconds(partial(_digest, folder)))
    rates = [count * size / statistics.median(seconds) / 1e6 for seconds in (ours, theirs)]
    print(
        f"fixity, folder store | {shape} | {rates[0]:,.0f} MB/s | openssl dgst -sha256 {rates[1]:,.0f} MB/s"
        f" | {rates[0] / rates[1]:.2f}"
    )


def _check(store: FolderStore, files: list[ExpectedFile]) -> None:
    with ThreadPoolExecutor(THREADS) as threads:
        assert all(each.bytes for each in threads.map(partial(check_file, store), files))


def _digest(folder: Path) -> None:
    command = f"ls | xargs -n {NAMES_AT_ONCE} openssl dgst -sha256"
    subprocess.run(["/bin/sh", "-c", command], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def _seconds(action: Callable[[], None]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
