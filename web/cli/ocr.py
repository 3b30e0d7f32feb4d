"""`shanben ocr`: recognises the text of works, in this process or by workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import click

from repository import identifiers
from repository.config import process_settings
from repository.database.outbox import FINISHED, Job, Jobs, JobState, NewJob
from repository.errors import DependencyMissing, RequestInvalid
from repository.faults import Fault
from repository.identifiers import Kind
from repository.localized import LocalizedText, counted
from repository.repository import Repository
from web.cli.examiner import opened_examiner
from web.cli.follow_up import await_log, show_unfinished
from web.cli.terminal import EXIT_CONTENT, EXIT_SYSTEM, Terminal, TerminalProgress, command
from web.operations.status import job_failure
from workers.bootstrap import bootstrap
from workers.execution.context import TaskContext
from workers.ocr.pages import required_engine
from workers.service.local import Unfinished, local_runner
from workers.tasks.jobs import recognise_work_job

_PAUSE: Final = 0.5
_BATCH: Final = 1000

_PATIENCE: Final = 15.0
"""Seconds for which no worker with the engine may answer: one that starts or is busy answers late."""

_ANSWER: Final = 3.0
_ATTENDED: Final = 60.0
"""Seconds that a worker has to answer, and for which one that has answered is not asked again."""

_UNATTENDED: Final = LocalizedText(
    "没有装有文字识别软件包的工作进程应答，{count} 部著作尚未识别，任务留在队列中。请在一台工作机上运行 make ocr，"
    "并启动或重启其工作进程（shanben worker），任务即自动执行；再次运行本命令可看结果",
    "No worker with the packages of OCR answers, and {count} {count:work is|works are} not recognised yet. The jobs"
    " stay queued. Run make ocr on a worker machine and start or restart its workers (shanben worker): they run the"
    " jobs. Run this command again to see the outcome",
)


@click.command()
@click.argument("works", nargs=-1)
@click.option("--all", "every", is_flag=True, help="馆藏的全部著作。 All works that are held.")
@click.option(
    "--concurrency",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="并行数，每路约用内存 0.6 GB。 Jobs at a time; each takes about 0.6 GB of memory.",
)
@command
def ocr(terminal: Terminal, works: tuple[str, ...], every: bool, concurrency: int) -> int:
    """识别书页文字（OCR），存为著作的新版本；已有文本的页不识别。 Recognise the text of pages that have none.

    Repeating changes nothing, unless the engine has a new version. It needs the packages that make ocr installs.
    """
    if bool(works) == every:
        reason = LocalizedText("请给出著作编号，或用 --all", "name works, or give --all")
        raise RequestInvalid(part="WORKS", reason=reason)
    parsed = [identifiers.parse(work, Kind.WORK) for work in works]
    repository = bootstrap(process_settings())
    chosen = _all_works(repository) if every else dict.fromkeys(parsed)
    if repository.settings.broker:
        ended, left = _by_workers(repository, chosen, terminal)
        done = [job.arguments["work"] for job in ended if job.state is JobState.DONE]
        return _report(ended, await_log(repository, done), terminal, left)
    required_engine()
    with (
        opened_examiner(repository.settings, concurrency) as examiner,
        local_runner(TaskContext(repository, examiner)) as runner,
    ):
        ended = []
        for work in chosen:
            job = recognise_work_job(work)
            with _WorkDisplay(repository.jobs, job, terminal) as display:
                ended.append(runner.run(job, display.update))
        return _report(ended, runner.unfinished(), terminal)


def _all_works(repository: Repository) -> Iterator[str]:
    last = ""
    while works := repository.catalogue.identifiers_after(last, _BATCH):
        yield from works
        last = works[-1]


def _by_workers(
    repository: Repository, works: Iterable[str], terminal: Terminal
) -> tuple[list[Job], Sequence[str]]:  # fmt: skip
    """Have works recognised by workers on machines with the engine, and wait.

    Return the jobs as they ended, and the works whose jobs stay queued because no such worker answers.
    """
    # Imported here because Celery takes long to load, and only a broker needs it.
    from workers.service.celery_app import OCR_QUEUE, create_celery  # noqa: PLC0415
    from workers.service.dispatch import is_served, send_due  # noqa: PLC0415

    celery = create_celery(repository.settings)
    attendance = _Attendance(lambda: is_served(celery, OCR_QUEUE, _ANSWER))
    jobs = [recognise_work_job(work) for work in works]
    for job in jobs:
        repository.jobs.enqueue(job)
    send_due(celery, repository)
    ended: list[Job] = []
    for place, job in enumerate(jobs):
        awaited = _await(repository.jobs, job, attendance, terminal)
        if awaited is None:
            return ended, [each.arguments["work"] for each in jobs[place:]]
        ended.append(awaited)
    return ended, ()


class _Attendance:
    """Asks now and then whether a worker that could run the jobs is there."""

    def __init__(self, is_served: Callable[[], bool]) -> None:
        self._is_served = is_served
        self._due = time.monotonic() + _ANSWER
        self._silent_since: float | None = None

    def is_over(self) -> bool:
        """Return whether no worker has answered for too long. Raises `DependencyMissing` when the broker is away."""
        asked = time.monotonic()
        if asked < self._due:
            return False
        if self._is_served():
            self._due, self._silent_since = time.monotonic() + _ATTENDED, None
            return False
        if self._silent_since is None:
            self._silent_since = asked
        return time.monotonic() - self._silent_since >= _PATIENCE


def _await(jobs: Jobs, new_job: NewJob, attendance: _Attendance, terminal: Terminal) -> Job | None:
    """Return a job as it ended; None if nobody runs it, and no worker answers that could."""
    with _WorkDisplay(jobs, new_job, terminal) as display:
        while (job := jobs.get(new_job.key)) is None or job.state not in FINISHED:
            display.update()
            if attendance.is_over():
                return None
            time.sleep(_PAUSE)
    return job


class _WorkDisplay:
    """Shows the progress of one work as a bar."""

    def __init__(self, jobs: Jobs, job: NewJob, terminal: Terminal) -> None:
        self._jobs = jobs
        self._job = job
        self._bar: TerminalProgress = terminal.progress()
        self._total = 0

    def __enter__(self) -> _WorkDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.finish()

    def update(self) -> None:
        """Show what changed since the last call."""
        progress = self._jobs.progress(self._job.key)
        if progress.total and progress.total != self._total:
            self._total = progress.total
            work = self._job.arguments["work"]
            self._bar.start(LocalizedText(f"识别 {work}", f"Recognising {work}"), progress.total)
        self._bar.advance_to(progress.finished)


def _report(
    ended: Sequence[Job], unfinished: Sequence[Unfinished], terminal: Terminal, left: Sequence[str] = ()
) -> int:
    """Show the outcome for the works, of which those that are `left` wait for a worker. Return the exit code."""
    shown = [_show(job, terminal) for job in ended]
    if left:
        terminal.warn(_UNATTENDED.format(count=len(left)))
        shown += [(EXIT_SYSTEM, {"identifier": work, "code": DependencyMissing.code}) for work in left]
    follow_up = show_unfinished(unfinished, terminal)
    terminal.result({"works": [work for _, work in shown]})
    return max([follow_up, *(code for code, _ in shown)])


def _show(job: Job, terminal: Terminal) -> tuple[int, Mapping[str, object]]:
    """Show the outcome for a work. Return the exit code and the outcome for programs."""
    result: Mapping[str, Any] = job.result or {}
    work = job.arguments["work"]
    if job.state is not JobState.DONE:
        reason = job_failure(job).reason
        terminal.warn(LocalizedText(f"{work}：{reason.zh}", f"{work}: {reason.en}"))
        return EXIT_SYSTEM, {"identifier": work, "code": result.get("code")}
    faults = tuple(Fault.of_json(each) for each in result["faults"])
    terminal.faults(faults)
    read, version = result["read"], result["version"]
    if result["changed"]:
        pages = counted(read, "page", "pages")
        zh, en = f"✓ {work}：已识别 {read} 页，存为第 {version} 版", f"✓ {work}: {pages} read, version {version}"
    else:
        zh, en = f"✓ {work}：没有待识别的页，未变", f"✓ {work}: no page to read, unchanged"
    terminal.write(LocalizedText(zh, en))
    outcome = {key: result[key] for key in ("identifier", "read", "pages", "version", "changed")}
    outcome["faults"] = [fault.to_localized_json(terminal.language) for fault in faults]
    return EXIT_CONTENT if faults else 0, outcome
