"""How a folder keeps a promise: names and bytes that outlast a power cut.

A file is written under a temporary name in ``.incoming``, synced, and only then given its name; then the folder is
synced, and so is every folder newly made on the way. A temporary file is locked while its writer lives, so what a
killed writer left behind is known by being unlocked, and `TemporaryFiles.sweep` takes it away.
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

from repository.storage.content import Content, MovableFile, chunks_of
from repository.storage.process_marks import hold_mark, is_abandoned

_LOCK: Final = "lock"
_MOST_KNOWN: Final = 8192
_NO_KERNEL_COPY: Final = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF}


def sync_folder(folder: str) -> None:
    """Make the names in a folder durable."""
    sync_file(folder, os.O_RDONLY | os.O_DIRECTORY)


def sync_file(path: str, flags: int = os.O_RDONLY) -> None:
    """Make a file's bytes durable."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, content: Content) -> None:
    """Write the content to an open file and sync it. A file is copied within the kernel where that can be done."""
    if isinstance(content, MovableFile):
        content = content.path
    if isinstance(content, Path):
        _copy(content, descriptor)
    else:
        for chunk in chunks_of(content):
            _write(descriptor, chunk)
    os.fsync(descriptor)


def _write(descriptor: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def _copy(path: Path, descriptor: int) -> None:
    with path.open("rb", buffering=0) as file:
        with _passing_over_no_kernel_copy():
            while os.copy_file_range(file.fileno(), descriptor, 1 << 30):
                pass
        # What the kernel would not copy (another file system, a file that only seems empty) is copied here.
        while chunk := file.read(1 << 20):
            _write(descriptor, chunk)


@contextmanager
def _passing_over_no_kernel_copy() -> Iterator[None]:
    """Pass over the errors that only say `copy_file_range` is not for these two files."""
    try:
        yield
    except OSError as fault:
        if fault.errno not in _NO_KERNEL_COPY:
            raise


class TemporaryFiles:
    """The hidden folder where files are written before they have their name."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    @contextmanager
    def file(self) -> Iterator[tuple[int, str]]:
        """A new temporary file, open and locked: its descriptor and path. Gone afterwards, unless it was renamed."""
        path = os.path.join(self._folder, secrets.token_hex(12))
        with ExitStack() as stack:
            stack.callback(_unlink, path)
            # The shared lock keeps `sweep` away while the new file is not locked yet.
            with self._locked(fcntl.LOCK_SH):
                descriptor = stack.enter_context(hold_mark(path))
            yield descriptor, path

    def sweep(self, older_than_seconds: float = 0) -> int:
        """Take away what killed writers last wrote to so long ago; how many files. No folder, no strays."""
        if not os.path.isdir(self._folder):
            return 0
        latest = time.time() - older_than_seconds
        with self._locked(fcntl.LOCK_EX), os.scandir(self._folder) as entries:
            strays = [entry.path for entry in entries if entry.name != _LOCK]
            return sum(_unlink_abandoned(path, latest) for path in strays)

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
    """Folders below a root, made so that they outlast a power cut."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._known: set[str] = set()

    def ensure(self, folder: str) -> None:
        """Make `folder`, the root or below it, and whatever it lies in, durably.

        A folder that is there already may have been made a moment ago by another writer who has yet to sync it, so
        its parent is synced once by every process that first meets it.
        """
        if folder in self._known:
            return
        parent = os.path.dirname(folder)
        if folder == self._root:
            _make_root(folder)
        else:
            self.ensure(parent)
            with suppress(FileExistsError):
                os.mkdir(folder)
            sync_folder(parent)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known.add(folder)

    def forget_all(self) -> None:
        """Another process may have taken a folder away: look again, from the root on."""
        self._known.clear()

    def prune(self, folder: str) -> None:
        """Take away `folder` and those it lies in as far as they are empty; sync the first that stays."""
        while folder != self._root:
            self._known.discard(folder)
            try:
                os.rmdir(folder)
            except FileNotFoundError:
                pass
            except OSError:
                break
            folder = os.path.dirname(folder)
        with suppress(FileNotFoundError):
            sync_folder(folder)


def _make_root(folder: str) -> None:
    if os.path.isdir(folder):
        return
    parent = os.path.dirname(folder)
    _make_root(parent)
    with suppress(FileExistsError):
        os.mkdir(folder)
    sync_folder(parent)
