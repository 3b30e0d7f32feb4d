"""The shared folder of metrics: what is kept of ended processes, and what a crash may interrupt."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name

import pytest
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from web.telemetry.metrics_folder import MetricsFolder


class Killed(Exception):
    """The process ends here."""


def write(folder: MetricsFolder, kind: str, amount: float, name: str = "n") -> None:
    """Write one series as prometheus_client does in the process of a folder."""
    file = MmapedDict(str(folder.path / f"{kind}_{folder.name()}.db"))
    file.write_value(mmap_key(name, f"{name}_total", ["lane"], ["info"], "Help."), amount, 0.0)
    file.close()


def total(folder: MetricsFolder, name: str = "n") -> float:
    metrics, _ = folder.read()
    return sum(sample.value for metric in metrics if metric.name == name for sample in metric.samples)


def ended_process(path: Path, amount: float) -> None:
    folder = MetricsFolder(path)
    folder.join()
    write(folder, "counter", amount)
    write(folder, "gauge_livesum", amount, "g")
    folder.leave()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics"


@pytest.mark.slow
def test_folder_does_not_grow_when_a_thousand_processes_are_replaced(path: Path) -> None:
    for _ in range(1000):
        ended_process(path, 1)
    living = MetricsFolder(path)
    living.join()
    assert total(living) == 1000
    assert total(living, "g") == 0
    files = [file for file in path.rglob("*") if file.is_file()]
    assert len(files) == 7
    assert sum(file.stat().st_size for file in files) < 400_000


def test_read_lists_living_processes(path: Path) -> None:
    first, second = MetricsFolder(path), MetricsFolder(path)
    first.join()
    second.join()
    assert len(first.read()[1]) == 2
    second.leave()
    (process,) = first.read()[1]
    assert process == first._process


CALLS = ("pathlib:Path.rename", "pathlib:Path.unlink", "pathlib:Path.mkdir", "shutil:rmtree")
MERGE = "web.telemetry.metrics_folder:_write_sums"


@pytest.mark.parametrize("function", [*CALLS, MERGE])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_interrupted_merge_neither_loses_nor_repeats_a_count(
    path: Path, monkeypatch: pytest.MonkeyPatch, function: str, after: bool
) -> None:
    """Kill the reader at its first, second, third ... call of one function, and read again."""
    ended_process(path, 1)
    ended_process(path, 1)  # merges the first
    expected = 2
    interrupted = 0
    for call in range(1, 20):
        reader = MetricsFolder(path)
        with monkeypatch.context() as patch:
            patch.setattr(function.replace(":", "."), killed_at(call, resolve_name(function), after))
            try:
                reader.read()
            except Killed:
                interrupted += 1
        assert total(reader) == expected
        ended_process(path, 1)
        expected += 1
    assert interrupted
    assert total(MetricsFolder(path)) == expected


def killed_at(call: int, function: Callable[..., object], after: bool) -> Callable[..., object]:
    calls = 0

    def wrapped(*arguments: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            raise Killed
        result = function(*arguments, **options)
        if calls == call:
            raise Killed
        return result

    return wrapped


@pytest.mark.parametrize("content", [b"", b"\0" * 65536, b"\xff" * 65536, b"\x40\0\0\0" + b"\x07" * 4000])
def test_damaged_file_of_an_ended_process_is_ignored(path: Path, content: bytes) -> None:
    folder = MetricsFolder(path)
    folder.join()
    (path / f"counter_{folder.name()}.db").write_bytes(content)
    folder.leave()
    ended_process(path, 3)
    assert total(MetricsFolder(path)) == 3


@pytest.mark.parametrize("content", [b"", b"\xff" * 65536, b"\x40\0\0\0" + b"\x07" * 4000])
def test_damaged_sums_are_ignored(path: Path, content: bytes) -> None:
    ended_process(path, 3)
    folder = MetricsFolder(path)
    folder.join()
    write(folder, "counter", 1)
    (sums,) = path.rglob("counter_ended.db")
    sums.write_bytes(content)
    assert total(folder) == 1
    folder.leave()
    ended_process(path, 1)
    assert total(MetricsFolder(path)) == 2


def test_files_are_allocated_when_a_process_joins(path: Path) -> None:
    folder = MetricsFolder(path)
    folder.join()
    for file in path.glob("*.db"):
        assert file.stat().st_blocks * 512 >= 65536


def test_deletion_of_the_folder_is_noticed(path: Path) -> None:
    folder = MetricsFolder(path)
    folder.join()
    name = folder.name()
    assert not folder.is_deleted()
    shutil.rmtree(path)
    assert folder.is_deleted()
    folder.join()
    assert not folder.is_deleted()
    assert folder.name() != name


def test_process_that_cannot_allocate_its_files_leaves_nothing_behind(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk."""
    ended_process(path, 3)
    folder = MetricsFolder(path)
    with monkeypatch.context() as patch:
        patch.setattr("web.telemetry.metrics_folder._allocate", fail_to_allocate)
        with pytest.raises(OSError, match="No space left"):
            folder.join()
    folder.join()
    assert total(folder) == 3
    assert len(folder.read()[1]) == 1


def fail_to_allocate(_: Path) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
