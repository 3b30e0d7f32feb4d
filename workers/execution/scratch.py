"""Desks: folders for work in progress, each held by the process that works at it.

A desk left behind by a process that was killed is cleared by the next process that takes one. Nothing on a desk is ever
the only copy of anything.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from repository.errors import StagingFault
from repository.storage.process_marks import hold_mark, is_abandoned

_MARK: Final = "held"
_ARRIVING: Final = "arriving-"
_ARRIVING_SECONDS: Final = 60.0


@contextmanager
def scratch_directory(staging: Path) -> Iterator[Path]:
    """An empty folder below `staging`, taken away at the end. Raises `StagingFault` when it cannot be made."""
    arriving = _arriving(staging)
    folder = staging / arriving.name.replace(_ARRIVING, "desk-")
    try:
        with hold_scratch_mark(arriving / _MARK):
            with _writing():
                arriving.rename(folder)  # a desk is never seen before it is held
            yield folder
    finally:
        for path in (arriving, folder):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def hold_scratch_mark(path: Path) -> Iterator[None]:
    """Hold the mark file `path` (`repository.storage.process_marks`). Raises `StagingFault` when it cannot be made."""
    with ExitStack() as stack:
        with _writing():
            stack.enter_context(hold_mark(path))
        yield


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
        if is_abandoned(folder / _MARK):
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
