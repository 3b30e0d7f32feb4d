"""The command ``shanben repair``: put back what is damaged or missing in any store from another that has it intact."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final

import click

from preservation.fixity.repair import STORE
from preservation.fixity.repair_outcome import LeftFinding, RepairOutcome
from preservation.fixity.store_check import StoreCheck
from repository import identifiers, paths
from repository.config import process_settings
from repository.database.outbox import FINISHED, Job, JobState, NewJob
from repository.database.store_registry import PRIMARY
from repository.errors import NotFound, StoreFault
from repository.identifiers import Kind
from repository.localized import LocalizedText
from repository.model import WorkState
from repository.repository import Repository
from web.cli.examiner import opened_examiner
from web.cli.follow_up import await_log, show_unfinished
from web.cli.terminal import EXIT_CONTENT, EXIT_SYSTEM, Terminal, command
from web.messages.interface import MESSAGES
from web.operations.status import job_failure
from workers.bootstrap import bootstrap
from workers.execution.context import TaskContext
from workers.progress import Progress
from workers.service.local import local_runner
from workers.tasks.jobs import repair_stores_job, repair_work_job
from workers.tasks.repair import repair_jobs

_PAUSE_SECONDS: Final = 0.5
_MOST_SHOWN: Final = 100
_PAGE: Final = 1000


@click.command()
@click.argument("works", metavar="[WORK]...", nargs=-1)
@click.option(
    "--all", "everything", is_flag=True, help="先检查全部存储，再修复。 Check every store completely, then repair."
)
@click.option(
    "--quarantine",
    is_flag=True,
    help="将来历不明的文件移入隔离区。 Move unexpected files into the quarantine of their store.",
)
@command
def repair(terminal: Terminal, works: tuple[str, ...], *, everything: bool, quarantine: bool) -> int:
    """用完好的副本修复损坏与缺失的文件。 Repair damaged and missing files from any store that has them intact."""
    repository = bootstrap(process_settings())
    jobs = list(_jobs(repository, works, terminal.progress(), everything=everything, quarantine=quarantine))
    ended, code = _by_workers(repository, jobs) if repository.settings.broker else _locally(repository, jobs, terminal)
    outcome = RepairOutcome()
    for job in ended:
        outcome.add(_outcome_of(job))
    _show(terminal, outcome)
    terminal.result(_document(outcome, terminal))
    if outcome.lost:
        return EXIT_CONTENT
    is_done = all(job.state is JobState.DONE for job in ended) and not any(not each.key for each in outcome.left)
    return code if is_done else EXIT_SYSTEM


def _jobs(
    repository: Repository, works: Sequence[str], progress: Progress, *, everything: bool, quarantine: bool
) -> Iterator[NewJob]:
    """Yield the jobs to run: of the works named, of all that a check of every store finds, or of open findings."""
    if works:
        for work in dict.fromkeys(identifiers.parse(work, Kind.WORK) for work in works):
            if not repository.catalogue.version(work):
                raise NotFound(what=work)
            yield repair_work_job(work, quarantine=quarantine, derived=True)
    elif everything:
        yield repair_stores_job()
        found = {job.arguments["work"] for job in repair_jobs(repository) if job.arguments}
        for work in sorted(found | _damaged_works(repository, progress) | set(_works_without_derived(repository))):
            yield repair_work_job(work, quarantine=quarantine, derived=True)
    else:
        yield from repair_jobs(repository, quarantine=quarantine)


def _damaged_works(repository: Repository, progress: Progress) -> set[str]:
    """Check every store completely; return the works with findings. A store that is away is skipped."""
    works: set[str] = set()
    for name in (PRIMARY, *repository.replicas):
        shown = name or STORE
        progress.start(LocalizedText(f"检查 {shown}", f"Checking {shown}"), 0)
        try:
            checks = StoreCheck(repository, name).run()
            works |= {check.finding.work for check in checks if check.finding and check.finding.work}
        except StoreFault:
            continue  # each repair names the store that is out of reach
        finally:
            progress.finish()
    return works


def _works_without_derived(repository: Repository) -> Iterator[str]:
    """Yield the works of which a pyramid or the manifest is missing."""
    last = ""
    while works := repository.catalogue.identifiers_after(last, _PAGE):
        for work in works:
            keys = [pyramid.key for pyramid in repository.catalogue.pyramids(work).values()]
            held = repository.catalogue.access(work)
            if held and held.access.state is not WorkState.WITHDRAWN:
                keys.append(paths.manifest(work))
            if not all(map(repository.store.exists, keys)):
                yield work
        last = works[-1]


def _locally(repository: Repository, jobs: Sequence[NewJob], terminal: Terminal) -> tuple[list[Job], int]:
    with opened_examiner(repository.settings) as examiner, local_runner(TaskContext(repository, examiner)) as runner:
        first = [job for job in jobs if not job.arguments]  # the log is the second witness of every work
        ended = runner.attempt(first) + runner.attempt([job for job in jobs if job.arguments])
        keys = {job.key for job in ended}
        unfinished = [each for each in runner.unfinished() if each.job.key not in keys]
    return ended, show_unfinished(unfinished, terminal)


def _by_workers(repository: Repository, jobs: Sequence[NewJob]) -> tuple[list[Job], int]:
    # Imported here because Celery takes long to load, and only a broker needs it.
    from workers.service.celery_app import create_celery  # noqa: PLC0415
    from workers.service.dispatch import submit  # noqa: PLC0415

    celery = create_celery(repository.settings)
    for job in jobs:
        submit(celery, repository, job)
    ended = []
    for job in jobs:
        while (current := repository.jobs.get(job.key)) and current.state not in FINISHED:
            time.sleep(_PAUSE_SECONDS)
        ended += [current] if current else []
    await_log(repository, [job.arguments["work"] for job in jobs if "work" in job.arguments])
    return ended, 0


def _outcome_of(job: Job) -> RepairOutcome:
    if job.state is JobState.DONE and job.result:
        return RepairOutcome.of_json(job.result)
    left = LeftFinding("", job.arguments.get("work", ""), "", job_failure(job).reason, job.arguments.get("work", ""))
    return RepairOutcome(left=[left])


def _document(outcome: RepairOutcome, terminal: Terminal) -> dict[str, object]:
    return {
        "repaired": [{"store": each.store, "key": each.key, "from": each.source} for each in outcome.repaired],
        "lost": [
            {
                "key": each.key,
                "work": each.work,
                "remains": [{"kind": left.kind.value, "store": left.store, "key": left.key} for left in each.remains],
            }
            for each in outcome.lost
        ],
        "left": [
            {
                "store": each.store,
                "key": each.key,
                "kind": each.kind,
                "work": each.work,
                "reason": each.reason.in_language(terminal.language),
            }
            for each in outcome.left
        ],
    }


def _show(terminal: Terminal, outcome: RepairOutcome) -> None:
    for repaired in outcome.repaired[:_MOST_SHOWN]:
        terminal.write(
            MESSAGES["repair.repaired"].format(store=repaired.store, key=repaired.key, source=repaired.source)
        )
    for lost in outcome.lost[:_MOST_SHOWN]:
        terminal.write(MESSAGES["repair.lost"].format(key=lost.key))
        for each in lost.remains:
            remains = MESSAGES[f"repair.remains-{each.kind}"].format(store=each.store, key=each.key)
            terminal.write(LocalizedText(f"    {remains.zh}", f"    {remains.en}"))
    for left in outcome.left[:_MOST_SHOWN]:
        where = " ".join(filter(None, (left.store, left.key)))
        terminal.write(MESSAGES["repair.left"].format(where=where, reason=left.reason))
    numbers = {name: len(getattr(outcome, name)) for name in ("repaired", "lost", "left")}
    terminal.write(MESSAGES["repair.totals" if any(numbers.values()) else "repair.nothing"].format(**numbers))
