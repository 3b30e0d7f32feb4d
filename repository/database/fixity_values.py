"""What the database records of fixity checks: files by class, units of files, findings, sweeps. (pure)

Files are checked in units. The object of a work in one store is a unit, because the rules of OCFL concern the whole
object; so are the pyramids of a work, its published documents, the log of a store, and what else a store holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Final

from repository.clock import timestamp

_DAY_SECONDS: Final = 86_400


class FileClass(IntEnum):
    """The classes of stored files. `METADATA` are records, events, inventories and what declares a store."""

    MASTERS = 1
    METADATA = 2
    LOG = 3
    PYRAMIDS = 4
    PUBLISHED = 5


class FileResult(IntEnum):
    """The result of the last check of a file; `RECORDED` for a file that is known and was never checked."""

    RECORDED = 0
    PASSED = 1
    FAILED = 2
    NOT_CHECKED = 3


class UnitKind(StrEnum):
    """The kinds of unit. `STORE` is everything of a store that belongs to no other unit."""

    WORK = "work"
    PYRAMIDS = "pyramids"
    PUBLISHED = "published"
    LOG = "log"
    STORE = "store"


class FindingState(StrEnum):
    """What became of a finding.

    A check that no longer finds the fault makes it `CLOSED`; `REPAIRED` and `RESOLVED` (by a decision) say why. `LOST`
    is open: no copy is good.
    """

    OPEN = "open"
    LOST = "lost"
    CLOSED = "closed"
    REPAIRED = "repaired"
    RESOLVED = "resolved"


OPEN_STATES: Final = (FindingState.OPEN, FindingState.LOST)
"""The states of a finding whose fault is still there."""


class SweepState(StrEnum):
    """The state of a sweep: under way, or how it ended. `INCOMPLETE` did not account for every file."""

    RUNNING = "running"
    CLEAN = "clean"
    FINDINGS = "findings"
    INCOMPLETE = "incomplete"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class FixityUnit:
    """Files that are checked together. Times are seconds, `due` is a day, since 1970; `checked` is 0 for never."""

    id: int
    store: str
    kind: UnitKind
    name: str
    version: int
    files: int
    bytes: int
    failed: int
    not_checked: int
    checked: int
    due: int
    sweep: int


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file that a store holds and nobody has checked yet; `path` is relative to the root of its unit."""

    path: str
    category: FileClass
    bytes: int


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """The result of a file's check. `bytes` is 0 where the size is not known; `reason` is why it was not checked."""

    path: str
    category: FileClass
    bytes: int
    result: FileResult
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class FoundFault:
    """A finding of one check, to be recorded. `key` is relative to the store."""

    key: str
    kind: str
    work: str | None = None
    expected: str | None = None
    found: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class UnitCheck:
    """The check of a unit in a sweep, to be recorded.

    `expected` was counted before the files were checked. `bytes_read` is what was read; `due` is the day of the next
    check; `root` is the Merkle root over the results, in hexadecimal.
    """

    unit: int
    sweep: int
    version: int
    at: datetime
    due: int
    expected: int
    files: Sequence[CheckedFile]
    findings: Sequence[FoundFault] = ()
    bytes_read: int = 0
    root: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedFinding:
    """A finding as recorded. Times are RFC 3339. `done` says what was done, '' for nothing yet."""

    id: int
    store: str
    key: str
    kind: str
    work: str | None
    expected: str | None
    found: str | None
    detail: str
    first_seen: str
    last_seen: str
    sweep: int
    state: FindingState
    ended: str | None
    done: str


@dataclass(frozen=True, slots=True)
class FixitySweep:
    """A sweep of one store. Times are RFC 3339, `root` is in hexadecimal.

    `scope` is ``all``, ``due`` (both asked for by a command), ``scheduled`` (what is due, begun by itself), or a work.
    """

    id: int
    store: str
    scope: str
    started: str
    ended: str | None
    expected: int
    passed: int
    failed: int
    not_checked: int
    bytes: int
    state: SweepState
    canaries: int
    canaries_missed: int
    root: str | None

    @property
    def checked(self) -> int:
        """The number of files that passed or failed."""
        return self.passed + self.failed


@dataclass(frozen=True, slots=True)
class ClassTotals:
    """The files of one class in one store.

    `never` were never checked, `due` are to be checked now, `late` have been due for long. `oldest` is the day of the
    oldest last check (ISO 8601), None when nothing was checked.
    """

    store: str
    category: FileClass
    files: int
    bytes: int
    never: int
    due: int
    due_bytes: int
    late: int
    failed: int
    not_checked: int
    oldest: str | None


@dataclass(frozen=True, slots=True)
class WorkVerification:
    """What is known of a work's preserved files in one store.

    `oldest` is when the file checked longest ago was checked (RFC 3339), None when one was never checked. `version` is
    the newest version of the work whose files are recorded; `findings` is the number of open findings.
    """

    store: str
    version: int
    files: int
    bytes: int
    failed: int
    not_checked: int
    oldest: str | None
    findings: int

    @property
    def is_verified(self) -> bool:
        """Whether every file was checked, the last time with success."""
        return bool(self.files) and self.oldest is not None and not (self.failed or self.not_checked or self.findings)


def seconds_of(moment: datetime) -> int:
    """Return a time as seconds since 1970."""
    return int(moment.timestamp())


def day_of(moment: datetime) -> int:
    """Return the day (UTC) of a time as days since 1970."""
    return day_of_seconds(seconds_of(moment))


def day_of_seconds(seconds: int) -> int:
    """Return the day (UTC) of a time in seconds since 1970."""
    return seconds // _DAY_SECONDS


def date_of_day(day: int) -> str:
    """Return a day as an ISO 8601 date."""
    return datetime.fromtimestamp(day * _DAY_SECONDS, UTC).date().isoformat()


def time_of_seconds(seconds: int) -> str:
    """Return a time in seconds since 1970 as RFC 3339."""
    return timestamp(datetime.fromtimestamp(seconds, UTC))
