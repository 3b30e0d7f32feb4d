"""The folder store: every object is a file whose path is its key.

obstore has a folder store too, but it never calls `fsync`, and preservation needs durable writes. `storage/fsync.py`
writes; `storage/open_files.py` keeps files open for ranged reads.
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
from repository.storage.content import CHUNK, INCOMING, Content, MovableFile, ObjectLock, StoredObject, check_key
from repository.storage.fsync import DurableFolders, TemporaryFiles, sync_file, sync_folder, write_all
from repository.storage.open_files import OpenFile, OpenFiles

_ABSENT: Final = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR}
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}
_DENIED: Final = {errno.EACCES, errno.EPERM, errno.EROFS}
_UNCLIPPED: Final = 4 << 20
_ATTEMPTS: Final = 100


class FolderStore:
    """An `ObjectStore` in a folder, created by the first put. Safe to use from many threads and processes.

    `open_files` is the number of files that stay open for `read_range`.
    """

    def __init__(self, root: Path, open_files: int = 256) -> None:
        self._root = os.path.abspath(root)
        self._folders = DurableFolders(self._root)
        self._incoming = TemporaryFiles(os.path.join(self._root, INCOMING))
        self._prepared = False
        self._open_files = OpenFiles(self._root, open_files)

    def size(self, key: str) -> int:
        """Return the object's size in bytes."""
        with _reading(key):
            status = os.stat(self._path(key))
        if not stat.S_ISREG(status.st_mode):
            raise KeyNotFound(key=key)
        return status.st_size

    def read(self, key: str) -> bytes:
        """Return the whole object."""
        return b"".join(self.chunks(key))

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return `length` bytes from `start`, clipped to the object; a negative `start` counts from the end."""
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
        a thread reads all others. `start` is not negative. A file that another process has replaced is noticed within a
        second.
        """
        data = self._read_from_page_cache(key, start, length)
        return data if data is not None else await asyncio.to_thread(self.read_range, key, start, length)

    def _read_from_page_cache(self, key: str, start: int, length: int) -> bytearray | None:
        file = self._open_files.get_trusted(key)
        if file is None:
            return None
        data = bytearray(length)
        try:
            count = os.preadv(file.descriptor, [data], start, os.RWF_NOWAIT)
        except OSError:
            return None
        return data if count == length else None

    def chunks(self, key: str, size: int = CHUNK) -> Iterator[bytes]:
        """Return the object in chunks of at most `size` bytes. The call itself raises `KeyNotFound`."""
        with _reading(key):
            file = OpenFile(self._path(key))
            first = os.pread(file.descriptor, size, 0)
        return _pieces(key, file, first, size)

    def put(self, key: str, content: Content) -> None:
        """Store an object, replacing an existing one; it is durable when the call returns."""
        self._put(key, content, os.replace)

    def put_new(self, key: str, content: Content) -> None:
        """Store an object under a new key; it is durable when the call returns. Raises `KeyExists`."""
        if self.exists(key):
            raise KeyExists(key=key)
        self._put(key, content, _rename_new)

    def exists(self, key: str) -> bool:
        """Return whether an object exists."""
        return os.path.isfile(self._path(key))

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield every object whose key starts with ``prefix/`` (all for ''), in the byte order of the keys."""
        start = self._path(prefix) if prefix else self._root
        with _writing(prefix):
            yield from _walk(start, f"{prefix}/" if prefix else "")

    def delete(self, key: str) -> None:
        """Delete the object if it exists, and the folders that become empty."""
        path = self._path(key)
        with _writing(key):
            try:
                os.unlink(path)
            except (FileNotFoundError, NotADirectoryError):
                return
            finally:
                self._open_files.forget(key)
            self._folders.delete_empty(os.path.dirname(path))

    def lock_below(self, prefix: str) -> ObjectLock | None:
        """Return None: a folder has no locks."""
        check_key(prefix)
        return None

    def erase(self, prefix: str) -> int:
        """Delete every object below ``prefix/``; return how many."""
        stored = list(self.list(prefix))
        for each in stored:
            self.delete(each.key)
        return len(stored)

    def remove_incomplete_uploads(self, older_than_seconds: float) -> int:
        """Delete temporary files of dead writers that were last written to this long ago; return how many."""
        with _writing(INCOMING):
            return self._incoming.remove_abandoned(older_than_seconds)

    def _path(self, key: str) -> str:
        return f"{self._root}/{check_key(key)}"

    def _put(self, key: str, content: Content, rename: Callable[[str, str], None]) -> None:
        target = self._path(key)
        with _writing(key):
            self._prepare()
            if not (isinstance(content, MovableFile) and self._move(content.path, target, rename)):
                with self._incoming.create() as (descriptor, path):
                    write_all(descriptor, content)
                    self._rename_durably(path, target, rename)
            self._open_files.forget(key)

    def _prepare(self) -> None:
        """Create the folders and delete abandoned files before the first put, and again when the store reappears."""
        incoming = os.path.join(self._root, INCOMING)
        if not (self._prepared and os.path.isdir(incoming)):
            self._folders.clear_cache()
            self._folders.create(incoming)
            self._incoming.remove_abandoned()
            self._prepared = True

    def _move(self, path: Path, target: str, rename: Callable[[str, str], None]) -> bool:
        """Move a file into the store; return False when it must be copied: a link, or on another file system."""
        if path.is_symlink():
            return False
        sync_file(str(path))
        try:
            self._rename_durably(str(path), target, rename)
        except OSError as fault:
            if fault.errno == errno.EXDEV:
                return False
            raise
        return True

    def _rename_durably(self, source: str, target: str, rename: Callable[[str, str], None]) -> None:
        """Rename a synced file and make the new name durable.

        A concurrent deletion may remove the target's folder just before the rename; then create it again.
        """
        folder = os.path.dirname(target)
        for attempt in range(_ATTEMPTS):
            try:
                self._folders.create(folder)
                rename(source, target)
                break
            except FileNotFoundError:
                if attempt == _ATTEMPTS - 1:
                    raise
                self._folders.clear_cache()
        with suppress(FileNotFoundError):  # the object and its folder were deleted meanwhile
            sync_folder(folder)


def _rename_new(source: str, target: str) -> None:
    """Rename only to a new name: a link does not overwrite."""
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
    """Yield the files below a folder. A folder sorts as its name with ``/``, as its keys do."""
    try:
        with os.scandir(folder) as entries:
            items = sorted((os.fsencode(entry.name) + b"/" * entry.is_dir(), entry) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return
    for _, entry in items:
        key = prefix + entry.name
        if entry.is_dir():
            if key != INCOMING:
                yield from _walk(entry.path, key + "/")
            continue
        try:
            yield StoredObject(key, entry.stat().st_size)
        except FileNotFoundError:  # deleted during the walk
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
    if fault.errno == errno.EISDIR:
        reason = LocalizedText(
            "此处有同名文件夹；请查明来历，移走后重试",
            "a folder of this name is in its place; find out where it comes from, move it away and try again",
        )
        return StoreFault(key=key, reason=reason)
    kind = StoreDenied if fault.errno in _DENIED else StoreFault
    return kind(key=key, reason=str(fault))
