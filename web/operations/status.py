"""The status of a repository: what is held, in progress, delayed and failed.

Reading it takes about the same time however much is held: numbers come from counters, and lists are limited. Only the
database is required. Separate threads ask the stores for the log's checkpoint and for their identities; a store that
does not answer in time leaves these unknown.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from preservation.log.sequencer import open_log
from preservation.log.witnesses import WitnessState, read_witness_states
from repository.database.catalogue import Counts
from repository.database.outbox import Job, JobProgress, JobState
from repository.database.replica_status import ReplicaSummary
from repository.database.store_registry import PRIMARY
from repository.errors import ShanbenError, StoreFault
from repository.faults import Fault
from repository.localized import Language, LocalizedText
from repository.repository import Repository
from repository.storage.address import store_name
from web.operations.fixity_status import FixityReader, fixity_document
from web.operations.log_status import LogCare, LogCareReader, log_care_document
from web.telemetry.store_probes import StoreProbe, StoreProbes
from workers.tasks.fixity_state import FixityState
from workers.tasks.jobs import ASK_WITNESSES

MOST_LISTED: Final = 50
"""The most ingests, delayed jobs and failed jobs that a status lists."""

_SUMMARY_SHARE: Final = 20
"""A replica summary is valid for this many times the time it took, so that summaries take at most 5% of the time."""

_END_OF_TIME: Final = "9999"
_NO_REASON: Final = LocalizedText("未记录原因", "no reason was recorded")


@dataclass(frozen=True, slots=True)
class LogState:
    """The size and root of the log's checkpoint; both None with a `reason` when it could not be read."""

    size: int | None
    root: str | None
    reason: LocalizedText | None


_UNANSWERED: Final = LogState(None, None, LocalizedText("存储尚未应答", "the store has not answered yet"))


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """An ingest in progress: `done` of `total` pages, 0 of 0 before they are known. `since` is an RFC 3339 time."""

    deposit: str
    state: str
    done: int
    total: int
    since: str


@dataclass(frozen=True, slots=True)
class JobFailure:
    """A job whose last attempt failed: delayed until the next one, or failed for good.

    `deposit` is the folder's name, `subject` the file, image or work, `store` the replica; '' where there is none.
    `tries` counts attempts, `first` is the time of the first failure, `next` that of the next attempt, '' for none
    (RFC 3339).
    """

    key: str
    kind: str
    deposit: str
    subject: str
    store: str
    reason: LocalizedText
    tries: int
    first: str
    next: str


@dataclass(frozen=True, slots=True)
class ReplicaProgress:
    """A replica: `works` verified there at their newest version, `behind` the others, and the reason if known.

    `since` is when the first of these works was verified, '' without one (RFC 3339).
    """

    store: str
    works: int
    behind: int
    since: str
    reason: LocalizedText | None


@dataclass(frozen=True, slots=True)
class WitnessProgress:
    """A witness: the size of the log that it cosigned last, when ('' for never), and why it does not answer now."""

    name: str
    size: int
    time: str
    reason: LocalizedText | None


@dataclass(frozen=True, slots=True)
class Status:
    """The status at one time. `jobs` counts jobs by state; `preserved` counts works verified in every store.

    A store verifies a work when it is written there. `verified_since` is the time of the first of these checks, '' when
    nothing is held (RFC 3339). `store_name` is the primary store's address without secrets, `store_fault` why it is not
    recognised: nothing counts as preserved then. `lost` is the number of works that the log names and the store lacks,
    `unindexed` that of works with a change that cannot be searched yet.
    """

    counts: Counts
    jobs: Mapping[str, int]
    log: LogState
    ingests: tuple[IngestProgress, ...]
    delayed: tuple[JobFailure, ...]
    failed: tuple[JobFailure, ...]
    replicas: tuple[ReplicaProgress, ...]
    witnesses: tuple[WitnessProgress, ...]
    care: LogCare
    preserved: int
    verified_since: str
    fixity: FixityState
    lost: int
    unindexed: int
    store_name: str
    store_fault: LocalizedText | None


class StatusReader:
    """Reads the status of one repository repeatedly; safe to use from several threads."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._checkpoint = StoreProbe("log checkpoint", partial(_read_log, repository), _UNANSWERED)
        self._witnesses: StoreProbe[list[WitnessState]] = StoreProbe(
            "witnesses", partial(read_witness_states, repository), []
        )
        self._care = LogCareReader(repository)
        self._stores = StoreProbes(repository)
        self._replicas = _ReplicaReader(repository)
        self._fixity = FixityReader(repository)

    def read(self, timeout: float) -> Status:
        """Return the status now, waiting for the store at most `timeout` seconds. Raises `DatabaseFault`."""
        deadline = time.monotonic() + timeout
        log, witnesses, care = self._checkpoint.start(), self._witnesses.start(), self._care.start()
        counts, jobs = self._repository.catalogue.counts(), self._repository.jobs
        delayed = tuple(map(job_failure, jobs.delayed(MOST_LISTED)))
        failed = tuple(map(job_failure, jobs.failed(MOST_LISTED)))
        faults = {name: answer for name, answer in self._stores.read(timeout).items() if isinstance(answer, StoreFault)}
        summary = _without_unrecognised(self._replicas.read(counts.works), faults)
        return Status(
            counts=counts,
            jobs=jobs.counts(),
            log=log(max(0.0, deadline - time.monotonic())),
            ingests=tuple(_ingest_progress(job, steps) for job, steps in jobs.active("ingest", MOST_LISTED)),
            delayed=delayed,
            failed=failed,
            replicas=tuple(
                _replica_progress(name, summary, faults.get(name), (*delayed, *failed))
                for name in self._repository.replicas
            ),
            witnesses=_witness_progress(witnesses(max(0.0, deadline - time.monotonic())), jobs.get(ASK_WITNESSES)),
            care=care(max(0.0, deadline - time.monotonic())),
            preserved=summary.preserved,
            verified_since=self._verified_since(summary),
            fixity=self._fixity.read(),
            lost=self._repository.lost_works.undecided_count(),
            unindexed=self._repository.search.unindexed_count(),
            store_name=store_name(self._repository.settings.store_url),
            store_fault=faults[PRIMARY].message if PRIMARY in faults else None,
        )

    def _verified_since(self, summary: ReplicaSummary) -> str:
        """Return a time before which no check that `preserved` counts was made.

        The primary store verifies a version when it is ingested, which is never before the work's accession.
        """
        first = self._repository.catalogue.first_accession("", _END_OF_TIME)
        return min(filter(None, (first, *summary.since.values())), default="")


def _read_log(repository: Repository) -> LogState:
    try:
        checkpoint = open_log(repository).checkpoint()
    except ShanbenError as fault:
        return LogState(None, None, fault.message)
    return LogState(checkpoint.size, checkpoint.root_text, None)


def _witness_progress(states: Iterable[WitnessState], job: Job | None) -> tuple[WitnessProgress, ...]:
    faults = cast(Mapping[str, Mapping[str, str]], (job.result or {}).get("faults") or {}) if job else {}
    return tuple(
        WitnessProgress(
            state.name,
            state.size,
            state.time,
            LocalizedText.of_json(faults[state.name]) if state.name in faults else None,
        )
        for state in states
    )


def _without_unrecognised(summary: ReplicaSummary, faults: Mapping[str, StoreFault]) -> ReplicaSummary:
    """Return the summary without what was verified in stores that are not recognised now."""
    if not faults:
        return summary
    verified = {store: 0 if store in faults else works for store, works in summary.verified.items()}
    since = {store: "" if store in faults else time for store, time in summary.since.items()}
    return ReplicaSummary(summary.works, verified, since, 0)


class _ReplicaReader:
    """Counts the works of the replicas. The query reads every work, so its result is reused for a while."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._summary: ReplicaSummary | None = None
        self._valid_until = 0.0

    def read(self, works: int) -> ReplicaSummary:
        """Return how far replication is. Without replicas, all `works` are preserved. Raises `DatabaseFault`."""
        stores = list(self._repository.replicas)
        if not stores:
            return ReplicaSummary(works, {}, {}, works)
        started = time.monotonic()
        if self._summary is None or started >= self._valid_until:
            self._summary = self._repository.replica_status.summary(stores)
            ended = time.monotonic()
            self._valid_until = ended + _SUMMARY_SHARE * (ended - started)
        return self._summary


def status_document(status: Status, language: Language | None) -> dict[str, object]:
    """Return the status as JSON values, with reasons in one language, or in both when `language` is None."""
    counts, log = status.counts, status.log

    def text(reason: LocalizedText | None) -> str | None:
        return reason.in_language(language) if reason else None

    log_document = {"size": log.size, "root": log.root, "staged": counts.staged, "reason": text(log.reason)}
    return {
        "works": counts.works,
        "images": counts.images,
        "bytes": counts.bytes,
        "jobs": dict(status.jobs),
        "fixity": fixity_document(status.fixity),
        "log": log_document,
        "lost": status.lost,
        "search": {"unindexed": status.unindexed},
        "ingests": [
            {"deposit": item.deposit, "state": item.state, "done": item.done, "total": item.total, "since": item.since}
            for item in status.ingests
        ],
        "delayed": [
            {"key": job.key, "kind": job.kind, "reason": text(job.reason), "tries": job.tries, "next": job.next}
            for job in status.delayed
        ],
        "failed": [
            {
                "key": job.key,
                "kind": job.kind,
                "deposit": job.deposit or None,
                "reason": text(job.reason),
                "when": job.first,
            }
            for job in status.failed
        ],
        "replicas": [
            {
                "store": item.store,
                "works": item.works,
                "behind": item.behind,
                "verified_since": item.since or None,
                "reason": text(item.reason),
            }
            for item in status.replicas
        ],
        "witnesses": [
            {
                "name": item.name,
                "size": item.size,
                "behind": witness_behind(item, status),
                "time": item.time or None,
                "reason": text(item.reason),
            }
            for item in status.witnesses
        ],
        **log_care_document(status.care),
        "store": {"store": status.store_name, "reason": text(status.store_fault)},
        "preserved": status.preserved,
        "verified_since": status.verified_since or None,
    }


def _ingest_progress(job: Job, steps: JobProgress) -> IngestProgress:
    return IngestProgress(_folder_name(job), job.state.value, steps.finished, steps.total, job.since)


def job_failure(job: Job) -> JobFailure:
    """Return what to report of a delayed or failed job."""
    fault: Mapping[str, Any] = job.result or {}
    return JobFailure(
        key=job.key,
        kind=job.kind,
        deposit=_folder_name(job),
        subject=next(filter(None, map(job.arguments.get, ("file", "image", "work"))), ""),
        store=job.arguments.get("store", ""),
        reason=_reason(fault),
        tries=int(fault.get("tries", job.attempts)),
        first=str(fault.get("first", job.since)),
        next=job.not_before if job.state is JobState.QUEUED else "",
    )


def _folder_name(job: Job) -> str:
    return Path(job.arguments.get("deposit", "")).name


def _reason(fault: Mapping[str, Any]) -> LocalizedText:
    """Return the message of a fault, with the first of a deposit's faults appended."""
    message = cast(Mapping[str, str], fault.get("message") or {})
    reason = LocalizedText.of_json(message) if message else _NO_REASON
    for first in map(Fault.of_json, list(fault.get("faults") or ())[:1]):
        where = " ".join(filter(None, (first.file, first.place)))
        zh, en = (": ".join(filter(None, (where, text))) for text in (first.message.zh, first.message.en))
        reason = LocalizedText(f"{reason.zh}。首条：{zh}", f"{reason.en}. First: {en}")
    return reason


def _replica_progress(
    name: str, summary: ReplicaSummary, fault: StoreFault | None, failures: Iterable[JobFailure]
) -> ReplicaProgress:
    works, since = summary.verified.get(name, 0), summary.since.get(name, "")
    reasons = [fault.message] if fault else [job.reason for job in failures if job.store == name]
    return ReplicaProgress(name, works, max(0, summary.works - works), since, next(iter(reasons), None))


def remedy_key(job: JobFailure) -> str:
    """Return the key in `MESSAGES` of what to do about a failed job."""
    if job.kind == "page":
        return "status.remedy-page"
    return "status.remedy-ingest" if job.deposit else "status.remedy-job"


def progress_key(item: IngestProgress) -> str:
    """Return the key in `MESSAGES` of how far an ingest is."""
    if item.total:
        return "status.pages-done"
    return "status.no-worker" if item.state == JobState.QUEUED.value else "status.pages-unknown"


def preserved_key(status: Status) -> str:
    """Return the key in `MESSAGES` of how many works are preserved."""
    return "status.preserved-since" if status.preserved and status.verified_since else "status.preserved-of"


def replica_key(item: ReplicaProgress) -> str:
    """Return the key in `MESSAGES` of how many works a replica holds."""
    return "status.replica-works-since" if item.since else "status.replica-works"


def witness_behind(item: WitnessProgress, status: Status) -> int | None:
    """Return how many entries of the log a witness has not cosigned; None while the log's size is unknown."""
    return None if status.log.size is None else max(0, status.log.size - item.size)


def witness_key(item: WitnessProgress, status: Status) -> str:
    """Return the key in `MESSAGES` of how far a witness is."""
    if not item.time:
        return "status.witness-never"
    return "status.witness-behind" if witness_behind(item, status) else "status.witness-current"
