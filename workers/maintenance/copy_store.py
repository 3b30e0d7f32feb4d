"""Copies a whole store to another: works, the log, and the derived data that the target needs to serve immediately.

Preserved data is copied first. All works and the log are verified at the target completely, by their inventories and
the checkpoint. Existing derived data is compared by a cheap test: pyramids by their directories, which contain the
CRC-32 of every tile. Nothing is deleted at the target. A repeated copy transfers only what is missing or wrong. Last,
after a copy without problems, the target gets the source's identity: it may then become the primary store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final

from iiif_server.pyramid.file import read_directory
from preservation.deletion import put_tombstone, tombstones
from preservation.ocfl import objects
from preservation.progress import OnProgress
from preservation.replication.log import LogCopy, replicate_log
from preservation.replication.transfer import NamedStore, TransferTotals, transfer_derived
from preservation.replication.works import replicate_work
from preservation.store_identity import StoreNotRecognised, read_identity, write_identity
from repository.errors import IntegrityError, KeyNotFound, PyramidCorrupt, ShanbenError
from repository.localized import LocalizedText
from repository.paths import HARVESTED, LOG, OCFL_ROOT, PUBLISHED, PYRAMIDS
from repository.storage.content import StoredObject
from workers.progress import Progress, serialized

_CONCURRENT_WORKS: Final = 4
_CONCURRENT_FILES: Final = 4
_MOST_PENDING: Final = 64
_PRESERVED: Final = (OCFL_ROOT, LOG)
_DERIVED: Final = (PUBLISHED, PYRAMIDS)
_OTHERS: Final = (HARVESTED,)
"""What is neither preserved nor can be made again: partners' records."""


@dataclass(frozen=True, slots=True)
class StoreCopied:
    """The verified content of the target: the number of works, the log if there is one, and what was transferred.

    `problems` concern single works, the log or single derived objects; everything else was copied.
    """

    works: int
    log: LogCopy | None
    totals: TransferTotals
    problems: tuple[ShanbenError, ...]


def copy_store(
    source: NamedStore, target: NamedStore, progress: Progress, *, masters_only: bool = False
) -> StoreCopied:
    """Copy and verify a store. Raises `StoreFault` if a store is unavailable; a repeated call continues.

    Raises `StoreNotRecognised` if the target is another library's store.

    With `masters_only`, pyramids and published documents are left to `shanben rebuild`. The memory used does not depend
    on the size of the store.
    """
    others = _OTHERS if masters_only else _DERIVED + _OTHERS
    prefixes = _PRESERVED + others
    total = sum(item.size for prefix in prefixes for item in source.store.list(prefix))
    label = LocalizedText(f"复制 {source.name} → {target.name}", f"Copying {source.name} to {target.name}")
    progress.start(label, total)
    try:
        return _Copy(source, target, serialized(progress)).run(others)
    finally:
        progress.finish()


class _Copy:
    """One run of a copy: its stores, and what it has transferred so far."""

    def __init__(self, source: NamedStore, target: NamedStore, on_progress: OnProgress) -> None:
        self._source = source
        self._target = target
        self._on_progress = on_progress
        self._totals = TransferTotals()
        self._works = 0
        self._problems: list[ShanbenError] = []

    def run(self, derived: Iterable[str]) -> StoreCopied:
        """Copy works, the log, and the derived data under the given prefixes."""
        identity = self._identity()
        objects.prepare_storage_root(self._target.store)
        self._copy_works()
        log = self._copy_log()
        for prefix in derived:
            self._copy_derived(prefix)
        if identity and not self._problems:
            write_identity(self._target.store, identity)
        return StoreCopied(self._works, log, self._totals, tuple(self._problems))

    def _identity(self) -> str | None:
        """Return the identity that the target is to get; None if the source has none."""
        source, target = read_identity(self._source.store), read_identity(self._target.store)
        if target is not None and target != source:
            reason = LocalizedText(
                "其 shanben-store.json 与源存储的不同；请核对地址，未作改动",
                "its shanben-store.json is not that of the source; check the address. Nothing was changed",
            )
            raise StoreNotRecognised(store=self._target.name, reason=reason)
        return source

    def _copy_works(self) -> None:
        for tombstone in tombstones(self._source.store):
            put_tombstone(self._target.store, tombstone)
        deleted = {tombstone.work for tombstone in tombstones(self._target.store)}
        with _threads(_CONCURRENT_WORKS) as threads, _threads(_CONCURRENT_FILES) as files:
            works = (work for work in objects.works(self._source.store) if work not in deleted)
            calls = (partial(self._copy_work, work, files) for work in works)
            for totals in _in_order(threads, calls):
                self._add(totals)
                self._works += totals is not None

    def _copy_work(self, work: str, files: Executor) -> TransferTotals | None:
        copy = partial(replicate_work, self._source, self._target, work)
        return self._attempt(lambda: copy(executor=files, on_progress=self._on_progress).totals)

    def _copy_log(self) -> LogCopy | None:
        copies: list[LogCopy] = []

        def copy() -> TransferTotals:
            log = replicate_log(self._source, self._target, None, whole=True, on_progress=self._on_progress)
            copies.extend([log] if log else [])
            return log.totals if log else TransferTotals()

        self._add(self._attempt(copy))
        return copies[0] if copies else None

    def _copy_derived(self, prefix: str) -> None:
        source, target = self._source.store.list(prefix), self._target.store.list(prefix)
        with _threads(_CONCURRENT_FILES) as threads:
            calls = (partial(self._copy_object, item, size) for item, size in _paired(source, target))
            for totals in _in_order(threads, calls):
                self._add(totals)

    def _copy_object(self, item: StoredObject, target_size: int | None) -> TransferTotals | None:
        if target_size == item.size and self._appears_equal(item.key):
            self._on_progress(item.size)
            return TransferTotals(1, item.size)
        return self._attempt(lambda: transfer_derived(self._source, self._target, item.key, self._on_progress))

    def _appears_equal(self, key: str) -> bool:
        stores = (self._source.store, self._target.store)
        if not key.startswith(f"{PYRAMIDS}/"):
            return stores[0].read(key) == stores[1].read(key)
        try:
            first, second = (read_directory(partial(store.read_range, key), key).fingerprint for store in stores)
        except PyramidCorrupt:
            return False
        return first == second

    def _attempt(self, copy: Callable[[], TransferTotals]) -> TransferTotals | None:
        """Return the result of a copy. If the data itself is at fault, record the problem and return None."""
        try:
            return copy()
        except (IntegrityError, KeyNotFound) as fault:
            self._problems.append(fault)
            return None

    def _add(self, totals: TransferTotals | None) -> None:
        if totals:
            self._totals += totals


def _paired(
    source: Iterator[StoredObject], target: Iterator[StoredObject]
) -> Iterator[tuple[StoredObject, int | None]]:
    """Yield the source's objects, each with the size of the target's object of the same key, or None.

    Both iterators are sorted by the bytes of the keys.
    """
    other = next(target, None)
    for item in source:
        while other and other.key.encode() < item.key.encode():
            other = next(target, None)
        yield item, other.size if other and other.key == item.key else None


def _in_order(
    threads: Executor, calls: Iterator[Callable[[], TransferTotals | None]]
) -> Iterator[TransferTotals | None]:
    """Run calls in threads and yield their results in order; at most `_MOST_PENDING` are pending."""
    pending: list[Future[TransferTotals | None]] = [threads.submit(call) for call in islice(calls, _MOST_PENDING)]
    while pending:
        yield pending.pop(0).result()
        pending.extend(threads.submit(call) for call in islice(calls, 1))


@contextmanager
def _threads(count: int) -> Iterator[Executor]:
    """Run a thread pool that, after an error, completes running calls and starts no others."""
    executor = ThreadPoolExecutor(count)
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
