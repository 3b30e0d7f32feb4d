"""A preservation report as one frozen value, and its JSON document. (pure)

The document is what is stored when a report is made, and every form of the report is made from it alone: HTML, PDF, CSV
and JSON of one moment are the same bytes whenever they are made by the same release. It holds every key, also of what
is empty, because programs read it.

Times are RFC 3339 in UTC, days ISO 8601; '' stands for never. Stores have the names ``store`` and those of replicas.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final, Literal

import rfc8785

from preservation.reporting.formats import facts_of
from repository.json_values import decode_json

FORMAT: Final = "shanben preservation report 1"

PRESERVED: Final = ("masters", "metadata", "log")
"""The classes of files that are preserved; all others can be made again."""


@dataclass(frozen=True, slots=True)
class ReportedGroup:
    """What is held of one class, format or month of accession; `name` is '' where the record states none."""

    name: str
    works: int
    images: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ReportedVersion:
    """What is held in a version of a format, by its PUID in PRONOM, with the risk: ``low``, ``watch`` or ``unknown``.

    `puid` is '' for masters of which the version is not known; `version` is '' for them, and where PRONOM knows none.
    """

    puid: str
    media_type: str
    name: str
    version: str
    risk: str
    works: int
    images: int
    bytes: int


def version_unknown(group: ReportedGroup) -> ReportedVersion:
    """Return what is held of a format, by its media type, as of a version that is not known."""
    facts = facts_of(group.name)
    amount = group.works, group.images, group.bytes
    return ReportedVersion("", group.name, facts.name or group.name, "", facts.risk.value, *amount)


@dataclass(frozen=True, slots=True)
class ReportedPlace:
    """A store: `works` verified there in their newest version, `behind` the others, `since` of the first verification.

    `failing` is since when copies to it fail, '' if they do not.
    """

    store: str
    works: int
    behind: int
    since: str = ""
    failing: str = ""


@dataclass(frozen=True, slots=True)
class ReportedChecks:
    """The files of one class in one store. `never` were never checked; `oldest` is the day of the oldest last check."""

    store: str
    category: str
    files: int
    bytes: int
    never: int
    due: int
    due_bytes: int
    late: int
    failed: int
    not_checked: int
    oldest: str = ""


@dataclass(frozen=True, slots=True)
class ReportedSweep:
    """A sweep of a store, with the canaries that it checked and missed."""

    number: int
    store: str
    scope: str
    started: str
    ended: str
    state: str
    expected: int
    passed: int
    failed: int
    not_checked: int
    bytes: int
    canaries: int
    canaries_missed: int
    root: str = ""

    @property
    def found_nothing_due(self) -> bool:
        """Whether it was to check what is due, came to its end, and nothing was. One that broke off has no root."""
        return self.scope == "due" and bool(self.root) and not self.expected and not self.canaries_missed


@dataclass(frozen=True, slots=True)
class ReportedFinding:
    """A finding and what was done. `work` is '' for a file that belongs to none."""

    number: int
    store: str
    key: str
    kind: str
    work: str
    title: str
    expected: str
    found: str
    detail: str
    first_seen: str
    last_seen: str
    state: str
    ended: str
    done: str


@dataclass(frozen=True, slots=True)
class ReportedLoss:
    """A work of which the log names version `logged` and no store has more than version `stored`, 0 for none."""

    work: str
    logged: int
    stored: int
    first_seen: str


@dataclass(frozen=True, slots=True)
class FindingCount:
    """How many findings of one kind are open in one store."""

    store: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class DueDay:
    """What is to be checked on a day: what is due already counts on the first."""

    day: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ReportedWitness:
    """What a witness cosigned last, and when."""

    name: str
    size: int
    time: str


@dataclass(frozen=True, slots=True)
class ReportedLog:
    """The provenance log: its size, events that wait for it, the witnesses and how many of them must cosign.

    `timestamped` is the size that the newest timestamp covers, 0 for none.
    """

    size: int = 0
    staged: int = 0
    witnesses: tuple[ReportedWitness, ...] = ()
    quorum: int = 0
    timestamped: int = 0


@dataclass(frozen=True, slots=True)
class ReportedKey:
    """A key or certificate with an end: its name and the last day."""

    name: str
    ends: str


@dataclass(frozen=True, slots=True)
class GradeCount:
    """How many works and volumes have a grade."""

    grade: str
    count: int


@dataclass(frozen=True, slots=True)
class DamagedOriginal:
    """A work, or a volume of it, whose recorded damage is severe."""

    work: str
    title: str
    volume: str
    damage: str
    causes: tuple[str, ...]
    assessed: str
    repairs: int
    repaired: str


@dataclass(frozen=True, slots=True)
class ReportedCondition:
    """The recorded physical condition of the originals: counts of grades, of damage and of repairs, the worst cases."""

    grades: tuple[GradeCount, ...] = ()
    damage: tuple[GradeCount, ...] = ()
    repairs: int = 0
    severe: tuple[DamagedOriginal, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportedCadence:
    """How often files are checked, in days, and what checks measured lately, in bytes a second; 0 for not known."""

    days: int
    bytes_per_second: int = 0


@dataclass(frozen=True, slots=True)
class PreservationReport:
    """The state of preservation at the time `at`. Lists are limited to what a reader can take in; counts are whole.

    `last_sweeps` has the newest sweep of each store that came to its end and missed no canary.
    `unrecorded` counts works that a store holds in a version which no sweep has begun to check, once for each store.
    `lost` counts open findings of files of which no copy is good, `lost_works` the works that no store holds as the log
    names them and about which nobody has decided; `losses` lists them.
    """

    at: str
    library: str
    software: str
    works: int
    images: int
    bytes: int
    cadence: ReportedCadence
    classes: tuple[ReportedGroup, ...] = ()
    formats: tuple[ReportedGroup, ...] = ()
    versions: tuple[ReportedVersion, ...] = ()
    months: tuple[ReportedGroup, ...] = ()
    places: tuple[ReportedPlace, ...] = ()
    checks: tuple[ReportedChecks, ...] = ()
    sweeps: tuple[ReportedSweep, ...] = ()
    last_sweeps: tuple[ReportedSweep, ...] = ()
    last_canaries: tuple[ReportedSweep, ...] = ()
    due: tuple[DueDay, ...] = ()
    unrecorded: int = 0
    open_counts: tuple[FindingCount, ...] = ()
    lost: int = 0
    lost_works: int = 0
    losses: tuple[ReportedLoss, ...] = ()
    open_findings: tuple[ReportedFinding, ...] = ()
    ended_findings: tuple[ReportedFinding, ...] = ()
    log: ReportedLog = ReportedLog()
    keys: tuple[ReportedKey, ...] = ()
    condition: ReportedCondition = ReportedCondition()

    @property
    def open(self) -> int:
        """The number of open findings."""
        return sum(count.count for count in self.open_counts)

    @property
    def preserved_checks(self) -> tuple[ReportedChecks, ...]:
        """The checks of preserved files, without those of files that can be made again."""
        return tuple(check for check in self.checks if check.category in PRESERVED)

    @property
    def checked_since(self) -> str:
        """The day on or after which every preserved file was checked last; '' while one was never checked."""
        checks = self.preserved_checks
        if not checks or any(check.never or not check.oldest for check in checks):
            return ""
        return min(check.oldest for check in checks)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ReportDocument(PreservationReport):
    format: Literal["shanben preservation report 1"]


def report_to_json(report: PreservationReport) -> bytes:
    """Return a report as canonical JSON (RFC 8785), with the name of the format."""
    return rfc8785.dumps({"format": FORMAT, **asdict(report)})


def report_of_json(document: bytes) -> PreservationReport:
    """Return the report that `report_to_json` gave `document`. Raises `ValueError` for any other document."""
    decoded = decode_json(document, _ReportDocument)
    names = PreservationReport.__dataclass_fields__
    return PreservationReport(**{name: getattr(decoded, name) for name in names})
