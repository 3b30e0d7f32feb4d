"""Reads the data of a preservation report from the database, and the state of witnesses from the store.

All numbers are counters or sums over a few thousand rows, however much is held. Two queries read every work: how far
each replica is, and what no sweep has recorded. Their results are used again for a while, so that they take a small
share of the time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Final

from cryptography import x509

from preservation.fixity.cadence import late_before
from preservation.fixity.period import period_days
from preservation.log.heads import timestamped_sizes
from preservation.log.sequencer import log_keys
from preservation.log.witnesses import WitnessState, read_witness_states, witness_policy
from preservation.reporting.formats import VERSIONS, facts_of_version
from preservation.reporting.growth import check_rate
from preservation.reporting.report import (
    DamagedOriginal,
    DueDay,
    FindingCount,
    GradeCount,
    PreservationReport,
    ReportedCadence,
    ReportedChecks,
    ReportedCondition,
    ReportedFinding,
    ReportedGroup,
    ReportedKey,
    ReportedLog,
    ReportedLoss,
    ReportedPlace,
    ReportedSweep,
    ReportedVersion,
    ReportedWitness,
    version_unknown,
)
from preservation.store_identity import verify_primary
from repository.clock import timestamp
from repository.database.fixity_values import FindingState, FixitySweep, RecordedFinding, date_of_day, day_of
from repository.database.holdings import Grouping, RecordedCondition
from repository.database.outbox import Job
from repository.database.replica_status import ReplicaSummary
from repository.database.store_registry import PRIMARY
from repository.errors import DependencyMissing, SettingInvalid, ShanbenError
from repository.model.condition import DAMAGE_GRADES, GRADES, SEVERE
from repository.repository import Repository
from repository.store_label import PRIMARY_LABEL

MOST_FINDINGS: Final = 200
"""The most findings, works or losses that one page of a list has."""

_MOST_OPEN: Final = 50
"""The most open findings that a report lists; their numbers by store and kind are whole, and lead to the list."""

_MOST_ENDED: Final = 20
_MOST_SWEEPS: Final = 20
_MOST_SEVERE: Final = 200
_MOST_JOBS: Final = 200
_FORECAST_DAYS: Final = 90
_SUMMARY_SHARE: Final = 20
_REPLICATION: Final = ("replicate", "replicate-log")


@dataclass(frozen=True, slots=True)
class LogNotes:
    """What a store has about the log: what witnesses cosigned, and the size that the newest timestamp covers."""

    witnesses: tuple[WitnessState, ...] = ()
    timestamped: int = 0


def read_log_notes(repository: Repository) -> LogNotes:
    """Return what the primary store has about the log; empty while it cannot be read, or is not the library's own."""
    try:
        verify_primary(repository)  # the folder of an unmounted store looks like one without notes
    except ShanbenError:
        return LogNotes()
    try:
        timestamped = max(timestamped_sizes(repository.store), default=0)
    except ShanbenError:  # reported by the checks of the log; the report is made nevertheless
        timestamped = 0
    return LogNotes(tuple(read_witness_states(repository)), timestamped)


@dataclass(frozen=True, slots=True)
class _WorkCounts:
    """What is counted by reading every work: how far the replicas are, and what no sweep has recorded.

    `state` is what the counts are of: how many works are held, and the last completed sweeps. With another state they
    are counted again.
    """

    state: tuple[int, tuple[ReportedSweep, ...]]
    replicas: ReplicaSummary
    unrecorded: int


class ReportReader:
    """Reads reports of one repository; safe to use from several threads.

    `read_notes` returns the log's notes; a web process passes one that does not wait for the store.
    """

    def __init__(self, repository: Repository, read_notes: Callable[[], LogNotes] | None = None) -> None:
        self._repository = repository
        self._read_notes = read_notes or partial(read_log_notes, repository)
        self._counts: _WorkCounts | None = None
        self._valid_until = 0.0

    def read(self, now: datetime | None = None) -> PreservationReport:
        """Return the report on the present. Raises `DatabaseFault`."""
        repository, moment = self._repository, now or self._repository.clock()
        counts, stores = repository.catalogue.counts(), [PRIMARY, *repository.replicas]
        sweeps = [_sweep(sweep) for sweep in repository.sweeps.newest(_MOST_SWEEPS)]
        completed = tuple(_sweep(last) for name in stores if (last := repository.sweeps.last_completed(name)))
        work_counts = self._work_counts(stores, (counts.works, completed))
        findings = repository.findings
        opened, ended = findings.open_findings(limit=_MOST_OPEN), findings.newest_ended(_MOST_ENDED)
        titles = repository.holdings.titles({each.work for each in (*opened, *ended) if each.work})
        return PreservationReport(
            at=timestamp(moment),
            library=repository.settings.provider,
            software=f"shanben {metadata.version('shanben')}",
            works=counts.works,
            images=counts.images,
            bytes=counts.bytes,
            cadence=ReportedCadence(repository.settings.fixity_days, _rate(sweeps)),
            classes=self._groups(Grouping.CLASS),
            formats=self._groups(Grouping.FORMAT),
            versions=tuple(map(_version, self._groups(Grouping.VERSION))),
            months=self._groups(Grouping.MONTH),
            places=tuple(self._places(counts.works, work_counts.replicas)),
            checks=tuple(self._checks(stores, moment)),
            sweeps=tuple(sweeps),
            last_sweeps=completed,
            last_canaries=tuple(map(_sweep, repository.sweeps.last_canaries(stores))),
            due=self._due(stores, moment),
            unrecorded=work_counts.unrecorded,
            open_counts=self._open_counts(stores),
            lost=findings.count_in_state(FindingState.LOST),
            lost_works=repository.lost_works.undecided_count(),
            losses=tuple(
                ReportedLoss(loss.work, loss.logged, loss.stored, loss.first_seen)
                for loss in repository.lost_works.undecided(MOST_FINDINGS)
            ),
            open_findings=tuple(reported_finding(each, titles) for each in opened),
            ended_findings=tuple(reported_finding(each, titles) for each in ended),
            log=self._log(counts.events - counts.staged, counts.staged),
            keys=(*_log_key(repository), *_certificates(repository.settings.tls_certificate)),
            condition=self._condition(),
        )

    def _groups(self, grouping: Grouping) -> tuple[ReportedGroup, ...]:
        held = self._repository.holdings.by(grouping)
        return tuple(ReportedGroup(each.name, each.works, each.images, each.bytes) for each in held)

    def _places(self, works: int, summary: ReplicaSummary) -> Iterator[ReportedPlace]:
        first = self._repository.catalogue.first_accession("", "9999") or ""
        yield ReportedPlace(PRIMARY_LABEL, works, 0, first)
        if not self._repository.replicas:
            return
        failing = self._failing()
        for name in self._repository.replicas:
            held = summary.verified.get(name, 0)
            since = summary.since.get(name, "")
            yield ReportedPlace(name, held, max(0, summary.works - held), since, failing.get(name, ""))

    def _open_counts(self, stores: Sequence[str]) -> tuple[FindingCount, ...]:
        counts = sorted(self._repository.findings.counts(stores).items())
        return tuple(FindingCount(_name(store), kind, count) for (store, kind), count in counts)

    def _work_counts(self, stores: Sequence[str], state: tuple[int, tuple[ReportedSweep, ...]]) -> _WorkCounts:
        started = time.monotonic()
        if self._counts is None or self._counts.state != state or started >= self._valid_until:
            repository = self._repository
            summary = repository.replica_status.summary(list(repository.replicas))
            self._counts = _WorkCounts(state, summary, sum(map(repository.fixity.count_unrecorded_works, stores)))
            ended = time.monotonic()
            self._valid_until = ended + _SUMMARY_SHARE * (ended - started)
        return self._counts

    def _failing(self) -> dict[str, str]:
        """Return since when copying to each replica has failed."""
        jobs = self._repository.jobs
        failing: dict[str, str] = {}
        for job in (*jobs.delayed(_MOST_JOBS), *jobs.failed(_MOST_JOBS)):
            if job.kind in _REPLICATION and (store := job.arguments.get("store")):
                failing[store] = min(failing.get(store, "9999"), _first_failure(job))
        return failing

    def _checks(self, stores: Sequence[str], moment: datetime) -> Iterator[ReportedChecks]:
        today, settings = day_of(moment), self._repository.settings
        late = {store: late_before(today, period_days(settings, store)) for store in stores}
        for total in chain.from_iterable(self._repository.fixity.totals([each], today, late[each]) for each in stores):
            yield ReportedChecks(
                store=_name(total.store),
                category=total.category.name.lower(),
                files=total.files,
                bytes=total.bytes,
                never=total.never,
                due=total.due,
                due_bytes=total.due_bytes,
                late=total.late,
                failed=total.failed,
                not_checked=total.not_checked,
                oldest=total.oldest or "",
            )

    def _due(self, stores: Sequence[str], moment: datetime) -> tuple[DueDay, ...]:
        today = day_of(moment)
        days: dict[int, tuple[int, int]] = {}
        for day, files, size in self._repository.fixity.due_by_day(stores, today + _FORECAST_DAYS):
            before = days.get(max(day, today), (0, 0))
            days[max(day, today)] = (before[0] + files, before[1] + size)
        return tuple(DueDay(date_of_day(day), files, size) for day, (files, size) in sorted(days.items()))

    def _log(self, size: int, staged: int) -> ReportedLog:
        settings, notes = self._repository.settings, self._read_notes()
        quorum = 0
        with suppress(ShanbenError):  # the settings are checked when the program starts
            quorum = witness_policy(settings).quorum if settings.witnesses else 0
        witnesses = tuple(ReportedWitness(state.name, state.size, state.time) for state in notes.witnesses)
        return ReportedLog(size, staged, witnesses, quorum, notes.timestamped)

    def _condition(self) -> ReportedCondition:
        holdings = self._repository.holdings
        damage, grades = holdings.damage_counts(), holdings.grade_counts()
        severe = [each for grade in SEVERE for each in holdings.with_damage(grade, ("", 0), _MOST_SEVERE)]
        return ReportedCondition(
            grades=tuple(GradeCount(grade, grades[grade]) for grade in GRADES if grade in grades),
            damage=tuple(GradeCount(grade, damage[grade]) for grade in DAMAGE_GRADES if grade in damage),
            repairs=holdings.repairs(),
            severe=tuple(map(reported_original, severe[:_MOST_SEVERE])),
        )


def _name(store: str) -> str:
    return store or PRIMARY_LABEL


def _version(group: ReportedGroup) -> ReportedVersion:
    """Return what is held of a version, by its PUID, or of a format of which the version is not known."""
    known, amount = VERSIONS.get(group.name), (group.works, group.images, group.bytes)
    if known is None:
        return version_unknown(group)
    risk = facts_of_version(group.name).risk.value
    return ReportedVersion(group.name, known.media_type, known.name, known.version, risk, *amount)


def _rate(sweeps: Iterable[ReportedSweep]) -> int:
    return check_rate([(sweep.started, sweep.ended, sweep.bytes) for sweep in sweeps if sweep.ended])


def _first_failure(job: Job) -> str:
    return str((job.result or {}).get("first", job.since))


def _sweep(sweep: FixitySweep) -> ReportedSweep:
    return ReportedSweep(
        number=sweep.id,
        store=_name(sweep.store),
        scope=sweep.scope,
        started=sweep.started,
        ended=sweep.ended or "",
        state=sweep.state.value,
        expected=sweep.expected,
        passed=sweep.passed,
        failed=sweep.failed,
        not_checked=sweep.not_checked,
        bytes=sweep.bytes,
        canaries=sweep.canaries,
        canaries_missed=sweep.canaries_missed,
        root=sweep.root or "",
    )


def reported_finding(finding: RecordedFinding, titles: Mapping[str, str]) -> ReportedFinding:
    """Return a finding as reports state it; `titles` has those of works by identifier."""
    work = finding.work or ""
    return ReportedFinding(
        number=finding.id,
        store=_name(finding.store),
        key=finding.key,
        kind=finding.kind,
        work=work,
        title=titles.get(work, ""),
        expected=finding.expected or "",
        found=finding.found or "",
        detail=finding.detail,
        first_seen=finding.first_seen,
        last_seen=finding.last_seen,
        state=finding.state.value,
        ended=finding.ended or "",
        done=finding.done,
    )


def reported_original(each: RecordedCondition) -> DamagedOriginal:
    """Return the recorded condition of a work or volume as reports state it."""
    return DamagedOriginal(
        work=each.work,
        title=each.title,
        volume=each.label,
        damage=each.damage or "",
        causes=each.causes,
        assessed=each.assessed or "",
        repairs=each.repairs,
        repaired=each.repaired or "",
    )


def _log_key(repository: Repository) -> Iterator[ReportedKey]:
    """Yield the newest key of the log, if there is one whose age is known."""
    with suppress(DependencyMissing, SettingInvalid):
        newest = log_keys(repository).newest
        if ends := newest.ends(repository.settings.key_days):
            yield ReportedKey(f"log.key {newest.key.key_id.hex()}", timestamp(ends))


def _certificates(path: str) -> Iterator[ReportedKey]:
    """Yield the TLS certificate of this machine, if it has one that can be read."""
    if not path:
        return
    with suppress(OSError, ValueError):
        certificate = x509.load_pem_x509_certificate(Path(path).read_bytes())
        ends = certificate.not_valid_after_utc.astimezone(UTC) - timedelta(seconds=1)
        yield ReportedKey(f"TLS {Path(path).name}", timestamp(ends))
