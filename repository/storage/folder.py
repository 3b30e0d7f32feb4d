"""The store that is a folder: every object a file, its key its path.

obstore has a folder store too, but a promise to keep needs `fsync`, which it never calls; hence ours.
`storage/fsync.py` has the writing, `storage/open_files.py` the fast way of reading ranges.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from repository.errors import KeyExists, KeyNotFound, StoreDenied, StoreFault, StoreFull
from repository.localized import LocalizedText
from repository.storage.content import CHUNK, INCOMING, Content, MovableFile, StoredObject, check_key
from repository.storage.fsync import DurableFolders, TemporaryFiles, sync_file, sync_folder, write_all
from repository.storage.open_files import OpenFile, OpenFiles

_ABSENT: Final = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR}
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}
_DENIED: Final = {errno.EACCES, errno.EPERM, errno.EROFS}
_UNCLIPPED: Final = 4 << 20
_ATTEMPTS: Final = 100


class FolderStore:
    """An `ObjectStore` in a folder, which is made when first written to. Safe to use from many threads and processes.

    `open_files` is how many files stay open for `read_range`.
    """

    def __init__(self, root: Path, open_files: int = 256) -> None:
        self._root = os.path.abspath(root)
        self._folders = DurableFolders(self._root)
        self._incoming = TemporaryFiles(os.path.join(self._root, INCOMING))
        self._swept = False
        self._open_files = OpenFiles(self._root, open_files)

    def size(self, key: str) -> int:
        """The object's size in bytes."""
        with _reading(key):
            status = os.stat(self._path(key))
        if not stat.S_ISREG(status.st_mode):
            raise KeyNotFound(key=key)
        return status.st_size

    def read(self, key: str) -> bytes:
        """The whole object."""
        return b"".join(self.chunks(key))

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """`length` bytes from `start`, clipped to the object; a negative `start` counts from the end."""
        try:
            file = self._open_files.get(key) or self._open_files.open(check_key(key))
            if start < 0 or length > _UNCLIPPED:
                start, length = _clip(start, length, os.fstat(file.descriptor).st_size)
            data = os.pread(file.descriptor, length, start) if length > 0 else b""
        except OSError as fault:
            self._open_files.forget(key)
            raise _read_fault(key, fault) from fault
        return data

    async def read_range_async(self, key: str, start: int, length: int) -> bytes | bytearray:
        """Return what `read_range` returns, without blocking the event loop.

        Bytes of a file that was read recently are read here when the page cache holds them (RWF_NOWAIT, preadv2(2));
        a thread reads all others. `start` is not negative.
        """
        data = self._read_from_page_cache(key, start, length)
        return data if data is not None else await asyncio.to_thread(self.read_range, key, start, length)

    def _read_from_page_cache(self, key: str, start: int, length: int) -> bytearray | None:
        file = self._open_files.get(key)
        if file is None:
            return None
        data = bytearray(length)
        try:
            count = os.preadv(file.descriptor, [data], start, os.RWF_NOWAIT)
        except OSError:
            return None
        return data if count == length else None

    def chunks(self, key: str, size: int = CHUNK) -> Iterator[bytes]:
        """The object in pieces of at most `size` bytes; opened, and absent, at the call rather than the first piece."""
        with _reading(key):
            file = OpenFile(self._path(key))
            first = os.pread(file.descriptor, size, 0)
        return _pieces(key, file, first, size)

    def put(self, key: str, content: Content) -> None:
        """Put under `key`, replacing what was there; durable when it returns."""
        self._put(key, content, os.replace)

    def put_new(self, key: str, content: Content) -> None:
        """Put under a key that is free; durable when it returns. Raises `KeyExists`, whatever lies there."""
        if self.exists(key):
            raise KeyExists(key=key)
        self._put(key, content, _rename_new)

    def exists(self, key: str) -> bool:
        """Whether something lies under `key`."""
        return os.path.isfile(self._path(key))

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Every object whose key starts with ``prefix/`` (all for ''), in the order of the keys' bytes."""
        start = self._path(prefix) if prefix else self._root
        with _writing(prefix):
            yield from _walk(start, f"{prefix}/" if prefix else "")

    def delete(self, key: str) -> None:
        """Take the object away, and the folders it leaves empty; an absent key is no fault."""
        path = self._path(key)
        with _writing(key):
            try:
                os.unlink(path)
            except (FileNotFoundError, NotADirectoryError):
                return
            finally:
                self._open_files.forget(key)
            self._folders.prune(os.path.dirname(path))

    def remove_incomplete_uploads(self, older_than_seconds: float) -> int:
        """Take away the temporary files, last written to so long ago, of writers that live no more; how many."""
        with _writing(INCOMING):
            return self._incoming.sweep(older_than_seconds)

    def _path(self, key: str) -> str:
        return f"{self._root}/{check_key(key)}"

    def _put(self, key: str, content: Content, rename: Callable[[str, str], None]) -> None:
        target = self._path(key)
        with _writing(key):
            self._begin()
            if not (isinstance(content, MovableFile) and self._move(content.path, target, rename)):
                with self._incoming.file() as (descriptor, path):
                    write_all(descriptor, content)
                    self._settle(path, target, rename)
            self._open_files.forget(key)

    def _begin(self) -> None:
        """Before the first write, and when the store was away: the folders, and the leavings of killed writers."""
        incoming = os.path.join(self._root, INCOMING)
        if not (self._swept and os.path.isdir(incoming)):
            self._folders.forget_all()
            self._folders.ensure(incoming)
            self._incoming.sweep()
            self._swept = True

    def _move(self, path: Path, target: str, rename: Callable[[str, str], None]) -> bool:
        """Move a file in; False when it must be copied: a link, or on another file system."""
        if path.is_symlink():
            return False
        sync_file(str(path))
        try:
            self._settle(str(path), target, rename)
        except OSError as fault:
            if fault.errno == errno.EXDEV:
                return False
            raise
        return True

    def _settle(self, source: str, target: str, rename: Callable[[str, str], None]) -> None:
        """Give a synced file its name, and make the name durable.

        A deletion elsewhere may prune the target's folder just before the renaming: then it is made again.
        """
        folder = os.path.dirname(target)
        for attempt in range(_ATTEMPTS):
            try:
                self._folders.ensure(folder)
                rename(source, target)
                break
            except FileNotFoundError:
                if attempt == _ATTEMPTS - 1:
                    raise
                self._folders.forget_all()
        with suppress(FileNotFoundError):  # deleted again already
            sync_folder(folder)


def _rename_new(source: str, target: str) -> None:
    """Rename only when the target is free: a link cannot overwrite."""
    os.link(source, target)
    os.unlink(source)


def _clip(start: int, length: int, size: int) -> tuple[int, int]:
    start = max(0, size + start) if start < 0 else start
    return start, max(0, min(length, size - start))


def _pieces(key: str, file: OpenFile, piece: bytes, size: int) -> Iterator[bytes]:
    offset = 0
    while piece:
        yield piece
        offset += len(piece)
        with _reading(key):
            piece = os.pread(file.descriptor, size, offset)


def _walk(folder: str, prefix: str) -> Iterator[StoredObject]:
    """The files below a folder. A folder sorts as its name and ``/``, for so its keys go on."""
    try:
        with os.scandir(folder) as entries:
            named = sorted((os.fsencode(entry.name) + b"/" * entry.is_dir(), entry) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return
    for _, entry in named:
        key = prefix + entry.name
        if entry.is_dir():
            if key != INCOMING:
                yield from _walk(entry.path, key + "/")
            continue
        try:
            yield StoredObject(key, entry.stat().st_size)
        except FileNotFoundError:  # deleted while we walked
            continue


@contextmanager
def _reading(key: str) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise _read_fault(key, fault) from fault


@contextmanager
def _writing(key: str) -> Iterator[None]:
    try:
        yield
    except FileExistsError as fault:
        raise KeyExists(key=key) from fault
    except OSError as fault:
        raise _fault(key, fault) from fault


def _read_fault(key: str, fault: OSError) -> StoreFault:
    return KeyNotFound(key=key) if fault.errno in _ABSENT else _fault(key, fault)


def _fault(key: str, fault: OSError) -> StoreFault:
    if fault.errno in _FULL:
        reason = LocalizedText(
            "磁盘已满或超出配额，请腾出空间后重试", "the disk is full or over quota; free some space and try again"
        )
        return StoreFull(key=key, reason=reason)
    kind = StoreDenied if fault.errno in _DENIED else StoreFault
    return kind(key=key, reason=str(fault))
