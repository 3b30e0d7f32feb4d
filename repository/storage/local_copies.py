"""Copies of derived files of a store on the local disk of a machine, as the parts of an index that it searches.

A list in the store names the files. When the list is older than some seconds, a thread of `LocalCopies` reads it again
and copies the new files. Until all of them are copied, the files of the list before stay in use. All processes of a
machine share the files, and each file is renamed into place when it is complete.

A file that the list does not name any more is removed when it is old enough and no process holds it (`hold_file`). An
open file stays readable after its removal, but another thread of the process may still have to open it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from repository.errors import IntegrityError, KeyNotFound, ShanbenError, StagingFault, SystemFault
from repository.localized import LocalizedText
from repository.storage.store import ObjectStore

Listed = TypeVar("Listed")

_ATTEMPTS: Final = 3
_PART: Final = ".part"
_PART_SECONDS: Final = 3600.0
"""How long an incomplete file stays: nobody copies one file for longer."""


class CopiesPending(SystemFault):
    """Files of the store that are not on this machine yet, as after it was set up."""

    code = "copies.pending"
    text = LocalizedText(
        "索引正在复制到本机，请稍后重试", "The index is being copied to this machine; try again shortly"
    )
    transient = True


class CopyDamaged(IntegrityError):
    """A file of a store without the bytes that its name states; no copy of it is kept."""

    code = "integrity.copy"
    text = LocalizedText(
        "存储中的 {key} 损坏；请重新生成该索引（检索索引用 shanben search rebuild）",
        "{key} is damaged in the store; make the index again (shanben search rebuild makes that of texts)",
    )


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is copied: its key in the store, its local name, and how its SHA-256 begins; '' if unknown."""

    key: str
    name: str
    sha256: str = ""


def copy_files(store: ObjectStore, folder: Path, files: Iterable[StoredFile]) -> None:
    """Copy the files that the folder does not have, and verify them.

    Raises `KeyNotFound`, `CopyDamaged`, `StoreFault`, `StagingFault`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            target = folder / file.name
            if not target.exists():
                part = target.with_name(f"{target.name}.{os.getpid()}.{threading.get_ident()}{_PART}")
                _copy(store, file, part)
                part.replace(target)
    except OSError as fault:
        raise StagingFault(reason=fault.strerror or str(fault)) from fault


def _copy(store: ObjectStore, file: StoredFile, part: Path) -> None:
    """Write a file, and remove it if its bytes are not those that its name states."""
    digest = hashlib.sha256()
    with part.open("wb") as written:
        for chunk in store.chunks(file.key):
            if file.sha256:
                digest.update(chunk)
            written.write(chunk)
    if file.sha256 and not digest.hexdigest().startswith(file.sha256):
        part.unlink()
        raise CopyDamaged(key=file.key)


def hold_file(path: Path) -> int:
    """Keep a copy from being removed until the descriptor that is returned is closed. Raises `OSError`."""
    held = os.open(path, os.O_RDONLY)
    with suppress(OSError):  # the file system has no locks
        fcntl.flock(held, fcntl.LOCK_SH)
    return held


def unlisted_files(folder: Path, names: Collection[str], seconds: float) -> list[Path]:
    """Return the files of a folder whose names are not among `names` and that were written at least `seconds` ago.

    Another process may be copying a younger file, or may open it, because it has read a newer list.
    """
    now, found = time.time(), []
    for path in folder.iterdir() if folder.is_dir() else ():
        with suppress(FileNotFoundError):
            age = _PART_SECONDS if path.suffix == _PART else seconds
            if path.name not in names and path.stat().st_mtime < now - age:
                found.append(path)
    return found


def remove_unlisted(folder: Path, names: Collection[str], seconds: float) -> None:
    """Delete the `unlisted_files` that nobody holds."""
    for path in unlisted_files(folder, names, seconds):
        with suppress(FileNotFoundError):
            _remove_unless_held(path)


def _remove_unless_held(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # the file system has no locks
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
        path.unlink()
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class CopySource(Generic[Listed]):
    """What is copied: `read` returns the list of a store, `files` its files.

    The list is read again after `fresh_seconds`; what it does not name any more stays for `kept_seconds`.
    """

    store: ObjectStore
    read: Callable[[ObjectStore], Listed]
    files: Callable[[Listed], Sequence[StoredFile]]
    fresh_seconds: float
    kept_seconds: float


class LocalCopies(Generic[Listed]):
    """The files of a list in a folder. Safe to use from several threads."""

    def __init__(self, source: CopySource[Listed], folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._current: Listed | None = None
        self._fault: ShanbenError | None = None
        self._next = 0.0
        self._refreshing: threading.Thread | None = None

    @property
    def is_copying(self) -> bool:
        """Whether the list is being read, or files are being copied."""
        return self._refreshing is not None

    def current(self, first_seconds: float, patience_seconds: float = 0.0) -> Listed:
        """Return the newest list all files of which are here.

        Waits for one at most `first_seconds`, and for a newer one `patience_seconds`. Raises `CopiesPending` or the
        fault of the copy, such as `StoreFault`, `StagingFault`, `CopyDamaged` or `KeyNotFound`, while there is none.
        """
        with self._lock:
            if self._refreshing is None and self._clock() >= self._next:
                thread = threading.Thread(target=self._refresh, name="local-copies", daemon=True)
                thread.start()  # it may fail, and then the next call tries again
                self._refreshing = thread
            refreshing, seconds = self._refreshing, first_seconds if self._current is None else patience_seconds
        if refreshing is not None and seconds:
            refreshing.join(seconds)
        if self._current is not None:
            return self._current
        raise self._fault or CopiesPending()

    def _refresh(self) -> None:
        try:
            self._current = listed = self._copied()
            if unlisted_files(self._folder, self._names(listed), self._source.kept_seconds):
                newest = self._source.read(self._source.store)  # to copy may have taken long
                kept = self._names(listed) | self._names(newest)
                remove_unlisted(self._folder, kept, self._source.kept_seconds)
            self._fault = None
        except ShanbenError as fault:
            self._fault = fault
        finally:
            with self._lock:
                self._refreshing = None
                self._next = self._clock() + self._source.fresh_seconds

    def _copied(self) -> Listed:
        """Return the list when all files are here. One that was replaced meanwhile has the list read again."""
        source = self._source
        listed = source.read(source.store)
        for _ in range(_ATTEMPTS):
            with suppress(KeyNotFound):
                copy_files(source.store, self._folder, source.files(listed))
                return listed
            listed = source.read(source.store)
        copy_files(source.store, self._folder, source.files(listed))
        return listed

    def _names(self, listed: Listed) -> set[str]:
        return {file.name for file in self._source.files(listed)}
