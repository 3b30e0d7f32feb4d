"""The units of files that fixity checks know: recording new ones, and checking one.

A new version of a work, a new replica and new works are recorded with the files that the store lists, as never checked
and due. A check of a store finds objects that nothing recorded, and records them too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Final

from preservation.digests import sha256
from preservation.fixity.files import ExpectedFile, check_file
from preservation.fixity.findings import recordable
from preservation.fixity.object_check import CheckedObject
from preservation.fixity.results import checked_files, class_of, found_faults, root_of_results, root_of_unit
from preservation.fixity.store_check import StoreCheck
from preservation.ocfl.layout import STORAGE_ROOT_FILES
from preservation.progress import OnProgress
from preservation.store_identity import identity_bytes
from repository import paths
from repository.database.fixity_values import (
    CheckedFile,
    FileResult,
    FixityUnit,
    ListedFile,
    UnitCheck,
    UnitKind,
    day_of,
)
from repository.database.store_registry import PRIMARY
from repository.localized import LocalizedText
from repository.repository import Repository
from workers.tasks.fixity_derived import check_published, check_pyramids, listed_derived
from workers.tasks.fixity_settings import due_after, object_store, stores_of

_PAGE: Final = 500


def stores_with_due_files(repository: Repository) -> list[str]:
    """Return the stores of which files are due for a check, or not recorded yet. Raises `DatabaseFault`."""
    today, records = day_of(repository.clock()), repository.fixity
    return [
        store
        for store in stores_of(repository)
        if records.unit(store, UnitKind.STORE) is None
        or records.due_units(store, today, 1)
        or records.unrecorded_works(store, UnitKind.WORK, 1)
    ]


def record_new_units(repository: Repository, store: str) -> int:
    """Record what a store holds and nothing has recorded yet, and works with a new version. Return how many units.

    Raises `StoreFault`, `DatabaseFault`.
    """
    today, added = day_of(repository.clock()), 0
    kinds = [UnitKind.STORE, UnitKind.LOG, *([UnitKind.PUBLISHED] if store == PRIMARY else [])]
    for kind in kinds:
        if repository.fixity.unit(store, kind) is None:
            files = _listed(repository, store, kind, "")
            repository.fixity.record_listed(store, kind, "", files, version=0, due=today)
            added += 1
    for kind in (UnitKind.WORK, *((UnitKind.PYRAMIDS, UnitKind.PUBLISHED) if store == PRIMARY else ())):
        while works := repository.fixity.unrecorded_works(store, kind, _PAGE):
            for work, version in works:
                files = _listed(repository, store, kind, work)
                repository.fixity.record_listed(store, kind, work, files, version=version, due=today)
            added += len(works)
    return added


def _listed(repository: Repository, store: str, kind: UnitKind, work: str) -> list[ListedFile]:
    if kind in {UnitKind.PYRAMIDS, UnitKind.PUBLISHED}:
        return listed_derived(repository, kind, work)
    files, root = object_store(repository, store), root_of_unit(kind, work)
    if kind is UnitKind.STORE:
        sizes = {key: len(content) for key, content in STORAGE_ROOT_FILES.items()}
    elif kind is UnitKind.LOG:
        sizes = {paths.log_tile_place(stored.key): stored.size for stored in files.list(paths.LOG)}
    else:
        sizes = {stored.key.removeprefix(root): stored.size for stored in files.list(root[:-1])}
    return [ListedFile(recordable(path), class_of(kind, path), size) for path, size in sizes.items()]


class UnitChecker:
    """Checks units of one store, the files of each in the threads of `executor`."""

    def __init__(self, repository: Repository, store: str, executor: Executor, on_progress: OnProgress) -> None:
        self._repository = repository
        self._store = store
        self._check = StoreCheck(repository, store)
        self._executor = executor
        self._on_progress = on_progress

    def check(self, unit: FixityUnit, sweep: int) -> UnitCheck | None:
        """Check a unit; return what is to be recorded, None if the store has nothing of it and need not.

        What is found of a work whose deletion is decided is not recorded: its files go while they are checked. The time
        of the check is that of its beginning: what is said of a file was true of it then or later.

        Raises `StoreFault` when the store is unreachable.
        """
        if unit.kind is UnitKind.WORK and self._check.holds_nothing_of(unit.name):
            return None
        began, version = self._repository.clock(), self._version(unit)
        checked = self._checked(unit)
        if any(check.finding for check in checked.checks) and self._is_being_deleted(unit):
            return None
        return UnitCheck(
            unit=unit.id,
            sweep=sweep,
            version=version,
            at=began,
            due=due_after(self._repository.settings, unit, began),
            expected=checked.expected,
            files=checked_files(unit.kind, unit.name, checked.checks),
            findings=found_faults(checked.checks),
            bytes_read=sum(check.bytes for check in checked.checks),
            root=root_of_results(checked.checks),
        )

    def unchecked(self, unit: FixityUnit, sweep: int, reason: LocalizedText) -> UnitCheck:
        """Return the check of a unit of which no file could be checked for a stated reason; it is due tomorrow."""
        text = json.dumps(reason.to_json(), ensure_ascii=False)
        files = [
            CheckedFile(file.path, file.category, file.bytes, FileResult.NOT_CHECKED, text)
            for file in self._recorded(unit)
        ]
        now = self._repository.clock()
        return UnitCheck(
            unit.id, sweep, unit.version, now, day_of(now) + 1, len(files), files, root=root_of_results(())
        )

    def _is_being_deleted(self, unit: FixityUnit) -> bool:
        return bool(unit.name) and self._repository.deletions.is_decided(unit.name)

    def _recorded(self, unit: FixityUnit) -> list[CheckedFile]:
        files: list[CheckedFile] = []
        while page := self._repository.fixity.files_of(unit.id, files[-1].path if files else "", _PAGE):
            files += [file for file, _ in page]
        return files

    def _version(self, unit: FixityUnit) -> int:
        """Return the version that the store is recorded to hold now: one that follows is checked by another sweep."""
        if not unit.name:
            return 0
        if self._store == PRIMARY:
            return self._repository.catalogue.version(unit.name)
        copies = self._repository.replica_status.replicas_of(unit.name)
        return next((copy.version for copy in copies if copy.store == self._store), 0)

    def _checked(self, unit: FixityUnit) -> CheckedObject:
        if unit.kind is UnitKind.WORK:
            return self._check.check_object(unit.name, self._executor, self._on_progress)
        if unit.kind is UnitKind.LOG:
            return self._check.check_log(self._on_progress)
        if unit.kind is UnitKind.PYRAMIDS:
            return check_pyramids(self._repository, unit.name, self._executor, self._on_progress)
        if unit.kind is UnitKind.PUBLISHED:
            return check_published(self._repository, unit.name, self._on_progress)
        return self._outside_objects()

    def _outside_objects(self) -> CheckedObject:
        """Check what belongs to no object, and record the objects of works that nothing has recorded."""
        works: list[str] = []

        def on_work(work: str) -> None:
            works.append(work)
            if len(works) >= _PAGE:
                self._record_unknown(works)

        checked = self._check.check_outside_objects(on_work, self._on_progress)
        self._record_unknown(works)
        identity = self._identity()
        return CheckedObject(checked.expected + identity.expected, [*checked.checks, *identity.checks])

    def _record_unknown(self, works: list[str]) -> None:
        records, today = self._repository.fixity, day_of(self._repository.clock())
        for work in sorted(set(works) - records.recorded_names(self._store, UnitKind.WORK, works)):
            files = _listed(self._repository, self._store, UnitKind.WORK, work)
            records.record_listed(self._store, UnitKind.WORK, work, files, version=0, due=today)
        works.clear()

    def _identity(self) -> CheckedObject:
        """Check the file that says whose store this is, once the database knows."""
        identity = self._repository.stores.identity(PRIMARY)
        if identity is None or self._repository.stores.identity(self._store) is None:
            return CheckedObject(0, ())
        expected = ExpectedFile(paths.STORE_IDENTITY, sha256([identity_bytes(identity)]))
        return CheckedObject(1, [check_file(object_store(self._repository, self._store), expected, self._on_progress)])


def units_in_parts(units: Sequence[FixityUnit], most: int, most_bytes: int) -> list[list[int]]:
    """Divide units into parts of at most `most` units, and of about `most_bytes` bytes unless one unit has more."""
    parts: list[list[int]] = []
    size = 0
    for unit in units:
        if not parts or len(parts[-1]) >= most or size + unit.bytes > most_bytes:
            parts.append([])
            size = 0
        parts[-1].append(unit.id)
        size += unit.bytes
    return parts
