"""Durable files and folders: content and names that survive a power failure.

A file is written under a temporary name in ``.incoming``, synced and renamed; then its folder is synced, and so is the
parent of every folder created on the way. A temporary file is a process mark (`process_marks`), so that
`TemporaryFiles.remove_abandoned` finds the files of killed writers.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from repository.storage.content import Chunk, Content, MovableFile, chunks_of
from repository.storage.process_marks import hold_mark, is_abandoned

_LOCK: Final = "lock"
_MOST_CACHED: Final = 8192
_NO_KERNEL_COPY: Final = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF}


def sync_folder(folder: str) -> None:
    """Sync a folder: the names in it become durable."""
    sync_file(folder, os.O_RDONLY | os.O_DIRECTORY)


def sync_file(path: str, flags: int = os.O_RDONLY) -> None:
    """Sync a file: its content becomes durable."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, content: Content) -> None:
    """Write content to an open file and sync it. The kernel copies files where it can."""
    if isinstance(content, MovableFile):
        content = content.path
    if isinstance(content, Path):
        _copy(content, descriptor)
    else:
        for chunk in chunks_of(content):
            _write(descriptor, chunk)
    os.fsync(descriptor)


def _write(descriptor: int, chunk: Chunk) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def _copy(path: Path, descriptor: int) -> None:
    with path.open("rb", buffering=0) as file:
        with _unsupported_copy_ignored():
            while os.copy_file_range(file.fileno(), descriptor, 1 << 30):
                pass
        # Copy what the kernel did not: from another file system, or from a file of unknown size as in /proc.
        while chunk := file.read(1 << 20):
            _write(descriptor, chunk)


@contextmanager
def _unsupported_copy_ignored() -> Iterator[None]:
    """Ignore the errors by which `copy_file_range` reports that it does not support these two files."""
    try:
        yield
    except OSError as fault:
        if fault.errno not in _NO_KERNEL_COPY:
            raise


class TemporaryFiles:
    """The hidden folder where files are written before they get their name."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    @contextmanager
    def create(self) -> Iterator[tuple[int, str]]:
        """Create a temporary file; yield its descriptor and path. It is deleted at the end unless it was renamed."""
        path = os.path.join(self._folder, secrets.token_hex(12))
        with ExitStack() as stack:
            stack.callback(_unlink, path)
            # The shared lock keeps `remove_abandoned` away while the new file is not locked yet.
            with self._locked(fcntl.LOCK_SH):
                descriptor = stack.enter_context(hold_mark(path))
            yield descriptor, path

    def remove_abandoned(self, older_than_seconds: float = 0) -> int:
        """Delete files of killed writers that were last written to this long ago; return how many."""
        if not os.path.isdir(self._folder):
            return 0
        latest = time.time() - older_than_seconds
        with self._locked(fcntl.LOCK_EX), os.scandir(self._folder) as entries:
            paths = [entry.path for entry in entries if entry.name != _LOCK]
            return sum(_unlink_abandoned(path, latest) for path in paths)

    @contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        descriptor = os.open(os.path.join(self._folder, _LOCK), os.O_CREAT | os.O_RDWR, 0o666)
        try:
            fcntl.flock(descriptor, kind)
            yield
        finally:
            os.close(descriptor)


def _unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def _unlink_abandoned(path: str, latest: float) -> bool:
    if not is_abandoned(path):
        return False
    try:
        if os.stat(path).st_mtime > latest:
            return False
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


class DurableFolders:
    """Creates folders below a root so that they survive a power failure."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._synced: set[str] = set()

    def create(self, folder: str) -> None:
        """Create `folder`, which is the root or below it, and its parents durably.

        Another writer may have created an existing folder without having synced its parent yet, so every process
        syncs the parent of each folder once.
        """
        if folder in self._synced:
            return
        parent = os.path.dirname(folder)
        if folder == self._root:
            _create_root(folder)
        else:
            self.create(parent)
            with suppress(FileExistsError):
                os.mkdir(folder)
            sync_folder(parent)
        if len(self._synced) >= _MOST_CACHED:
            self._synced.clear()
        self._synced.add(folder)

    def clear_cache(self) -> None:
        """Forget which folders exist, because another process may have deleted one."""
        self._synced.clear()

    def delete_empty(self, folder: str) -> None:
        """Delete `folder` and its parents up to the first that is not empty, and sync that one."""
        while folder != self._root:
            self._synced.discard(folder)
            try:
                os.rmdir(folder)
            except FileNotFoundError:
                pass
            except OSError:
                break
            folder = os.path.dirname(folder)
        with suppress(FileNotFoundError):
            sync_folder(folder)


def _create_root(folder: str) -> None:
    if os.path.isdir(folder):
        return
    parent = os.path.dirname(folder)
    _create_root(parent)
    with suppress(FileExistsError):
        os.mkdir(folder)
    sync_folder(parent)
