"""The folder in which the web processes of one machine share their metrics, in prometheus_client's multiprocess format.

Layout, where ``<name>`` is unique to a process::

    lock                            held by a process that joins or reads the folder
    <name>.process                  the mark of the process, with its id and start time
    counter_<name>.db               memory-mapped by the process, as are
    histogram_<name>.db
    gauge_livesum_<name>.db
    ended-<number>/                 what ended processes counted; only the folder with the highest number is valid

A process updates its files without a system call, so a process that is killed loses nothing. Every process that joins
or reads the folder first retires the processes that have ended: it moves their counters and histograms into the valid
``ended`` folder, deletes their gauges, and merges the moved files into a new ``ended`` folder, whose renaming commits
the merge. A crash between any two steps neither loses nor repeats a count, and the number of files depends on the
number of living processes alone.

The folder may be deleted at any time: counting restarts from zero.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import struct
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from prometheus_client import Metric
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

from repository.errors import Busy
from repository.json_values import decode_json
from repository.localized import LocalizedText
from repository.storage.lock_files import hold_lock_file
from repository.storage.process_marks import hold_mark, is_abandoned

_KINDS: Final = ("counter", "histogram", "gauge_livesum")
"""Files of a process, by the prefix that prometheus_client gives them."""

_CUMULATIVE: Final = ("counter", "histogram")
_FILE_BYTES: Final = 1 << 16
"""The size that prometheus_client gives a new file. All our series fit into it."""

_JOIN_SECONDS: Final = 10.0
_READ_SECONDS: Final = 2.0
_BUSY: Final = Busy(what=LocalizedText("指标目录", "the folder of metrics"))
_LOG: Final = logging.getLogger("shanben.metrics")


@dataclass(frozen=True, slots=True)
class WebProcess:
    """A web process: its process id, and its start time in seconds since 1970."""

    pid: int
    started: float


class MetricsFolder:
    """The folder as seen by this process. `OSError` and `Busy` mean that it cannot be used at the moment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._process = WebProcess(os.getpid(), time.time())
        self._name = ""
        self._mark = -1
        self._held = ExitStack()

    def name(self) -> str:
        """Return the name of this process in the folder, which changes when it joins again."""
        return self._name

    def join(self) -> None:
        """Create the files of this process. Raises `OSError` and `Busy`.

        Their blocks are allocated here: writing to a memory-mapped file on a full disk would kill the process.
        """
        name = secrets.token_hex(8)
        with self._exclusive(_JOIN_SECONDS), ExitStack() as held:
            self._retire_ended()
            mark = held.enter_context(hold_mark(self.path / f"{name}.process"))
            os.write(mark, json.dumps(asdict(self._process)).encode())
            for kind in _KINDS:
                _allocate(self.path / f"{kind}_{name}.db")
            self._held.close()
            self._held = held.pop_all()
        self._mark, self._name = mark, name

    def leave(self) -> None:
        """Release the mark of this process, as its end does."""
        self._held.close()

    def is_deleted(self) -> bool:
        """Return whether the files of this process, which has joined the folder, have been deleted since."""
        return os.fstat(self._mark).st_nlink == 0

    def read(self) -> tuple[Iterable[Metric], Sequence[WebProcess]]:
        """Return the metrics of all processes, ended ones included, and the living processes. Raises as `join`."""
        with self._exclusive(_READ_SECONDS):
            names = self._retire_ended()
            files = [str(self.path / f"{kind}_{name}.db") for name in names for kind in _KINDS]
            files += [str(file) for file in self._ended_files() if _read_metrics(file)]
            processes = [self._read_mark(name) for name in names]
            return MultiProcessCollector.merge(files), sorted(processes, key=lambda process: process.pid)

    def _exclusive(self, seconds: float) -> AbstractContextManager[object]:
        return hold_lock_file(self.path / "lock", seconds, _BUSY)

    def _read_mark(self, name: str) -> WebProcess:
        return decode_json((self.path / f"{name}.process").read_bytes(), WebProcess)

    def _retire_ended(self) -> list[str]:
        """Merge what ended processes counted, and return the names of the living ones. The lock is held."""
        marks = list(self.path.glob("*.process"))
        abandoned = [mark for mark in marks if is_abandoned(mark)]
        living = [mark.stem for mark in marks if mark not in abandoned]
        ended = self._current_ended()
        for file in self.path.glob("*.db"):
            kind, _, name = file.stem.rpartition("_")
            if name in living:
                continue
            if kind in _CUMULATIVE:
                ended.mkdir(exist_ok=True)
                file.rename(ended / file.name)
            else:
                file.unlink()
        self._merge(ended)
        for mark in abandoned:
            mark.unlink()
        return living

    def _merge(self, ended: Path) -> None:
        """Replace the files in the valid ``ended`` folder by one file of each kind, in a new folder."""
        merged = {f"{kind}_ended.db" for kind in _CUMULATIVE}
        files = self._ended_files()
        if {file.name for file in files} - merged:
            number = int(ended.name.removeprefix("ended-"))
            arriving = self.path / "arriving"
            shutil.rmtree(arriving, ignore_errors=True)
            arriving.mkdir()
            for kind in _CUMULATIVE:
                _write_sums(arriving / f"{kind}_ended.db", [file for file in files if file.name.startswith(kind)])
            arriving.rename(self.path / f"ended-{number + 1}")
        for superseded in self._ended_folders()[:-1]:
            shutil.rmtree(superseded)

    def _ended_folders(self) -> list[Path]:
        return sorted(self.path.glob("ended-*"), key=lambda folder: int(folder.name.removeprefix("ended-")))

    def _current_ended(self) -> Path:
        return (self._ended_folders() or [self.path / "ended-1"])[-1]

    def _ended_files(self) -> list[Path]:
        return sorted(self._current_ended().glob("*.db"))


def _allocate(file: Path) -> None:
    with file.open("wb") as new:
        os.posix_fallocate(new.fileno(), 0, _FILE_BYTES)


def _write_sums(target: Path, files: Iterable[Path]) -> None:
    """Write one file with the sums of all series of files of one kind. Damaged files are left out."""
    _allocate(target)
    sums = MmapedDict(str(target))
    try:
        for file in files:
            for metric in _read_metrics(file):
                for sample in metric.samples:
                    names, values = list(sample.labels), list(sample.labels.values())
                    key = mmap_key(metric.name, sample.name, names, values, metric.documentation)
                    sums.write_value(key, sums.read_value(key)[0] + sample.value, 0.0)
    finally:
        sums.close()


def _read_metrics(file: Path) -> Sequence[Metric]:
    """Read the file of an ended process. After a loss of power it may hold anything; a damaged file is deleted."""
    try:
        return list(MultiProcessCollector.merge([str(file)], accumulate=False))
    except (RuntimeError, ValueError, TypeError, struct.error) as fault:
        _LOG.warning("指标文件损坏，已删除 / a damaged file of metrics is deleted: %s: %s", file.name, fault)
        file.unlink()
        return []
