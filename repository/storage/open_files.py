"""A cache of open files, so that reading a tile costs one `pread` and no `open`."""

from __future__ import annotations

import errno
import os
import stat
from time import monotonic
from typing import Final

from repository.clock_cache import ClockCache

_TRUSTED_SECONDS: Final = 1.0


class OpenFile:
    """A file open for reading. It is closed with its last reference, so never while a reader uses it."""

    __slots__ = ("_identity", "checked", "descriptor", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        # Without O_NONBLOCK, opening a named pipe would wait for a writer.
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        status = os.fstat(self.descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        self._identity = _identity(status)
        self.checked = monotonic()

    def __del__(self) -> None:
        # Absent when `os.open` itself failed.
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)

    def is_current(self) -> bool:
        """Return whether the path still refers to this file."""
        try:
            current = _identity(os.stat(self.path)) == self._identity
        except OSError:
            return False
        self.checked = monotonic()
        return current


class OpenFiles:
    """At most `limit` recently used files, open. Safe to use from many threads."""

    def __init__(self, root: str, limit: int) -> None:
        self._root = root
        self._files: ClockCache[str, OpenFile] = ClockCache(limit)

    def get(self, key: str) -> OpenFile | None:
        """Return the open file of a key; None when it is not open, or another process has replaced or deleted it."""
        return self._get(key, 0.0)

    def get_trusted(self, key: str) -> OpenFile | None:
        """Return what `get` returns, without asking the file system if it was asked within the last second."""
        return self._get(key, _TRUSTED_SECONDS)

    def _get(self, key: str, trusted: float) -> OpenFile | None:
        file = self._files.get(key)
        if file is None:
            return None
        if monotonic() - file.checked >= trusted and not file.is_current():
            self.forget(key)
            return None
        return file

    def open(self, key: str) -> OpenFile:
        """Open the file of a key and cache it. Raises `OSError`."""
        file = OpenFile(f"{self._root}/{key}")
        self._files.put(key, file)
        return file

    def forget(self, key: str) -> None:
        """Remove the file of a key, which has changed, from the cache."""
        self._files.forget(key)


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
