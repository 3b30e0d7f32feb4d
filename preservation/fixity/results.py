"""The results of a unit's check as the database records them, and the Merkle root over them. (pure)

A leaf is the line ``{key} {result} {bytes}`` of a file, hashed as RFC 6962 section 2.1 hashes leaves; leaves are in the
byte order of the keys. The leaves of a sweep are the roots of its units, in the order in which the units were recorded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from preservation.fixity.findings import FileCheck, FixityFinding, recordable
from preservation.log.merkle import CompactRange, leaf_hash, tree_hash
from repository.database.fixity_values import CheckedFile, FileClass, FileResult, FoundFault, UnitKind
from repository.localized import LocalizedText
from repository.paths import ocfl_object

_MASTERS = "/content/masters/"


def class_of(kind: UnitKind, path: str) -> FileClass:
    """Return the class of a file of a unit."""
    if kind is UnitKind.WORK:
        return FileClass.MASTERS if _MASTERS in path else FileClass.METADATA
    classes = {
        UnitKind.LOG: FileClass.LOG,
        UnitKind.PYRAMIDS: FileClass.PYRAMIDS,
        UnitKind.PUBLISHED: FileClass.PUBLISHED,
    }
    return classes.get(kind, FileClass.METADATA)


def root_of_unit(kind: UnitKind, name: str) -> str:
    """Return what the keys of a unit's files begin with, a final slash included; '' if its paths are whole keys."""
    return f"{ocfl_object(name)}/" if kind is UnitKind.WORK else ""


def checked_files(kind: UnitKind, name: str, checks: Iterable[FileCheck]) -> list[CheckedFile]:
    """Return the checks of a unit's files as they are recorded."""
    root = root_of_unit(kind, name)
    return [_checked_file(kind, check.key.removeprefix(root), check) for check in checks]


def found_faults(checks: Iterable[FileCheck]) -> list[FoundFault]:
    """Return the findings of checks, each once, as they are recorded."""
    return [_fault(finding) for finding in dict.fromkeys(check.finding for check in checks if check.finding)]


def root_of_results(checks: Sequence[FileCheck]) -> str:
    """Return the Merkle root over the results of a unit's files, in hexadecimal."""
    lines = sorted(f"{recordable(check.key)} {_result(check).name.lower()} {check.bytes}".encode() for check in checks)
    return tree_hash([leaf_hash(line) for line in lines]).hex()


class SweepRoot:
    """The Merkle root over the results of a sweep, in memory that does not grow with them."""

    def __init__(self) -> None:
        self._range = CompactRange()

    def add(self, root: str) -> None:
        """Add the root of the next unit."""
        self._range.append(leaf_hash(bytes.fromhex(root)))

    def hexdigest(self) -> str:
        """Return the root so far, in hexadecimal."""
        return self._range.root().hex()


def reason_text(reason: str | None) -> LocalizedText | None:
    """Return why a file was not checked, as recorded by `checked_files`; None without a reason."""
    return LocalizedText.of_json(json.loads(reason)) if reason else None


def _checked_file(kind: UnitKind, path: str, check: FileCheck) -> CheckedFile:
    reason = json.dumps(check.reason.to_json(), ensure_ascii=False) if check.reason else None
    return CheckedFile(recordable(path), class_of(kind, path), check.bytes, _result(check), reason)


def _result(check: FileCheck) -> FileResult:
    if check.reason is not None:
        return FileResult.NOT_CHECKED
    return FileResult.FAILED if check.finding else FileResult.PASSED


def _fault(finding: FixityFinding) -> FoundFault:
    return FoundFault(
        recordable(finding.key), finding.kind.value, finding.work, finding.expected, finding.found, str(finding.detail)
    )
