"""What is held, under way, delayed and failed: what `shanben status` and the staff's page tell.

It stays quick however much is held: figures are tallies, lists are short. Nothing but the database is needed. The
store is asked for the log's head in a thread of its own, which nobody waits for longer than they care to; what it did
not tell is unknown.
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
from repository.database.outbox import Job, JobState, Steps
from repository.database.replica_status import ReplicaSummary
from repository.errors import Fault, ShanbenError
from repository.localized import Language, LocalizedText
from repository.repository import Repository

MOST_LISTED: Final = 50
"""Ingests, delayed and failed jobs told at most."""

_SUMMARY_SHARE: Final = 20
"""Replicas are counted again after this many times what counting took: counting takes no more than 5% of the time."""

_SILENT: Final = LocalizedText("存储尚未应答", "the store has not answered yet")
_UNTOLD: Final = LocalizedText("没有记下原因", "no reason was noted")


@dataclass(frozen=True, slots=True)
class LogState:
    """The log's head; None where the store did not tell it, and then `reason` says why."""

    size: int | None
    root: str | None
    reason: LocalizedText | None


@dataclass(frozen=True, slots=True)
class Ingest:
    """An ingest under way: `done` of `total` pages; 0 of 0 before they are known. `since` is an RFC 3339 time."""

    deposit: str
    state: str
    done: int
    total: int
    since: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """A job that is delayed or has failed.

    `deposit` is the folder's name, `subject` the file or work and `store` the replica that it is about, '' for none.
    `tries` counts them, `first` is when it first went wrong, `next` when it is tried again ('' if not), RFC 3339.
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
class Replica:
    """A replica: `works` verified there at their newest version, `behind` those that are not yet, and why if known."""

    store: str
    works: int
    behind: int
    reason: LocalizedText | None


@dataclass(frozen=True, slots=True)
class Status:
    """All of it. `preserved` counts works that every store holds."""

    counts: Counts
    jobs: Mapping[str, int]
    log: LogState
    ingests: tuple[Ingest, ...]
    delayed: tuple[Trouble, ...]
    failed: tuple[Trouble, ...]
    replicas: tuple[Replica, ...]
    preserved: int


class StatusReader:
    """Reads the status of one repository, again and again; may be used from several threads."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._log = _LogReader(repository)
        self._copies = _CopiesReader(repository)

    def read(self, seconds: float) -> Status:
        """The status now; the store is waited for at most `seconds`. Raises `DatabaseFault`."""
        counts, jobs = self._repository.catalogue.counts(), self._repository.jobs
        delayed = tuple(map(trouble, jobs.delayed(MOST_LISTED)))
        failed = tuple(trouble(job) for job in jobs.failed(MOST_LISTED))
        replica_status = self._copies.read(counts.works)
        return Status(
            counts=counts,
            jobs=jobs.counts(),
            log=self._log.read(seconds),
            ingests=tuple(_ingest(job, steps) for job, steps in jobs.under_way("ingest", MOST_LISTED)),
            delayed=delayed,
            failed=failed,
            replicas=tuple(_replica(name, replica_status, (*delayed, *failed)) for name in self._repository.replicas),
            preserved=replica_status.preserved,
        )


class _LogQuestion(threading.Thread):
    """Asks the store for the log's head once. A daemon: a store that is silent must not keep a process from ending."""

    def __init__(self, repository: Repository) -> None:
        super().__init__(name="log's head", daemon=True)
        self._repository = repository
        self.answer = LogState(None, None, _SILENT)

    def run(self) -> None:
        """Ask; what went wrong is an answer too."""
        try:
            checkpoint = open_log(self._repository).checkpoint()
        except ShanbenError as fault:
            self.answer = LogState(None, None, fault.message)
        else:
            self.answer = LogState(checkpoint.size, checkpoint.root_text, None)


class _LogReader:
    """Asks for the log's head, one question at a time: while one waits, no second one is asked."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._lock = threading.Lock()
        self._question: _LogQuestion | None = None

    def read(self, seconds: float) -> LogState:
        """The head, or why it is not known after `seconds`."""
        with self._lock:
            question = self._question
            if question is None or not question.is_alive():
                question = self._question = _LogQuestion(self._repository)
                question.start()
        question.join(seconds)
        return question.answer


class _CopiesReader:
    """Counts what the replicas hold, which looks at every work, and so is not done for every look at the status."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._summary: ReplicaSummary | None = None
        self._valid_until = 0.0

    def read(self, works: int) -> ReplicaSummary:
        """How far replication is; raises `DatabaseFault`. Without replicas every one of `works` is preserved."""
        stores = list(self._repository.replicas)
        if not stores:
            return ReplicaSummary(works, {}, works)
        began = time.monotonic()
        if self._summary is None or began >= self._valid_until:
            self._summary = self._repository.replica_status.summary(stores)
            ended = time.monotonic()
            self._valid_until = ended + _SUMMARY_SHARE * (ended - began)
        return self._summary


def status_document(status: Status, language: Language | None) -> dict[str, object]:
    """The status for programs, by interface.md's keys and more; reasons in one language, or in both."""
    counts, log = status.counts, status.log

    def told(reason: LocalizedText | None) -> str | None:
        return reason.in_language(language) if reason else None

    log_document = {"size": log.size, "root": log.root, "staged": counts.staged, "reason": told(log.reason)}
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
            {"key": job.key, "kind": job.kind, "reason": told(job.reason), "tries": job.tries, "next": job.next}
            for job in status.delayed
        ],
        "failed": [
            {
                "key": job.key,
                "kind": job.kind,
                "deposit": job.deposit or None,
                "reason": told(job.reason),
                "when": job.first,
            }
            for job in status.failed
        ],
        "replicas": [
            {"store": item.store, "works": item.works, "behind": item.behind, "reason": told(item.reason)}
            for item in status.replicas
        ],
        "preserved": status.preserved,
    }


def _ingest(job: Job, steps: Steps) -> Ingest:
    return Ingest(_folder(job), job.state.value, steps.ended, steps.total, job.since)


def trouble(job: Job) -> Trouble:
    """What is to be told of a job that is delayed or has failed."""
    fault: Mapping[str, Any] = job.result or {}
    return Trouble(
        key=job.key,
        kind=job.kind,
        deposit=_folder(job),
        subject=next(filter(None, map(job.arguments.get, ("file", "image", "work"))), ""),
        store=job.arguments.get("store", ""),
        reason=_reason(fault),
        tries=int(fault.get("tries", job.attempts)),
        first=str(fault.get("first", job.since)),
        next=job.not_before if job.state is JobState.QUEUED else "",
    )


def _folder(job: Job) -> str:
    return Path(job.arguments.get("deposit", "")).name


def _reason(fault: Mapping[str, Any]) -> LocalizedText:
    """A fault's words, and those of the first of a deposit's faults."""
    words = cast(Mapping[str, str], fault.get("message") or {})
    reason = LocalizedText.of_json(words) if words else _UNTOLD
    for found in map(Fault.of_json, list(fault.get("faults") or ())[:1]):
        where = " ".join(filter(None, (found.file, found.place)))
        zh, en = (": ".join(filter(None, (where, text))) for text in (found.message.zh, found.message.en))
        reason = LocalizedText(f"{reason.zh}。首条：{zh}", f"{reason.en}. The first: {en}")
    return reason


def _replica(name: str, replica_status: ReplicaSummary, troubles: Iterable[Trouble]) -> Replica:
    works = replica_status.verified.get(name, 0)
    reasons = (job.reason for job in troubles if job.store == name)
    return Replica(name, works, max(0, replica_status.works - works), next(reasons, None))


def remedy(job: Trouble) -> str:
    """What is to be done about a job that failed, as a key of the table of words."""
    if job.kind == "page":
        return "status.mend-page"
    return "status.mend-ingest" if job.deposit else "status.mend-job"


def progress(item: Ingest) -> str:
    """How far an ingest is, as a key of the table of words."""
    if item.total:
        return "status.pages-done"
    return "status.no-worker" if item.state == JobState.QUEUED.value else "status.pages-unknown"
