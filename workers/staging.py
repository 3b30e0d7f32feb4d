"""Desks: folders for work in progress, each held by the process that works at it.

A desk left behind by a process that was killed is cleared by the next process that takes one. Nothing on a desk is ever
the only copy of anything.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_HELD: Final = "held"


@contextmanager
def desk(staging: Path) -> Iterator[Path]:
    """An empty folder below `staging`, taken away at the end."""
    staging.mkdir(parents=True, exist_ok=True)
    _clear_abandoned(staging)
    folder = Path(tempfile.mkdtemp(prefix="desk-", dir=staging))
    with (folder / _HELD).open("wb") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _clear_abandoned(staging: Path) -> None:
    for folder in staging.glob("desk-*"):
        mark = folder / _HELD
        if mark.exists() and _is_abandoned(mark):
            shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(mark: Path) -> bool:
    try:
        with mark.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return False
    return True
