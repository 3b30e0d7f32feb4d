"""The command ``shanben repair``: put back what is damaged or missing in any store from another that has it intact."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

import click

from preservation.fixity.findings import FindingKind
from preservation.fixity.repair_outcome import LeftFinding, RepairOutcome
from preservation.log.readable import stated_size
from preservation.log.sequencer import remembered_size
from repository import identifiers
from repository.clock import timestamp
from repository.config import process_settings
from repository.database.outbox import FINISHED, Job, JobState, NewJob
from repository.database.store_registry import PRIMARY
from repository.errors import NotFound
from repository.identifiers import Kind
from repository.localized import LocalizedText
from repository.repository import Repository
from repository.store_label import PRIMARY_LABEL
from web.cli.examiner import opened_examiner
from web.cli.follow_up import await_log, show_unfinished
from web.cli.terminal import EXIT_CONTENT, EXIT_SYSTEM, Terminal, command
from web.messages.interface import MESSAGES
from web.operations.status import job_failure
from workers.bootstrap import bootstrap
from workers.execution.context import TaskContext
from workers.execution.liveness import release_jobs_of_dead_workers
from workers.service.local import LocalRunner, local_runner
from workers.tasks.jobs import (
    ALL,
    REPAIR_STORES,
    REPAIR_WORK,
    SWEEP_STORE,
    repair_stores_job,
    repair_work_job,
    sweep_job,
)
from workers.tasks.repair import repair_jobs, repaired_since, verification_jobs

_PAUSE_SECONDS: Final = 0.5
_MOST_SHOWN: Final = 100
# Part of the key of a file that an ingest puts back from the deposit.
_IN_DEPOSITS: Final = "/content/masters/"


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
    started = _await_new_second(repository)
    identifiers_given = [_known(repository, work) for work in dict.fromkeys(works)]
    with _execution(repository) as execution:
        if everything and not identifiers_given:
            execution.run([sweep_job(store, ALL) for store in (PRIMARY, *repository.replicas)])
        _await_running_repairs(repository, identifiers_given, terminal)
        if identifiers_given:
            jobs = [repair_work_job(work, quarantine=quarantine, derived=True) for work in identifiers_given]
        else:
            jobs = repair_jobs(repository, quarantine=quarantine)
            if not any(job.kind == REPAIR_STORES for job in jobs) and _may_be_at_fault(repository):
                jobs.insert(0, repair_stores_job(quarantine=quarantine))
        ended = _repaired(repository, execution, jobs, started)
        outcome = RepairOutcome()
        for job in ended:
            outcome.add(_outcome_of(job))
        outcome.repaired += list(repaired_since(repository, started, outcome, identifiers_given))
        execution.run(verification_jobs(repository, outcome))
        code = execution.finish(terminal)
    outcome.left += _unchecked(repository, started) if everything else ()
    _show(terminal, outcome)
    terminal.result(_document(outcome, terminal))
    if outcome.lost:
        return EXIT_CONTENT
    is_harmless = all(each.key and each.kind == FindingKind.UNEXPECTED for each in outcome.left)
    is_done = all(job.state is JobState.DONE for job in ended) and is_harmless
    return code if is_done else EXIT_SYSTEM


def _await_new_second(repository: Repository) -> str:
    """Return the time when a new second has begun.

    The times of jobs are whole seconds: a repair that ended in the second before is not one that ended since.
    """
    before = timestamp(repository.clock())
    while (now := timestamp(repository.clock())) == before:
        time.sleep(_PAUSE_SECONDS / 10)
    return now


def _known(repository: Repository, work: str) -> str:
    identifier = identifiers.parse(work, Kind.WORK)
    if not repository.catalogue.version(identifier):
        raise NotFound(what=identifier)
    return identifier


def _may_be_at_fault(repository: Repository) -> bool:
    """Return whether the log was signed with more entries than the store states, or events wait for it.

    No check may have found the fault yet.
    """
    is_rolled_back = stated_size(repository.store) < remembered_size(repository)
    return is_rolled_back or repository.log_sequence.has_unlogged_events()


def _await_running_repairs(repository: Repository, works: Sequence[str], terminal: Terminal) -> None:
    """Wait until no worker repairs one of these works, or anything if none is given.

    It would be run again, which finds nothing to repair. The jobs of dead workers are queued again.
    """

    def running() -> list[Job]:
        jobs = [job for kind in (REPAIR_STORES, REPAIR_WORK) for job, _ in repository.jobs.active(kind)]
        wanted = [job for job in jobs if not works or job.arguments.get("work") in works]
        return [job for job in wanted if job.state is JobState.RUNNING]

    if jobs := running():
        what = jobs[0].arguments.get("work") or "log"
        zh = f"工作进程正在修复（{what}），等待其结束"
        terminal.warn(LocalizedText(zh, f"A worker is repairing {what}; waiting until it has ended"))
    while running():
        time.sleep(_PAUSE_SECONDS)
        release_jobs_of_dead_workers(repository)
        repository.jobs.release_expired()


def _repaired(repository: Repository, execution: _Execution, jobs: Sequence[NewJob], started: str) -> list[Job]:
    """Run repairs, the log's first: it is the second witness of every work. Those just run by others are not repeated.

    Return them as they ended.
    """
    for kind in (REPAIR_STORES, REPAIR_WORK):
        execution.run([job for job in jobs if job.kind == kind and not _has_ended(repository, job, started)])
    return repository.jobs.among([job.key for job in jobs])


def _has_ended(repository: Repository, new_job: NewJob, started: str) -> bool:
    job = repository.jobs.get(new_job.key)
    return job is not None and job.state in FINISHED and job.since >= started


class _Execution(Protocol):
    """Runs jobs to their end."""

    def run(self, jobs: Sequence[NewJob]) -> None:
        """Run jobs, and wait until they have ended or are postponed."""

    def finish(self, terminal: Terminal) -> int:
        """Finish the log's jobs and those of the replicas. Return the exit code."""


class _Here:
    """Runs jobs in this process."""

    def __init__(self, runner: LocalRunner) -> None:
        self._runner = runner
        self._keys: set[str] = set()

    def run(self, jobs: Sequence[NewJob]) -> None:
        self._keys |= {job.key for job in jobs}
        self._runner.attempt([job for job in jobs if job.kind != SWEEP_STORE])
        for job in jobs:
            if job.kind == SWEEP_STORE:
                self._runner.run(job)

    def finish(self, terminal: Terminal) -> int:
        return show_unfinished([each for each in self._runner.unfinished() if each.job.key not in self._keys], terminal)


class _ByWorkers:
    """Has workers run the jobs."""

    def __init__(self, repository: Repository) -> None:
        # Imported here because Celery takes long to load, and only a broker needs it.
        from workers.service.celery_app import create_celery  # noqa: PLC0415

        self._repository = repository
        self._celery = create_celery(repository.settings)
        self._works: set[str] = set()

    def run(self, jobs: Sequence[NewJob]) -> None:
        from workers.service.dispatch import submit  # noqa: PLC0415

        self._works |= {job.arguments["work"] for job in jobs if "work" in job.arguments}
        for job in jobs:
            submit(self._celery, self._repository, job)
        for job in jobs:
            while (current := self._repository.jobs.get(job.key)) and current.state not in FINISHED:
                time.sleep(_PAUSE_SECONDS)

    def finish(self, terminal: Terminal) -> int:
        return show_unfinished(await_log(self._repository, sorted(self._works)), terminal)


@contextmanager
def _execution(repository: Repository) -> Iterator[_Execution]:
    if repository.settings.broker:
        yield _ByWorkers(repository)
        return
    with opened_examiner(repository.settings) as examiner, local_runner(TaskContext(repository, examiner)) as runner:
        yield _Here(runner)


def _unchecked(repository: Repository, started: str) -> Iterator[LeftFinding]:
    """Yield the stores whose check failed: what is damaged there is not known."""
    for store in (PRIMARY, *repository.replicas):
        job = repository.jobs.get(sweep_job(store, ALL).key)
        if job is not None and job.state is JobState.FAILED and job.since >= started:
            yield LeftFinding(store or PRIMARY_LABEL, "", FindingKind.UNREADABLE.value, job_failure(job).reason)


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
    if any(_IN_DEPOSITS in lost.key for lost in outcome.lost):
        terminal.write(MESSAGES["repair.lost-remedy"])
    for left in outcome.left[:_MOST_SHOWN]:
        where = " ".join(filter(None, (left.store, left.key)))
        terminal.write(MESSAGES["repair.left"].format(where=where, reason=left.reason))
    numbers = {name: len(getattr(outcome, name)) for name in ("repaired", "lost", "left")}
    unrepaired = "repair.ended" if outcome.changed else "repair.nothing"
    terminal.write(MESSAGES["repair.totals" if any(numbers.values()) else unrepaired].format(**numbers))
