"""The status of a repository: what is held, in progress, delayed and failed.

Reading it takes about the same time however much is held: numbers come from counters, and lists are limited. Only the
database is required. A separate thread asks the store for the log's checkpoint; a store that does not answer in time
leaves the log's state unknown.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from preservation.log.sequencer import open_log
from repository.database.catalogue import Counts
from repository.database.outbox import Job, JobProgress, JobState
from repository.database.replica_status import ReplicaSummary
from repository.errors import ShanbenError
from repository.faults import Fault
from repository.localized import Language, LocalizedText
from repository.repository import Repository

MOST_LISTED: Final = 50
"""The most ingests, delayed jobs and failed jobs that a status lists."""

_SUMMARY_SHARE: Final = 20
"""A replica summary is valid for this many times the time it took, so that summaries take at most 5% of the time."""

_NO_ANSWER: Final = LocalizedText("存储尚未应答", "the store has not answered yet")
_NO_REASON: Final = LocalizedText("未记录原因", "no reason was recorded")


@dataclass(frozen=True, slots=True)
class LogState:
    """The size and root of the log's checkpoint; both None with a `reason` when it could not be read."""

    size: int | None
    root: str | None
    reason: LocalizedText | None


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
    """A replica: `works` verified there at their newest version, `behind` the others, and the reason if known."""

    store: str
    works: int
    behind: int
    reason: LocalizedText | None


@dataclass(frozen=True, slots=True)
class Status:
    """The status at one time. `jobs` counts jobs by state; `preserved` counts works verified in every store."""

    counts: Counts
    jobs: Mapping[str, int]
    log: LogState
    ingests: tuple[IngestProgress, ...]
    delayed: tuple[JobFailure, ...]
    failed: tuple[JobFailure, ...]
    replicas: tuple[ReplicaProgress, ...]
    preserved: int


class StatusReader:
    """Reads the status of one repository repeatedly; safe to use from several threads."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._checkpoint = _CheckpointReader(repository)
        self._replicas = _ReplicaReader(repository)

    def read(self, timeout: float) -> Status:
        """Return the status now, waiting for the store at most `timeout` seconds. Raises `DatabaseFault`."""
        counts, jobs = self._repository.catalogue.counts(), self._repository.jobs
        delayed = tuple(map(job_failure, jobs.delayed(MOST_LISTED)))
        failed = tuple(map(job_failure, jobs.failed(MOST_LISTED)))
        summary = self._replicas.read(counts.works)
        return Status(
            counts=counts,
            jobs=jobs.counts(),
            log=self._checkpoint.read(timeout),
            ingests=tuple(_ingest_progress(job, steps) for job, steps in jobs.active("ingest", MOST_LISTED)),
            delayed=delayed,
            failed=failed,
            replicas=tuple(_replica_progress(name, summary, (*delayed, *failed)) for name in self._repository.replicas),
            preserved=summary.preserved,
        )


class _CheckpointThread(threading.Thread):
    """Reads the log's checkpoint once. A daemon, so that a silent store does not keep the process from ending."""

    def __init__(self, repository: Repository) -> None:
        super().__init__(name="log checkpoint", daemon=True)
        self._repository = repository
        self.state = LogState(None, None, _NO_ANSWER)

    def run(self) -> None:
        """Set `state` to the checkpoint, or to the reason why it cannot be read."""
        try:
            checkpoint = open_log(self._repository).checkpoint()
        except ShanbenError as fault:
            self.state = LogState(None, None, fault.message)
        else:
            self.state = LogState(checkpoint.size, checkpoint.root_text, None)


class _CheckpointReader:
    """Reads the log's checkpoint, with one thread at most waiting for the store."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._lock = threading.Lock()
        self._thread: _CheckpointThread | None = None

    def read(self, timeout: float) -> LogState:
        """Return the checkpoint, or why it is not known after `timeout` seconds."""
        with self._lock:
            thread = self._thread
            if thread is None or not thread.is_alive():
                thread = self._thread = _CheckpointThread(self._repository)
                thread.start()
        thread.join(timeout)
        return thread.state


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
            return ReplicaSummary(works, {}, works)
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
        "fixity": {"expected": counts.images, "checked": 0},
        "log": log_document,
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
            {"store": item.store, "works": item.works, "behind": item.behind, "reason": text(item.reason)}
            for item in status.replicas
        ],
        "preserved": status.preserved,
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


def _replica_progress(name: str, summary: ReplicaSummary, failures: Iterable[JobFailure]) -> ReplicaProgress:
    works = summary.verified.get(name, 0)
    reasons = (job.reason for job in failures if job.store == name)
    return ReplicaProgress(name, works, max(0, summary.works - works), next(reasons, None))


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
