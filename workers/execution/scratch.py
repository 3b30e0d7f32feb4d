"""Desks: folders for work in progress, each held by the process that works at it.

A desk left behind by a process that was killed is cleared by the next process that takes one. Nothing on a desk is ever
the only copy of anything.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from repository.errors import StagingFault

_HELD: Final = "held"
_ARRIVING: Final = "arriving-"
_ARRIVING_SECONDS: Final = 60.0


@contextmanager
def scratch_directory(staging: Path) -> Iterator[Path]:
    """An empty folder below `staging`, taken away at the end. Raises `StagingFault` when it cannot be made."""
    arriving = _arriving(staging)
    folder = staging / arriving.name.replace(_ARRIVING, "desk-")
    try:
        with held(arriving / _HELD):
            with _writing():
                arriving.rename(folder)  # a desk is never seen before it is held
            yield folder
    finally:
        for path in (arriving, folder):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def held(mark: Path) -> Iterator[None]:
    """A file that this process holds until it ends, however it ends. Raises `StagingFault` when it cannot be made."""
    with _writing():
        file = mark.open("wb")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_held(mark: Path) -> bool:
    """Whether a living process holds this file; a file that is not there any more counts as held, for its own sake."""
    try:
        with mark.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return True
    return False


def _arriving(staging: Path) -> Path:
    with _writing():
        staging.mkdir(parents=True, exist_ok=True)
        _clear_abandoned(staging)
        return Path(tempfile.mkdtemp(prefix=_ARRIVING, dir=staging))


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise StagingFault(reason=fault.strerror) from fault


def _clear_abandoned(staging: Path) -> None:
    for folder in staging.glob("desk-*"):
        if not is_held(folder / _HELD):
            shutil.rmtree(folder, ignore_errors=True)
    for folder in staging.glob(f"{_ARRIVING}*"):
        # Whoever was killed between two lines of `scratch_directory`.
        if _age(folder) > _ARRIVING_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _age(folder: Path) -> float:
    try:
        return time.time() - folder.stat().st_mtime
    except FileNotFoundError:
        return 0.0
