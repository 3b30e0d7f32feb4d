"""Check one store: its OCFL storage root, every object, and the log; all of it, or each part by itself.

The storage root is listed once. Works that the store is recorded to hold and of which nothing is left are found by the
catalogue. Only files below ``ocfl/`` and ``log/`` are checked here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from itertools import groupby
from typing import Final

from preservation.digests import sha256
from preservation.fixity.attested_check import read_attestations
from preservation.fixity.files import ExpectedFile, check_file
from preservation.fixity.findings import FileCheck, FindingKind, FixityFinding, FixityTotals
from preservation.fixity.log_check import LogCheck
from preservation.fixity.logged_content import LogWitness
from preservation.fixity.object_check import CheckedObject, WorkFacts, WorkObject, check_object
from preservation.fixity.object_files import read_object_files
from preservation.log.log import ProvenanceLog
from preservation.log.log_keys import LogKeys
from preservation.log.sequencer import log_keys, open_log, remembered_heads
from preservation.ocfl.inventory import INVENTORY_NAME, Inventory
from preservation.ocfl.layout import STORAGE_ROOT_FILES, folder_identifier
from preservation.ocfl.store_validation import ObjectFolders
from preservation.progress import OnProgress, ignore_progress
from repository import paths
from repository.database.store_registry import PRIMARY
from repository.errors import DependencyMissing, StoreFault
from repository.identifiers import Kind, is_valid
from repository.paths import OCFL_ROOT
from repository.repository import Repository
from repository.storage.content import StoredObject

THREADS: Final = 4
"""Threads that read the files of an object; hashing does not hold the interpreter's lock."""

_PAGE: Final = 1000


class StoreCheck:
    """The check of one store of a repository: the primary for '', else the replica of that name.

    `totals` grow while `run` is iterated.
    """

    def __init__(self, repository: Repository, name: str) -> None:
        self._repository = repository
        self._name = name
        self._store = repository.replicas[name] if name else repository.store
        self._stores = [repository.store, *repository.replicas.values()]
        log = _log_of(repository)
        self._witness = LogWitness(log, repository.log_sequence)
        self.totals = FixityTotals()

    def run(self, on_progress: OnProgress = ignore_progress) -> Iterator[FileCheck]:
        """Yield one check for every file that the store holds or must hold.

        Raises `FixityIncomplete` at the end if the numbers do not add up or nothing was expected, and `StoreFault` when
        the store is unreachable.
        """
        with ThreadPoolExecutor(THREADS) as threads:
            for checked in self._parts(threads, on_progress):
                self.totals.expected += checked.expected
                yield from self._counted(checked.checks)
        yield from self._run_log(on_progress)
        self.totals.require_complete()

    def check_work(self, work: str, on_progress: OnProgress = ignore_progress) -> Iterator[FileCheck]:
        """Yield one check for every file of one work's object. Raises as `run`."""
        with ThreadPoolExecutor(THREADS) as threads:
            checked = self.check_object(work, threads, on_progress)
        self.totals.expected += checked.expected
        yield from self._counted(checked.checks)
        self.totals.require_complete()

    def check_object(self, work: str, executor: Executor, on_progress: OnProgress = ignore_progress) -> CheckedObject:
        """Return the check of one work's object. Raises `StoreFault` when the store is unreachable."""
        return check_object(self._object(work), executor, on_progress)

    def holds_nothing_of(self, work: str) -> bool:
        """Return whether the store has no file of a work's object, and is not recorded to hold one."""
        return not self._held(work) and next(iter(self._store.list(paths.ocfl_object(work))), None) is None

    def check_outside_objects(
        self, on_work: Callable[[str], None], on_progress: OnProgress = ignore_progress
    ) -> CheckedObject:
        """Return the check of the storage root, with a finding for every file below it that belongs to no object.

        The whole storage root is listed. `on_work` is called with each work of which it holds files.
        """
        root = self._storage_root(on_progress)
        checks, expected = list(root.checks), root.expected
        for work, strays in self._folders():
            if work is not None:
                on_work(work)
            checks += strays.checks
            expected += strays.expected
        return CheckedObject(expected, checks)

    def check_log(self, on_progress: OnProgress = ignore_progress) -> CheckedObject:
        """Return the check of the log; nothing for a library without a log. Raises as `check_object`."""
        check = self._log_check()
        return CheckedObject(check.expected, list(check.run(on_progress))) if check else CheckedObject(0, ())

    def unexpected_in_log(self) -> list[FileCheck]:
        """Return a check with a finding for each file below ``log/`` that is nothing of the log, without reading it."""
        check = self._log_check()
        return check.unexpected() if check else []

    def _log_check(self) -> LogCheck | None:
        if (key := _key_of(self._repository)) is None:
            return None
        repository = self._repository
        remembered, attestations = remembered_heads(repository), read_attestations(repository.settings, key)
        return LogCheck(self._store, key, remembered, attestations, holds_newest=self._name == PRIMARY)

    def _counted(self, checks: Sequence[FileCheck]) -> Iterator[FileCheck]:
        for check in checks:
            self.totals.count(check)
            yield check

    def _parts(self, threads: ThreadPoolExecutor, on_progress: OnProgress) -> Iterator[CheckedObject]:
        yield self._storage_root(on_progress)
        for work, strays in self._folders():
            yield strays if work is None else check_object(self._object(work), threads, on_progress)
        for work in self._lost_works():
            yield check_object(self._object(work), threads, on_progress)

    def _folders(self) -> Iterator[tuple[str | None, CheckedObject]]:
        """Yield the work of each folder of an object, and None with findings for files that belong to no work."""
        for folder, listed in groupby(self._store.list(OCFL_ROOT), ObjectFolders()):
            work = _work_of(folder) if folder is not None else None
            strays = [stored for stored in listed if work is None and stored.key not in STORAGE_ROOT_FILES]
            yield work, _unexpected(strays)

    def _storage_root(self, on_progress: OnProgress) -> CheckedObject:
        expected = [ExpectedFile(key, sha256([content])) for key, content in STORAGE_ROOT_FILES.items()]
        return CheckedObject(len(expected), [check_file(self._store, file, on_progress) for file in expected])

    def _lost_works(self) -> Iterator[str]:
        """Yield the works that the store is recorded to hold and of which it holds nothing."""
        last = ""
        while works := self._repository.catalogue.identifiers_after(last, _PAGE):
            for work in works:
                root = paths.ocfl_object(work)
                is_complete = self._store.exists(f"{root}/{INVENTORY_NAME}")
                if not is_complete and self._held(work) and next(iter(self._store.list(root)), None) is None:
                    yield work
            last = works[-1]

    def _run_log(self, on_progress: OnProgress) -> Iterator[FileCheck]:
        checked = self.check_log(on_progress)
        self.totals.expected += checked.expected
        yield from self._counted(checked.checks)

    def held_version(self, work: str) -> int:
        """Return the newest version of a work that the store is recorded to hold; 0 for none."""
        return self._held(work)

    def _object(self, work: str) -> WorkObject:
        return WorkObject(self._store, work, partial(self._facts, work), partial(self._reference, work))

    def _facts(self, work: str) -> WorkFacts:
        repository = self._repository
        return WorkFacts(
            self._witness.content_of(work),
            self._held(work),
            repository.catalogue.version(work),
            repository.jobs.is_claimed(work),
        )

    def _held(self, work: str) -> int:
        """Return the newest version of a work that the store is recorded to hold."""
        if self._name == PRIMARY:
            return self._repository.catalogue.version(work)
        copies = self._repository.replica_status.replicas_of(work)
        return next((copy.version for copy in copies if copy.store == self._name), 0)

    def _reference(self, work: str) -> Inventory | None:
        """Return a usable inventory of a work from the other stores."""
        root, logged = paths.ocfl_object(work), self._witness.content_of(work)
        for store in self._stores:
            if store is self._store:
                continue
            try:
                listed = {stored.key.removeprefix(f"{root}/") for stored in store.list(root)}
                files = read_object_files(store, work, listed, logged)
            except StoreFault:  # this store is away; another may have the work
                continue
            if files.inventory:
                return files.inventory
        return None


def _unexpected(listed: Iterable[StoredObject]) -> CheckedObject:
    """Return a finding for each file that belongs to no object and is no file of the storage root."""
    checks = [FileCheck(stored.key, finding=FixityFinding(stored.key, FindingKind.UNEXPECTED)) for stored in listed]
    return CheckedObject(len(checks), checks)


def _work_of(folder: str) -> str | None:
    """Return the work whose object a folder of the storage root holds; None for any other folder."""
    identifier = folder_identifier(folder)
    work = paths.work_of_ocfl_id(identifier) if identifier else None
    return work if work and is_valid(work, Kind.WORK) else None


def _log_of(repository: Repository) -> ProvenanceLog | None:
    try:
        return open_log(repository)
    except DependencyMissing:  # there is no log yet
        return None


def _key_of(repository: Repository) -> LogKeys | None:
    try:
        return log_keys(repository)
    except DependencyMissing:  # there is no log yet
        return None
