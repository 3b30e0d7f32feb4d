"""A whole store into another: works, log, and what is derived from them so that the other side can serve at once.

What must never be lost goes first. Every work and the log are verified at the target whole, by what their inventories
and checkpoint say. Derived data that is there already is believed on a look: a pyramid by its directory, which has the
CRC-32 of every tile. Nothing is deleted at the target. Run again, only what is missing or wrong there is put.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final

from iiif_server.pyramid.file import read_directory
from preservation.ocfl import objects
from preservation.progress import OnProgress
from preservation.replication.log import LogCopy, replicate_log
from preservation.replication.transfer import NamedStore, TransferTotals, transfer_derived
from preservation.replication.works import replicate_work
from repository.errors import IntegrityError, KeyNotFound, PyramidCorrupt, ShanbenError
from repository.localized import LocalizedText
from repository.paths import LOG, OCFL_ROOT, PUBLISHED, PYRAMIDS
from repository.storage.content import StoredObject
from workers.progress import Progress

_WORKS_AT_ONCE: Final = 4
_FILES_AT_ONCE: Final = 4
_WAITING: Final = 64
_KEPT: Final = (OCFL_ROOT, LOG)
_DERIVED: Final = (PUBLISHED, PYRAMIDS)


@dataclass(frozen=True, slots=True)
class StoreCopied:
    """What the target now holds, verified: so many `works`, the `log` if there is one, and what that took.

    `problems` are of single works, of the log or of single derived objects; all else was copied all the same.
    """

    works: int
    log: LogCopy | None
    done: TransferTotals
    problems: tuple[ShanbenError, ...]


def copy_store(
    source: NamedStore, target: NamedStore, progress: Progress, *, masters_only: bool = False
) -> StoreCopied:
    """Copy and verify. Raises `StoreFault` when a store is away: run again, it goes on.

    With `masters_only`, pyramids and what is published are left to `shanben rebuild`. Memory does not grow with the
    store.
    """
    prefixes = _KEPT if masters_only else _KEPT + _DERIVED
    total = sum(found.size for prefix in prefixes for found in source.store.list(prefix))
    words = LocalizedText(f"复制 {source.name} → {target.name}", f"Copying {source.name} to {target.name}")
    progress.start(words, total)
    try:
        return _Copying(source, target, _one_at_a_time(progress)).run(() if masters_only else _DERIVED)
    finally:
        progress.finish()


class _Copying:
    """One run: its stores, and what was found on the way."""

    def __init__(self, source: NamedStore, target: NamedStore, told: OnProgress) -> None:
        self._source = source
        self._target = target
        self._told = told
        self._done = TransferTotals()
        self._works = 0
        self._problems: list[ShanbenError] = []

    def run(self, derived: Iterable[str]) -> StoreCopied:
        """All of it, in the order of what matters most."""
        objects.prepare_storage_root(self._target.store)
        self._copy_works()
        log = self._copy_log()
        for prefix in derived:
            self._copy_derived(prefix)
        return StoreCopied(self._works, log, self._done, tuple(self._problems))

    def _copy_works(self) -> None:
        with _threads(_WORKS_AT_ONCE) as threads, _threads(_FILES_AT_ONCE) as files:
            calls = (partial(self._work, work, files) for work in objects.works(self._source.store))
            for done in _as_done(threads, calls):
                self._count(done)
                self._works += done is not None

    def _work(self, work: str, files: Executor) -> TransferTotals | None:
        return self._tried(
            lambda: replicate_work(self._source, self._target, work, executor=files, on_progress=self._told).totals
        )

    def _copy_log(self) -> LogCopy | None:
        found: list[LogCopy] = []

        def copied() -> TransferTotals:
            log = replicate_log(self._source, self._target, None, whole=True, on_progress=self._told)
            found.extend([log] if log else [])
            return log.totals if log else TransferTotals()

        self._count(self._tried(copied))
        return found[0] if found else None

    def _copy_derived(self, prefix: str) -> None:
        source, target = self._source.store.list(prefix), self._target.store.list(prefix)
        with _threads(_FILES_AT_ONCE) as threads:
            calls = (partial(self._derived, found, there) for found, there in _beside(source, target))
            for done in _as_done(threads, calls):
                self._count(done)

    def _derived(self, found: StoredObject, there: int | None) -> TransferTotals | None:
        if there == found.size and self._looks_same(found.key):
            self._told(found.size)
            return TransferTotals(1, found.size)
        return self._tried(lambda: transfer_derived(self._source, self._target, found.key, self._told))

    def _looks_same(self, key: str) -> bool:
        stores = (self._source.store, self._target.store)
        if not key.startswith(f"{PYRAMIDS}/"):
            return stores[0].read(key) == stores[1].read(key)
        try:
            first, second = (read_directory(partial(store.read_range, key), key).fingerprint for store in stores)
        except PyramidCorrupt:
            return False
        return first == second

    def _tried(self, copy: Callable[[], TransferTotals]) -> TransferTotals | None:
        """What a copy gives; None when the thing itself is at fault, which is kept, and the rest goes on."""
        try:
            return copy()
        except (IntegrityError, KeyNotFound) as fault:
            self._problems.append(fault)
            return None

    def _count(self, done: TransferTotals | None) -> None:
        if done:
            self._done += done


def _one_at_a_time(progress: Progress) -> OnProgress:
    """A progress may not be told by two threads at once."""
    lock = threading.Lock()

    def told(amount: int) -> None:
        with lock:
            progress.advance(amount)

    return told


def _beside(ours: Iterator[StoredObject], theirs: Iterator[StoredObject]) -> Iterator[tuple[StoredObject, int | None]]:
    """Each of ours with the size of theirs under the same key; both come in the order of the keys' bytes."""
    other = next(theirs, None)
    for found in ours:
        while other and other.key.encode() < found.key.encode():
            other = next(theirs, None)
        yield found, other.size if other and other.key == found.key else None


def _as_done(
    threads: Executor, calls: Iterator[Callable[[], TransferTotals | None]]
) -> Iterator[TransferTotals | None]:
    """The results in order, with a bounded number of calls waiting."""
    waiting: list[Future[TransferTotals | None]] = [threads.submit(call) for call in islice(calls, _WAITING)]
    while waiting:
        yield waiting.pop(0).result()
        waiting.extend(threads.submit(call) for call in islice(calls, 1))


@contextmanager
def _threads(count: int) -> Iterator[Executor]:
    """Threads that, when something goes wrong, end with what they are at and begin nothing more."""
    executor = ThreadPoolExecutor(count)
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
