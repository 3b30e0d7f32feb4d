"""What `shanben ingest` does: a job for each deposit, done here or by workers, and watched until it has ended."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from repository.errors import DatabaseFault, DepositRefused, Fault
from repository.handle import Repository
from repository.jobs import ENDED, Job, JobOrder, Jobs, JobState
from repository.text import Text
from web.terminal import EXIT_CODES, Terminal, TerminalProgress, fault_json
from workers.app import create_celery
from workers.deposit import survey
from workers.local import working_here
from workers.sending import submit
from workers.workshop import Workshop

_PAUSE: Final = 0.5
_DEFAULT_ADDRESS: Final = "http://127.0.0.1:8000"


def ingest_here(workshop: Workshop, deposits: Sequence[Path], terminal: Terminal) -> int:
    """Ingest each deposit in this process; one that is refused does not stop the others. The gravest exit code."""
    ended = []
    with working_here(workshop) as here:
        for order in map(ingest_order, deposits):
            with _Watch(workshop.repository.jobs, order, terminal) as watch:
                ended.append(here.do(order, watch.look))
    return _report(workshop.repository, ended, terminal)


def ingest_by_workers(repository: Repository, deposits: Sequence[Path], terminal: Terminal) -> int:
    """Have each deposit ingested by workers, all at once, and wait for them. The gravest exit code.

    A folder that is not there is a mistyped one: raises `DepositRefused` before anything is asked for.
    """
    for deposit in deposits:
        if not deposit.is_dir():
            raise DepositRefused(str(deposit), survey(deposit).faults)
    celery = create_celery(repository.settings)
    orders = list(map(ingest_order, deposits))
    for order in orders:
        submit(celery, repository, order)
    return _report(repository, [_await(repository.jobs, order, terminal) for order in orders], terminal)


def _await(jobs: Jobs, order: JobOrder, terminal: Terminal) -> Job:
    """The job when it has ended. A database that is away is waited for: the workers do the same."""
    with _Watch(jobs, order, terminal) as watch:
        while True:
            try:
                job = _job(jobs, order)
                if job.state in ENDED:
                    return job
                watch.look()
            except DatabaseFault as fault:
                watch.tell(fault.message)
            time.sleep(_PAUSE)


def _job(jobs: Jobs, order: JobOrder) -> Job:
    job = jobs.get(order.key)
    assert job is not None  # noqa: S101 - it was written by the caller, and such jobs are never deleted
    return job


class _Watch:
    """How far one ingest is, shown as a bar of pages; a fault that makes it wait is told once."""

    def __init__(self, jobs: Jobs, order: JobOrder, terminal: Terminal) -> None:
        self._jobs = jobs
        self._order = order
        self._terminal = terminal
        self._bar: TerminalProgress = terminal.progress()
        self._total = self._ended = 0
        self._told: set[str] = set()

    def __enter__(self) -> _Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.end()

    def look(self) -> None:
        """Show what has changed since the last look."""
        steps = self._jobs.steps(self._order.key)
        if steps.total != self._total:
            self._total, self._ended = steps.total, 0
            name = Path(self._order.arguments["deposit"]).name
            if steps.total:
                self._bar.begin(Text(f"{name}：{steps.total} 幅", f"{name}: {steps.total} images"), steps.total)
        if steps.ended > self._ended:
            self._bar.advance(steps.ended - self._ended)
            self._ended = steps.ended
        self._tell_delays()

    def _tell_delays(self) -> None:
        for job in self._jobs.delayed_in(self._order.key):
            words: Mapping[str, str] = cast(Mapping[str, str], (job.result or {}).get("message", {}))
            if words:
                self.tell(Text(words["zh"], words["en"]))

    def tell(self, reason: Text) -> None:
        """Why it takes longer; each reason once."""
        if reason.en not in self._told:
            self._told.add(reason.en)
            self._terminal.warn(Text(f"{reason.zh}（将自动重试）", f"{reason.en} (it will be tried again)"))


def _report(repository: Repository, ended: Sequence[Job], terminal: Terminal) -> int:
    works = [_taken(repository, job, terminal) for job in ended if job.state is JobState.DONE]
    refused = [_refused(job, terminal) for job in ended if job.state is JobState.FAILED]
    terminal.result({"works": works, "refused": refused})
    return max((EXIT_CODES[cast(str, entry["branch"])] for entry in refused), default=0)


def ingest_order(deposit: Path) -> JobOrder:
    """The job of ingesting a folder, known by the folder's place."""
    place = str(deposit.resolve())
    return JobOrder(f"ingest:{hashlib.sha256(place.encode()).hexdigest()[:32]}", "ingest", {"deposit": place})


def _taken(repository: Repository, job: Job, terminal: Terminal) -> Mapping[str, object]:
    result: Mapping[str, Any] = job.result or {}
    identifier, images = result["identifier"], result["images"]
    base = repository.settings.base_url or _DEFAULT_ADDRESS
    manifest = f"{base}/iiif/presentation/3/{identifier}/manifest"
    news = Text("已收入", "taken in") if result["changed"] else Text("已在馆藏，未变", "already held, unchanged")
    folder = Path(job.arguments["deposit"]).name
    terminal.say(Text(f"✓ {folder}：{news.zh}，{images} 幅图像", f"✓ {folder}: {news.en}, {images} images"))
    terminal.say_value(Text("编号", "identifier"), identifier)
    terminal.say_value(Text("清单", "manifest"), manifest)
    return {"identifier": identifier, "manifest": manifest, "images": images, "state": "published", **result}


def _refused(job: Job, terminal: Terminal) -> Mapping[str, object]:
    result: Mapping[str, Any] = job.result or {}
    terminal.warn(Text(result["message"]["zh"], result["message"]["en"]))
    faults = [
        Fault(fault["file"], fault["place"], fault["code"], Text(**fault["message"])) for fault in result["faults"]
    ]
    terminal.faults(faults)
    return {
        "deposit": job.arguments["deposit"],
        "code": result["code"],
        "branch": result["branch"],
        "faults": [fault_json(fault, terminal.language) for fault in faults],
    }
