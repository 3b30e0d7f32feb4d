"""What `shanben ingest` does: a job for each deposit, done here or by workers, and watched until it has ended."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from celery import Celery

from iiif_server.urls import manifest_path
from repository.database.outbox import FINISHED, Job, Jobs, JobState, NewJob
from repository.errors import Busy, DatabaseFault, DepositRefused, SystemFault
from repository.faults import Fault
from repository.localized import LocalizedText
from repository.repository import Repository
from web.cli.terminal import EXIT_CODES, EXIT_CONTENT, Terminal, TerminalProgress
from workers.deposit.survey import survey
from workers.execution.context import TaskContext
from workers.service.celery_app import create_celery
from workers.service.dispatch import send_due
from workers.service.local import local_runner
from workers.tasks.jobs import ingest_job

_PAUSE: Final = 0.5
_DEFAULT_ADDRESS: Final = "http://127.0.0.1:8000"


def ingest_here(context: TaskContext, deposits: Sequence[Path], terminal: Terminal) -> int:
    """Ingest each deposit in this process; one that is refused does not stop the others. The gravest exit code."""
    ended = []
    with local_runner(context) as here:
        for order in map(ingest_job, deposits):
            with _Watch(context.repository.jobs, order, terminal) as watch:
                ended.append(here.do(order, watch.look))
    return _report(context.repository, ended, terminal)


def ingest_by_workers(repository: Repository, deposits: Sequence[Path], terminal: Terminal) -> int:
    """Have each deposit ingested by workers, all at once, and wait for them. The gravest exit code.

    A folder that is not there is a mistyped one: nothing is asked for then. Raises `SettingInvalid`, and
    `DependencyMissing` when the broker is away.
    """
    celery = create_celery(repository.settings)
    if absent := {deposit: faults for deposit in deposits if (faults := _absence(deposit))}:
        return _refuse_absent(absent, deposits, terminal)
    _hand_in(celery, repository, deposits, terminal)
    orders = map(ingest_job, deposits)
    return _report(repository, [_await(repository.jobs, order, terminal) for order in orders], terminal)


def _absence(deposit: Path) -> tuple[Fault, ...]:
    return tuple(fault for fault in survey(deposit).faults if fault.code == "deposit.absent")


def _refuse_absent(absent: Mapping[Path, tuple[Fault, ...]], deposits: Sequence[Path], terminal: Terminal) -> int:
    refused = []
    for deposit, faults in absent.items():
        refusal = DepositRefused(str(deposit), faults)
        refused.append(_refused(str(deposit), refusal.to_json(), refusal.message, terminal))
    _name(
        terminal, LocalizedText("未提交", "Not handed in"), [deposit for deposit in deposits if deposit not in absent]
    )
    terminal.result({"works": [], "refused": refused})
    return EXIT_CONTENT


def _hand_in(celery: Celery, repository: Repository, deposits: Sequence[Path], terminal: Terminal) -> None:
    """All are recorded before the first is sent: what is recorded is taken in, though the broker be away now.

    Which are and which are not is told when that is the end of it. Raises `DatabaseFault`, `DependencyMissing`.
    """
    recorded = 0
    try:
        for deposit in deposits:
            repository.jobs.enqueue(ingest_job(deposit))
            recorded += 1
        send_due(celery, repository)
    except SystemFault:
        zh, en = "已登记，故障排除后由工作进程收入", "Recorded, and taken in by workers once the fault is mended"
        _name(terminal, LocalizedText(zh, en), deposits[:recorded])
        _name(
            terminal, LocalizedText("未提交，请稍后重新送存", "Not handed in; hand in again later"), deposits[recorded:]
        )
        raise


def _name(terminal: Terminal, what: LocalizedText, deposits: Sequence[Path]) -> None:
    """Which deposits something holds for; nothing when it holds for none."""
    names = ", ".join(map(str, deposits))
    if names:
        terminal.warn(LocalizedText(f"{what.zh}：{names}", f"{what.en}: {names}"))


def _await(jobs: Jobs, order: NewJob, terminal: Terminal) -> Job:
    """The job when it has ended. A database that is away is waited for: the workers do the same."""
    with _Watch(jobs, order, terminal) as watch:
        while True:
            try:
                job = _job(jobs, order)
                if job.state in FINISHED:
                    return job
                watch.look()
            except DatabaseFault as fault:
                watch.tell(fault.message)
            time.sleep(_PAUSE)


def _job(jobs: Jobs, order: NewJob) -> Job:
    job = jobs.get(order.key)
    assert job is not None  # noqa: S101 - it was written by the caller, and such jobs are never deleted
    return job


class _Watch:
    """How far one ingest is, shown as a bar of pages; a fault that makes it wait is told once."""

    def __init__(self, jobs: Jobs, order: NewJob, terminal: Terminal) -> None:
        self._jobs = jobs
        self._order = order
        self._terminal = terminal
        self._bar: TerminalProgress = terminal.progress()
        self._total = self._ended = 0
        self._told: set[LocalizedText] = set()

    def __enter__(self) -> _Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.finish()

    def look(self) -> None:
        """Show what has changed since the last look."""
        steps = self._jobs.progress(self._order.key)
        if steps.total != self._total:
            self._total, self._ended = steps.total, 0
            name = Path(self._order.arguments["deposit"]).name
            if steps.total:
                self._bar.start(
                    LocalizedText(f"{name}：{steps.total} 幅", f"{name}: {steps.total} images"), steps.total
                )
        if steps.finished > self._ended:
            self._bar.advance(steps.finished - self._ended)
            self._ended = steps.finished
        self._tell_delays()

    def _tell_delays(self) -> None:
        for job in self._jobs.delayed_within(self._order.key):
            if "message" in (job.result or {}) and self._is_new(_message(job)):
                self._warn(_reason(self._jobs, job))

    def tell(self, reason: LocalizedText) -> None:
        """Why it takes longer; each reason once."""
        if self._is_new(reason):
            self._warn(reason)

    def _is_new(self, reason: LocalizedText) -> bool:
        told = reason in self._told
        self._told.add(reason)
        return not told

    def _warn(self, reason: LocalizedText) -> None:
        self._terminal.warn(LocalizedText(f"{reason.zh}（将自动重试）", f"{reason.en} (it will be tried again)"))


def _report(repository: Repository, ended: Sequence[Job], terminal: Terminal) -> int:
    works = [_taken(repository, job, terminal) for job in ended if job.state is JobState.DONE]
    refused = [
        _refused(job.arguments["deposit"], job.result or {}, _reason(repository.jobs, job), terminal)
        for job in ended
        if job.state is JobState.FAILED
    ]
    terminal.result({"works": works, "refused": refused})
    return max((EXIT_CODES[cast(str, entry["branch"])] for entry in refused), default=0)


def _taken(repository: Repository, job: Job, terminal: Terminal) -> Mapping[str, object]:
    result: Mapping[str, Any] = job.result or {}
    identifier, images = result["identifier"], result["images"]
    base = repository.settings.base_url or _DEFAULT_ADDRESS
    manifest = f"{base}{manifest_path(identifier)}"
    news = (
        LocalizedText("已收入", "taken in")
        if result["changed"]
        else LocalizedText("已在馆藏，未变", "already held, unchanged")
    )
    folder = Path(job.arguments["deposit"]).name
    terminal.write(LocalizedText(f"✓ {folder}：{news.zh}，{images} 幅图像", f"✓ {folder}: {news.en}, {images} images"))
    terminal.write_value(LocalizedText("编号", "identifier"), identifier)
    terminal.write_value(LocalizedText("清单", "manifest"), manifest)
    return {"identifier": identifier, "manifest": manifest, "images": images, "state": "published", **result}


def _reason(jobs: Jobs, job: Job) -> LocalizedText:
    """Why a job was put off or has failed; which deposit it waits for when both are of the same work."""
    reason = _message(job)
    if job.result and job.result["code"] != Busy.code:
        return reason
    for other, _ in jobs.active("ingest"):
        work, place = (other.plan or {}).get("work"), other.arguments["deposit"]
        if other.key != job.key and work and Busy(what=work).message == reason:
            zh = f"送存 {place} 属同一著作（{work}），尚未结束；其进度见 shanben status，请待其结束后重试"
            en = f"The deposit {place} is of the same work ({work}) and has not ended; see it in shanben status,"
            return LocalizedText(zh, f"{en} and try again when it has")
    return reason


def _message(job: Job) -> LocalizedText:
    """What its task said that put it off or made it fail."""
    result: Mapping[str, Any] = job.result or {}
    return LocalizedText.of_json(result["message"])


def _refused(
    deposit: str, result: Mapping[str, Any], reason: LocalizedText, terminal: Terminal
) -> Mapping[str, object]:
    terminal.warn(reason)
    faults = [Fault.of_json(fault) for fault in result["faults"]]
    terminal.faults(faults)
    return {
        "deposit": deposit,
        "code": result["code"],
        "branch": result["branch"],
        "faults": [fault.to_localized_json(terminal.language) for fault in faults],
    }
