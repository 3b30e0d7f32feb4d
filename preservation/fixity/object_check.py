"""Check the OCFL object of one work in one store against its inventories, the log, and the rules of OCFL.

Each file is read once. One cause is one finding: violated rules of OCFL are reported only where no other finding
explains them. If anything is found and the object, or what is known of it, has changed meanwhile, it is checked again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from preservation.fixity.files import ExpectedFile, check_file
from preservation.fixity.findings import FileCheck, FindingKind, FixityFinding
from preservation.fixity.logged_content import LoggedContent
from preservation.fixity.object_files import ObjectFiles, expected_of, read_object_files, unexpected_paths
from preservation.ocfl.inventory import INVENTORY_NAME, SIDECAR_NAME, Inventory
from preservation.ocfl.layout import OBJECT_DECLARATION
from preservation.ocfl.validation import validate_object
from preservation.progress import OnProgress, ignore_progress
from repository import paths
from repository.localized import LocalizedText
from repository.storage.content import StoredObject
from repository.storage.store import ObjectStore

_ATTEMPTS: Final = 5
_BEING_WRITTEN: Final = LocalizedText("所属版本正在写入或复制", "its version is being written or copied")
_NO_INVENTORY: Final = LocalizedText("对象没有可用的 OCFL 清单", "the object has no usable inventory")


@dataclass(frozen=True, slots=True)
class WorkFacts:
    """What is known of a work outside the store that is checked.

    `held` is the newest version that the store is recorded to hold and `newest` that of the work; 0 for a work that
    nothing records. `is_claimed` is true while an ingest of the work is under way.
    """

    logged: LoggedContent
    held: int = 0
    newest: int = 0
    is_claimed: bool = False


@dataclass(frozen=True, slots=True)
class WorkObject:
    """The object of a work in a store. `reference` returns the inventory that another store holds, None without one."""

    store: ObjectStore
    identifier: str
    facts: Callable[[], WorkFacts]
    reference: Callable[[], Inventory | None]

    @property
    def root(self) -> str:
        """The key of the object's folder."""
        return paths.ocfl_object(self.identifier)

    def key(self, path: str) -> str:
        """Return the key of a path in the object; of its folder for ''."""
        return f"{self.root}/{path}".rstrip("/")

    def finding(self, path: str, kind: FindingKind, detail: str = "") -> FixityFinding:
        """Return a finding about a path in the object, or about all of it for ''."""
        return FixityFinding(self.key(path), kind, self.identifier, detail=detail)


@dataclass(frozen=True, slots=True)
class CheckedObject:
    """The checks of an object: one for each of `expected` files."""

    expected: int
    checks: Sequence[FileCheck]


def check_object(work: WorkObject, executor: Executor, on_progress: OnProgress = ignore_progress) -> CheckedObject:
    """Check an object, its files in the threads of `executor`. Raises `StoreFault` when the store is unreachable."""
    listed, facts = _state(work)
    checked = _check(work, listed, facts, executor, on_progress)
    for _ in range(_ATTEMPTS):
        if all(check.finding is None for check in checked.checks):
            break
        before, (listed, facts) = (listed, facts), _state(work)
        if (listed, facts) == before:
            break
        checked = _check(work, listed, facts, executor, on_progress)
    return checked


def _state(work: WorkObject) -> tuple[list[StoredObject], WorkFacts]:
    return list(work.store.list(work.root)), work.facts()


def _check(
    work: WorkObject, listed: Sequence[StoredObject], facts: WorkFacts, executor: Executor, on_progress: OnProgress
) -> CheckedObject:
    present = {stored.key.removeprefix(f"{work.root}/") for stored in listed}
    if not present:
        return _lost(work)
    copied = facts.held if facts.held < facts.newest else None
    files = read_object_files(work.store, work.identifier, present, facts.logged, copied=copied)
    if copied == 0 or (not facts.newest and (facts.is_claimed or files.is_changing)):
        return CheckedObject(len(present), [FileCheck(work.key(path), reason=_BEING_WRITTEN) for path in present])
    if not facts.newest and facts.logged.is_unknown:
        finding = work.finding("", FindingKind.UNEXPECTED)
        return CheckedObject(len(present), [FileCheck(work.key(path), finding=finding) for path in present])
    if files.inventory is None and (other := work.reference()) is not None:
        files = replace(files, inventory=other, digests=expected_of(other))
    if files.inventory is None:
        return _without_inventory(work, present)
    return _ObjectCheck(work, files, files.inventory, present).run(facts, executor, on_progress)


def _lost(work: WorkObject) -> CheckedObject:
    """Return one finding, about the folder, for all files of an object of which nothing is left."""
    other = work.reference()
    lost = expected_of(other) if other else [INVENTORY_NAME]
    finding = work.finding("", FindingKind.MISSING)
    return CheckedObject(len(lost), [FileCheck(work.key(path), finding=finding) for path in lost])


def _without_inventory(work: WorkObject, present: Collection[str]) -> CheckedObject:
    """Return one finding for an object of which no inventory is usable; its other files cannot be checked."""
    kind = FindingKind.INVALID if INVENTORY_NAME in present else FindingKind.MISSING
    checks = {path: FileCheck(work.key(path), reason=_NO_INVENTORY) for path in present}
    checks[INVENTORY_NAME] = FileCheck(work.key(INVENTORY_NAME), finding=work.finding(INVENTORY_NAME, kind))
    return CheckedObject(len(checks), list(checks.values()))


class _ObjectCheck:
    """Checks an object whose files are known, and collects one check for each of them, by path."""

    def __init__(self, work: WorkObject, files: ObjectFiles, inventory: Inventory, present: Collection[str]) -> None:
        self._work = work
        self._files = files
        self._inventory = inventory
        self._present = present
        self._expected = len(files.digests.keys() | set(present))
        self._checks: dict[str, FileCheck] = {}

    def run(self, facts: WorkFacts, executor: Executor, on_progress: OnProgress) -> CheckedObject:
        """Check everything."""
        work, digests = self._work, self._files.digests
        expected = [ExpectedFile(work.key(path), digest, work.identifier) for path, digest in digests.items()]
        results = executor.map(partial(check_file, work.store, on_progress=on_progress), expected)
        self._checks = dict(zip(digests, results, strict=True))
        for path in set(self._present) - digests.keys():
            self._checks[path] = FileCheck(work.key(path), reason=_BEING_WRITTEN)
        for path in unexpected_paths(self._files, self._present):
            self._report(path, work.finding(path, FindingKind.UNEXPECTED))
        self._compare_with_log(facts)
        self._check_rules()
        sidecar = self._checks[SIDECAR_NAME]
        if self._files.is_changing and sidecar.finding and sidecar.finding.kind is FindingKind.CHANGED:
            self._checks[SIDECAR_NAME] = FileCheck(sidecar.key, sidecar.bytes, reason=_BEING_WRITTEN)
        return CheckedObject(self._expected, list(self._checks.values()))

    def _report(self, path: str, finding: FixityFinding) -> None:
        """Set the finding of a file. One about a folder is set at the root inventory, unless that has one already."""
        if path not in self._checks:
            path = INVENTORY_NAME
            if self._checks[path].finding:
                return
        self._checks[path] = replace(self._checks[path], finding=finding, reason=None)

    def _compare_with_log(self, facts: WorkFacts) -> None:
        """Report where inventory and log disagree, instead of any other finding about the same file."""
        work, versions = self._work, len(self._inventory.versions)
        if versions < facts.held:
            lost = f"v{versions + 1}"
            self._report(lost, work.finding(lost, FindingKind.MISSING))
        if facts.is_claimed and versions > facts.newest:
            return  # the events of this version are not recorded yet
        found = facts.logged.contradictions(self._inventory)
        for path, digest in found.unlogged.items():
            finding = work.finding(path, FindingKind.WITNESSES_DISAGREE)
            self._report(path, replace(finding, expected=found.expected, found=digest))
        if found.unlisted and not found.unlogged and versions >= facts.newest:
            finding = work.finding(INVENTORY_NAME, FindingKind.WITNESSES_DISAGREE)
            self._report(INVENTORY_NAME, replace(finding, expected=found.expected))

    def _check_rules(self) -> None:
        """Report violated rules of OCFL, unless a damaged inventory, sidecar or declaration explains them."""
        found = {path: check.finding for path, check in self._checks.items() if check.finding}
        if any(path.rpartition("/")[2] in {INVENTORY_NAME, SIDECAR_NAME, OBJECT_DECLARATION} for path in found):
            return
        for path, code in self._violations(found):
            if not any(other == path or other.startswith(f"{path}/") for other in found):
                self._report(path or INVENTORY_NAME, self._work.finding(path, FindingKind.INVALID, code))

    def _violations(self, found: Mapping[str, FixityFinding]) -> list[tuple[str, str]]:
        """Return the paths and codes of violated rules; the digests of content are known and not computed again."""
        listed = [path for path in self._present if not path.startswith(self._files.unfinished)]
        known = {path: digest for path, digest in self._files.digests.items() if path not in found}
        known |= {path: finding.found or "" for path, finding in found.items()}
        result = validate_object(self._work.store, self._work.root, listed, known_sha256=known)
        faults = [(fault.where, fault.code) for fault in result.errors]
        # The folder of the newest version has the same inventory: what is wrong with both is one fault.
        same = f"{self._inventory.head}/{INVENTORY_NAME}"
        return [(path, code) for path, code in faults if path != same or (INVENTORY_NAME, code) not in faults]
