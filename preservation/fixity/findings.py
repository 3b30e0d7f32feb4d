"""What a fixity check finds, and the totals of a run. (pure)

Every expected file is checked, or is not checked for a stated reason. A run whose numbers do not add up, or that
expected nothing, is no success: `FixityTotals.require_complete` raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from repository.errors import SystemFault
from repository.localized import LocalizedText, counted


class FindingKind(StrEnum):
    """What is wrong with a stored file."""

    CHANGED = "changed"
    MISSING = "missing"
    UNEXPECTED = "unexpected"
    INVALID = "invalid"
    WITNESSES_DISAGREE = "witnesses-disagree"
    UNREADABLE = "unreadable"


def recordable(key: str) -> str:
    """Return a key as it is recorded: bytes of a file's name that are not UTF-8 as escape sequences."""
    return key.encode("utf-8", "backslashreplace").decode()


class FixityIncomplete(SystemFault):
    """A run that did not account for every file that it expected, or that expected none."""

    code = "fixity.incomplete"
    text = LocalizedText("完整性校验未完成：{reason}", "The fixity check is incomplete: {reason}")


@dataclass(frozen=True, slots=True)
class FixityFinding:
    """A fault of a store. `key` is relative to the store: a file, or the folder of a whole object.

    `expected` and `found` are SHA-256 digests in hexadecimal; None where there is none, or none is known. `detail` says
    which rule was violated or why a file cannot be read.
    """

    key: str
    kind: FindingKind
    work: str | None = None
    expected: str | None = None
    found: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FileCheck:
    """The check of one expected file: passed, failed if `finding` is set, not checked if `reason` is set.

    `bytes` is the number of bytes that were read; it is 0 for a file that was not read.
    """

    key: str
    bytes: int = 0
    finding: FixityFinding | None = None
    reason: LocalizedText | None = None


@dataclass(slots=True)
class FixityTotals:
    """The totals of a run. `expected` is counted before the files are checked, all others afterwards."""

    expected: int = 0
    passed: int = 0
    failed: int = 0
    not_checked: int = 0
    bytes: int = 0

    @property
    def checked(self) -> int:
        """The number of files that passed or failed."""
        return self.passed + self.failed

    def count(self, check: FileCheck) -> None:
        """Count the check of a file."""
        self.bytes += check.bytes
        if check.reason is not None:
            self.not_checked += 1
        elif check.finding is not None:
            self.failed += 1
        else:
            self.passed += 1

    def require_complete(self) -> None:
        """Raise `FixityIncomplete` unless every expected file is accounted for, and at least one was expected."""
        if self.expected == 0:
            reason = LocalizedText("没有任何应查的文件", "no file was expected, so nothing was checked")
        elif self.expected != self.checked + self.not_checked:
            reason = LocalizedText(
                f"应查 {self.expected} 个文件，实际已查 {self.checked} 个、未查 {self.not_checked} 个",
                f"{counted(self.expected, 'file was', 'files were')} expected, {self.checked} checked and"
                f" {self.not_checked} not checked",
            )
        else:
            return
        raise FixityIncomplete(reason=reason)
