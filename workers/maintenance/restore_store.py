"""Restores a store from others: everything of each work and of the log that any of them has intact.

1. Check that all stores are of one library, and that the target is not another library's.
2. Restore the log from all stores together (`preservation/fixity/log_repair.py`), and index what it says of each work.
3. Restore every work that any store has (`preservation/fixity/object_repair.py`): the union of the good files. What the
   target has intact stays; the stores that are read are not written.
   A work that was deleted stays deleted: the log and the tombstones of all stores say which, and the target gets their
   tombstones. Copies that a store still has of such a work are named and left alone.
4. Name what is missing: works and versions that the log names, and files that no store has intact.
5. Give the target its canaries and the library's identity. Until then no other command writes into it.

Pyramids and published documents are not restored: `shanben rebuild` makes them from the masters. An interrupted restore
continues when it is run again. Memory: a bounded number of works at a time, and one tombstone for each deleted work;
the index of the log is a scratch file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from typing import Final

from preservation.deletion import Tombstone, put_tombstone, read_tombstone, tombstones
from preservation.fixity.canaries import plant_canaries
from preservation.fixity.findings import FindingKind, FixityFinding
from preservation.fixity.log_repair import LogRepair
from preservation.fixity.logged_content import LoggedContent
from preservation.fixity.object_holding import RepairStore
from preservation.fixity.object_repair import ObjectRepair, RepairFacts
from preservation.fixity.repair import log_repair_facts
from preservation.fixity.repair_outcome import Remains, RepairOutcome
from preservation.log.readable import stated_size
from preservation.log.sequencer import exclusive_writer, log_keys
from preservation.log.tiles import StoredTree
from preservation.log_events import accepted_loss, is_deletion
from preservation.ocfl import objects
from preservation.premis import parse_event, version_of_event
from preservation.progress import OnProgress
from preservation.replication.transfer import NamedStore
from preservation.store_identity import StoreNotRecognised, read_identity, write_identity
from repository import paths
from repository.clock import timestamp
from repository.database.logged_works import LoggedStatement, LoggedWorks, open_logged_works
from repository.database.lost_works import LostWork
from repository.database.store_registry import PRIMARY
from repository.errors import DependencyMissing, EventInvalid, IntegrityError, KeyNotFound, LogInvalid
from repository.localized import LocalizedText
from repository.paths import LOG_CHECKPOINT, OCFL_ROOT, TILE_WIDTH
from repository.repository import Repository
from repository.storage.store import ObjectStore
from repository.store_label import PRIMARY_LABEL
from workers.execution.scratch import scratch_directory
from workers.progress import Progress, serialized
from workers.tasks.preserve import read_events

_CONCURRENT_WORKS: Final = 4
_MOST_PENDING: Final = 32
_ALL_VERSIONS: Final = 1 << 30
_OTHER_LIBRARY: Final = LocalizedText(
    "其 shanben-store.json 属于另一处存储；未作改动",
    "its shanben-store.json is that of another store; nothing was changed",
)
_UNLABELLED: Final = LocalizedText(
    "其中没有 shanben-store.json，不能确认是本馆的存储；是否尚未挂载？",
    "it has no shanben-store.json, so it is not known to be the library's. Is it unmounted?",
)


@dataclass(frozen=True, slots=True)
class MissingContent:
    """What the log or an inventory names and no store has: a work, a version of it, a file, or a part of the log.

    The log names version `logged` of the work, and the target holds the versions up to `stored`; both are entries of
    the log for its checkpoint. `key` is that of the object, or of a file; `remains` is what is left of a file.
    """

    key: str
    work: str = ""
    logged: int = 0
    stored: int = 0
    remains: Sequence[Remains] = ()
    reason: LocalizedText | None = None


@dataclass(frozen=True, slots=True)
class DeletedWork:
    """A work that was deleted by decision, at a time (RFC 3339), and the `stores` that still have a copy of it."""

    work: str
    deleted: str
    stores: Sequence[str]


@dataclass(slots=True)
class StoreRestored:
    """What a restore did: `files` put and read back, `works` that the target holds now, `entries` of its log.

    `deleted` are works that were not restored because they had been deleted, and that a store still has.
    """

    files: int = 0
    works: int = 0
    entries: int = 0
    missing: list[MissingContent] = field(default_factory=list)
    deleted: list[DeletedWork] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _RestoredWork:
    work: str
    versions: int
    outcome: RepairOutcome


def restore_store(
    repository: Repository, sources: Sequence[NamedStore], target: NamedStore, progress: Progress
) -> StoreRestored:
    """Restore everything that `sources`, and the target itself, have intact into the target.

    Raises `StoreNotRecognised`, `LogBusy`, `StoreFault`, `StagingFault`, `DatabaseFault`; a repeated call continues.
    """
    identity = _identity(repository, sources, target)
    size = max(sum(stored.size for stored in source.store.list(OCFL_ROOT)) for source in sources)
    names = ", ".join(source.name for source in sources)
    progress.start(LocalizedText(f"恢复 {target.name}，来源 {names}", f"Restoring {target.name} from {names}"), size)
    try:
        with scratch_directory(repository.settings.staging) as folder, open_logged_works(folder) as logged:
            restored = _Restore(repository, sources, target, logged, serialized(progress)).run()
    finally:
        progress.finish()
    plant_canaries(target.store)
    if read_identity(target.store) != identity:
        write_identity(target.store, identity)
    if target.name == PRIMARY_LABEL:
        if repository.stores.identity(PRIMARY) != identity:
            repository.stores.record(PRIMARY, identity)
        lost = [LostWork(each.work, each.logged, each.stored) for each in restored.missing if each.work and each.logged]
        repository.lost_works.replace(lost, timestamp(repository.clock()))
    return restored


class _Restore:
    def __init__(
        self,
        repository: Repository,
        sources: Sequence[NamedStore],
        target: NamedStore,
        logged: LoggedWorks,
        on_progress: OnProgress,
    ) -> None:
        self._repository = repository
        self._target = target
        self._stores = [target, *sources]
        self._logged = logged
        self._on_progress = on_progress
        self._restored = StoreRestored()
        self._deleted: dict[str, Tombstone] = {}

    def run(self) -> StoreRestored:
        """Restore the log, then the works, and name what is missing."""
        objects.prepare_storage_root(self._target.store)
        self._restore_log()
        self._logged.add(self._statements())
        self._keep_deleted()
        for done in self._restored_works():
            self._logged.record_stored(done.work, done.versions)
            self._restored.files += len(done.outcome.repaired)
            self._restored.works += done.versions > 0
            self._restored.missing += _missing_of(done)
        named = {each.key for each in self._restored.missing}
        for lacking in self._logged.lacking():
            key = paths.ocfl_object(lacking.work)
            if key not in named:
                self._restored.missing.append(MissingContent(key, lacking.work, lacking.logged, lacking.stored))
        return self._restored

    def _restore_log(self) -> None:
        repository = self._repository
        try:
            key = log_keys(repository)
        except DependencyMissing:
            key = None
        is_primary = self._target.name == PRIMARY_LABEL
        lock: AbstractContextManager[object] = exclusive_writer(repository) if is_primary else nullcontext()
        with lock:
            facts = log_repair_facts(repository, key)
            outcome = LogRepair(self._stores, facts, self._target.name).run()
        self._restored.files += len(outcome.repaired)
        self._restored.entries = stated_size(self._target.store)
        self._restored.missing += [MissingContent(lost.key) for lost in outcome.lost]
        self._restored.missing += [MissingContent(left.key, reason=left.reason) for left in outcome.left]
        known = max((head.size for head in LogRepair(self._stores, facts).heads), default=0)
        if known > self._restored.entries:
            lack = MissingContent(LOG_CHECKPOINT, logged=known, stored=self._restored.entries)
            self._restored.missing.append(lack)

    def _statements(self) -> Iterator[LoggedStatement]:
        """Yield what the restored log says; entries that are lost say nothing."""
        tree = StoredTree(self._target.store, self._restored.entries)
        for index in range(-(-self._restored.entries // TILE_WIDTH)):
            with suppress(LogInvalid):
                for entry in tree.bundle(index):
                    yield from self._statement(entry)

    def _statement(self, entry: bytes) -> Iterator[LoggedStatement]:
        """Yield what an entry of the log says of a work, if it does; note a deletion."""
        try:
            event = parse_event(entry)
        except EventInvalid:
            return
        if event.work is None:
            return
        if accepted := accepted_loss(event):
            yield LoggedStatement(event.work, version=accepted, accepted=accepted)
        if is_deletion(event):
            versions = int(event.detail.get("versions", "0"))
            self._deleted[event.work] = Tombstone(event.work, event.identifier, event.time, versions)
            yield LoggedStatement(event.work, ends=True)
        elif not event.is_kept_in_log:
            yield LoggedStatement(event.work, event.sha256 or "", version_of_event(event))

    def _keep_deleted(self) -> None:
        """Put the tombstones of all deleted works into the target, and name the stores that still have such a work."""
        for named in self._stores:
            self._deleted = {each.work: each for each in tombstones(named.store)} | self._deleted
        for work, tombstone in sorted(self._deleted.items()):
            if read_tombstone(self._target.store, work) is None:
                put_tombstone(self._target.store, tombstone)
            held = [named.name for named in self._stores if _holds(named.store, work)]
            if held:
                self._restored.deleted.append(DeletedWork(work, tombstone.deleted, held))

    def _restored_works(self) -> Iterator[_RestoredWork]:
        """Restore works concurrently; yield them in order, a bounded number being under way."""
        works = (work for work in _works(named.store for named in self._stores) if work not in self._deleted)
        threads = ThreadPoolExecutor(_CONCURRENT_WORKS)

        def start(work: str) -> Future[_RestoredWork]:
            return threads.submit(self._restore_work, work, self._logged.digests_of(work))

        try:
            pending = [start(work) for work in islice(works, _MOST_PENDING)]
            while pending:
                yield pending.pop(0).result()
                pending += [start(work) for work in islice(works, 1)]
        finally:
            threads.shutdown(wait=True, cancel_futures=True)

    def _restore_work(self, work: str, digests: frozenset[str]) -> _RestoredWork:
        whole = FixityFinding(paths.ocfl_object(work), FindingKind.MISSING, work)
        target = RepairStore(self._target.name, self._target.store, _ALL_VERSIONS, [whole])
        places = [target, *(RepairStore(named.name, named.store) for named in self._stores[1:])]
        pending = self._stated(work) - digests
        facts = RepairFacts(LoggedContent(digests, pending), None, {}, accepts_older=True)
        repair = ObjectRepair(work, places, facts, self._on_progress)
        outcome = repair.run()
        if repair.target_fault:
            raise repair.target_fault
        return _RestoredWork(work, self._versions(work), outcome)

    def _stated(self, work: str) -> frozenset[str]:
        """Return the digests that the events in the object state, in any store: the log may not have them yet."""
        found: set[str] = set()
        for named in self._stores:
            with suppress(IntegrityError, KeyNotFound):
                found |= {event.sha256 for event in read_events(named.store, work) if event.sha256}
        return frozenset(found)

    def _versions(self, work: str) -> int:
        try:
            inventory = objects.read_inventory(self._target.store, work)
        except IntegrityError:
            return 0
        return len(inventory.versions) if inventory else 0


def _identity(repository: Repository, sources: Sequence[NamedStore], target: NamedStore) -> str:
    """Return the identity that all sources have. Raises `StoreNotRecognised`."""
    expected = repository.stores.identity(PRIMARY)
    for source in sources:
        found = read_identity(source.store)
        if not found:
            raise StoreNotRecognised(store=source.name, reason=_UNLABELLED)
        if expected not in {None, found}:
            raise StoreNotRecognised(store=source.name, reason=_OTHER_LIBRARY)
        expected = found
    if expected is None or read_identity(target.store) not in {None, expected}:
        raise StoreNotRecognised(store=target.name, reason=_OTHER_LIBRARY)
    return expected


def _works(stores: Iterable[ObjectStore]) -> Iterator[str]:
    """Yield every work that any of the stores has an object of, once, in the order of their keys."""
    last = ""
    for work in merge(*(objects.works(store) for store in stores), key=_order):
        if work != last:
            yield work
        last = work


def _order(work: str) -> bytes:
    return paths.ocfl_object(work).encode()


def _holds(store: ObjectStore, work: str) -> bool:
    return next(iter(store.list(paths.ocfl_object(work))), None) is not None


def _missing_of(done: _RestoredWork) -> Iterator[MissingContent]:
    for lost in done.outcome.lost:
        yield MissingContent(lost.key, done.work, stored=done.versions, remains=lost.remains)
    if not done.outcome.lost:
        for left in done.outcome.left:
            yield MissingContent(left.key, done.work, stored=done.versions, reason=left.reason)
