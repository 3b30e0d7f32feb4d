"""Scratch directories for temporary files, each held by the process that created it.

The next process that creates a scratch directory deletes those of processes that were killed. A scratch directory never
contains the only copy of anything.
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

# Directories of an earlier release, which used the same names, are deleted too.
_PREFIX: Final = "desk-"
_NEW_PREFIX: Final = "arriving-"
_MARK: Final = "held"
_NEW_SECONDS: Final = 60.0


@contextmanager
def scratch_directory(staging: Path) -> Iterator[Path]:
    """Create an empty directory below `staging` and delete it at the end. Raises `StagingFault` if that fails."""
    new = _create(staging)
    folder = staging / new.name.replace(_NEW_PREFIX, _PREFIX)
    try:
        with hold_scratch_mark(new / _MARK):
            with _staging_faults():
                new.rename(folder)  # only now, so that no process finds it without its mark
            yield folder
    finally:
        for path in (new, folder):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def hold_scratch_mark(path: Path) -> Iterator[None]:
    """Hold the mark file `path` (`repository/storage/process_marks.py`). Raises `StagingFault` if that fails."""
    with ExitStack() as stack:
        with _staging_faults():
            stack.enter_context(hold_mark(path))
        yield


def _create(staging: Path) -> Path:
    with _staging_faults():
        staging.mkdir(parents=True, exist_ok=True)
        _delete_abandoned(staging)
        return Path(tempfile.mkdtemp(prefix=_NEW_PREFIX, dir=staging))


@contextmanager
def _staging_faults() -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise StagingFault(reason=fault.strerror) from fault


def _delete_abandoned(staging: Path) -> None:
    for folder in staging.glob(f"{_PREFIX}*"):
        # Without its mark it is being deleted, by its process or by one that was killed meanwhile.
        if is_abandoned(folder / _MARK) or not (folder / _MARK).exists():
            shutil.rmtree(folder, ignore_errors=True)
    for folder in staging.glob(f"{_NEW_PREFIX}*"):
        # Its process was killed before it held the mark.
        if _age(folder) > _NEW_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _age(folder: Path) -> float:
    try:
        return time.time() - folder.stat().st_mtime
    except FileNotFoundError:
        return 0.0
