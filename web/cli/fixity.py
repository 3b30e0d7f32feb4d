"""``shanben fixity``: check stored files now, show what is due, and issue the preservation report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final

import click
from rich import box
from rich.table import Table
from rich.text import Text

from preservation.fixity.findings import FixityIncomplete
from preservation.fixity.results import reason_text
from repository import identifiers
from repository.clock import timestamp
from repository.config import process_settings
from repository.database.fixity_values import FixitySweep, RecordedFinding
from repository.database.outbox import FINISHED, Job, NewJob
from repository.errors import NotFound, StoreFault
from repository.identifiers import Kind
from repository.localized import LocalizedText, counted
from repository.repository import Repository
from web.cli.examiner import opened_examiner
from web.cli.fixity_report import report
from web.cli.store_option import replica_named
from web.cli.terminal import EXIT_CODES, EXIT_CONTENT, EXIT_SYSTEM, PrintableConsole, Terminal, command
from web.messages.interface import MESSAGES
from web.operations.formatting import byte_size, grouped
from workers.bootstrap import bootstrap
from workers.execution.context import TaskContext
from workers.service.local import local_runner, unfinished_of
from workers.tasks.fixity_plan import FixityPlan, files_to_check, read_plan
from workers.tasks.fixity_settings import store_label, stores_of
from workers.tasks.fixity_units import record_new_units
from workers.tasks.jobs import ALL, DUE, sweep_job
from workers.tasks.sweep import failure_of

_PAUSE_SECONDS: Final = 0.5
_PAGE: Final = 1000
_MOST_SHOWN: Final = 50
_MOST_REASONS: Final = 5
_REMEDY: Final = LocalizedText(
    "可运行 shanben repair，用其他存储中的完好副本修复", "shanben repair puts back what another store has intact"
)


@click.group()
def fixity() -> None:
    """完整性：校验所存文件，查看计划，出具报告。 Fixity: check stored files, show the plan, issue reports."""


fixity.add_command(report)


@fixity.command()
@click.option("--all", "everything", is_flag=True, help="全部文件，不论是否到期。 Everything, whether due or not.")
@click.option("--store", "name", metavar="NAME", help="只查此存储（store 或副本名）。 Only this store.")
@click.option("--work", metavar="WORK", help="只查此著作。 Only this work.")
@click.option(
    "--limit", metavar="BYTES/s", type=click.IntRange(1), help="每进程每秒至多读取的字节数。 For each process."
)
@command
def run(terminal: Terminal, everything: bool, name: str | None, work: str | None, limit: int | None) -> int:
    """立即校验到期的文件；中断后再次运行即可继续。 Check what is due now; run it again to continue."""
    repository = bootstrap(process_settings())
    stores = stores_of(repository) if name is None else [replica_named(repository, name)]
    scope = _scope(repository, everything, work)
    rate = repository.settings.fixity_limit if limit is None else limit
    started = time.monotonic()
    jobs = [sweep_job(store, scope, rate) for store in stores]
    if repository.settings.broker:
        ended = _run_by_workers(repository, jobs, terminal)
    else:
        ended = _run_locally(repository, jobs, terminal)
    return _report(repository, ended, time.monotonic() - started, terminal)


@fixity.command()
@command
def plan(terminal: Terminal) -> None:
    """查看计划：文件、到期与逾期、所需速度、完成日期。 Show what is due and late, the rate needed, and the end."""
    repository = bootstrap(process_settings())
    for store in stores_of(repository):
        try:
            record_new_units(repository, store)
        except StoreFault as fault:  # what is recorded of it is shown
            terminal.warn(fault.message)
    current = read_plan(repository)
    _show_plan(current, terminal)
    terminal.result(
        {
            "files": current.files,
            "bytes": current.bytes,
            "due": current.due,
            "late": current.late,
            "bytes_per_second": current.bytes_per_second,
            "ends": timestamp(current.ends) if current.ends else None,
        }
    )


def _scope(repository: Repository, everything: bool, work: str | None) -> str:
    if work is None:
        return ALL if everything else DUE
    identifier = identifiers.parse(work, Kind.WORK)
    if not any(repository.fixity.units_of_work(identifier, store) for store in stores_of(repository)) and (
        repository.catalogue.state(identifier) is None
    ):
        raise NotFound(what=identifier)
    return identifier


def _run_locally(repository: Repository, jobs: Sequence[NewJob], terminal: Terminal) -> list[Job]:
    """Run the sweeps in this process, one store after another."""
    ended = []
    with opened_examiner(repository.settings, 1) as examiner, local_runner(TaskContext(repository, examiner)) as runner:
        for job in jobs:
            with _Display(repository, job, terminal) as display:
                ended.append(runner.run(job, display.update))
    return ended


def _run_by_workers(repository: Repository, jobs: Sequence[NewJob], terminal: Terminal) -> list[Job]:
    """Have workers run the sweeps, and wait for them. Raises `DependencyMissing` when the broker is away."""
    # Imported here because Celery takes long to load, and only a broker needs it.
    from workers.service.celery_app import create_celery  # noqa: PLC0415
    from workers.service.dispatch import submit  # noqa: PLC0415

    celery = create_celery(repository.settings)
    for job in jobs:
        submit(celery, repository, job)
    return [_await(repository, job, terminal) for job in jobs]


def _await(repository: Repository, new_job: NewJob, terminal: Terminal) -> Job:
    with _Display(repository, new_job, terminal) as display:
        while True:
            job = repository.jobs.get(new_job.key)
            if job is None:
                raise NotFound(what=new_job.key)
            if job.state in FINISHED:
                return job
            display.update()
            time.sleep(_PAUSE_SECONDS)


class _Display:
    """The progress of one sweep: files checked of those to be checked."""

    def __init__(self, repository: Repository, job: NewJob, terminal: Terminal) -> None:
        self._repository = repository
        self._store, self._scope = job.arguments["store"], job.arguments["scope"]
        self._progress = terminal.progress()
        self._is_shown = False

    def __enter__(self) -> _Display:
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.finish()

    def update(self) -> None:
        """Show how far the sweep is, once it has recorded what there is to check."""
        sweep = self._repository.sweeps.running(self._store)
        if sweep is None or not sweep.canaries:
            return
        if not self._is_shown:
            label = store_label(self._store)
            total = files_to_check(self._repository, self._store, self._scope)
            self._progress.start(LocalizedText(f"校验 {label}", f"Checking {label}"), total)
            self._is_shown = True
        self._progress.advance_to(sweep.expected)


def _report(repository: Repository, ended: Sequence[Job], seconds: float, terminal: Terminal) -> int:
    """Report what the sweeps found.

    Return the exit code: that of the gravest failure, else 1 for findings, else 3 if a file was not checked, else 0.
    """
    sweeps, code = [], 0
    for job in ended:
        number = (job.result or {}).get("sweep")
        sweep = repository.sweeps.get(number) if isinstance(number, int) else None
        if sweep is None:
            terminal.warn(unfinished_of(job).reason)
            code = EXIT_SYSTEM
        else:
            sweeps.append(sweep)
    findings = [finding for sweep in sweeps for finding in _findings(repository, sweep)]
    _show(sweeps, findings, terminal)
    terminal.result(_document(sweeps, findings, seconds))
    failures = [failure for failure in map(failure_of, sweeps) if failure]
    for failure in {failure.message: failure for failure in failures}.values():
        terminal.report_error(failure)
    if unchecked := sum(sweep.not_checked for sweep in sweeps):
        _show_unchecked(repository, sweeps, unchecked, terminal)
    content = EXIT_CONTENT if findings else EXIT_SYSTEM if unchecked else 0
    return max([code, *(EXIT_CODES[failure.branch] for failure in failures), content])


def _findings(repository: Repository, sweep: FixitySweep) -> Iterator[RecordedFinding]:
    last = 0
    while page := repository.findings.findings_of_sweep(sweep.id, after=last, limit=_PAGE):
        yield from page
        last = page[-1].id


def _document(sweeps: Sequence[FixitySweep], findings: Sequence[RecordedFinding], seconds: float) -> dict[str, object]:
    return {
        "expected": sum(sweep.expected for sweep in sweeps),
        "checked": sum(sweep.checked for sweep in sweeps),
        "passed": sum(sweep.passed for sweep in sweeps),
        "failed": sum(sweep.failed for sweep in sweeps),
        "not_checked": sum(sweep.not_checked for sweep in sweeps),
        "seconds": round(seconds, 3),
        "findings": [
            {
                "store": store_label(finding.store),
                "key": finding.key,
                "work": finding.work,
                "kind": finding.kind,
                "expected": finding.expected,
                "found": finding.found,
                "first_seen": finding.first_seen,
                "state": finding.state.value,
            }
            for finding in findings
        ],
    }


def _show(sweeps: Sequence[FixitySweep], findings: Sequence[RecordedFinding], terminal: Terminal) -> None:
    if terminal.as_json:
        return
    table = Table(box=box.SIMPLE, pad_edge=False)
    for column in ("store", "expected", "passed", "failed", "not-checked", "read"):
        title = MESSAGES[f"fixity.{column}"].in_language(terminal.language)
        table.add_column(title, justify="left" if column == "store" else "right", overflow="fold")
    for sweep in sweeps:
        counts = (sweep.expected, sweep.passed, sweep.failed, sweep.not_checked)
        table.add_row(Text(store_label(sweep.store)), *map(grouped, counts), byte_size(sweep.bytes))
    PrintableConsole().print(table)
    _show_findings(findings, terminal)


def _show_unchecked(repository: Repository, sweeps: Sequence[FixitySweep], unchecked: int, terminal: Terminal) -> None:
    """Show that files were not checked, and why."""
    for sweep in sweeps:
        for reason in map(reason_text, repository.fixity.reasons(sweep.store, sweep.id, _MOST_REASONS)):
            if reason:
                terminal.write(LocalizedText(f"未查：{reason.zh}", f"Not checked: {reason.en}"))
    reason = LocalizedText(
        f"有 {unchecked} 个文件未查；待原因消除后，请运行 shanben fixity run --all",
        f"{counted(unchecked, 'file was', 'files were')} not checked; run shanben fixity run --all when the cause is"
        " gone",
    )
    terminal.report_error(FixityIncomplete(reason=reason))


def _show_findings(findings: Sequence[RecordedFinding], terminal: Terminal) -> None:
    for finding in findings[:_MOST_SHOWN]:
        kind = MESSAGES[f"finding.{finding.kind}"].in_language(terminal.language)
        terminal.write_line(f"✗ {kind}  {store_label(finding.store)}  {finding.key}")
    if len(findings) > _MOST_SHOWN:
        more = len(findings) - _MOST_SHOWN
        terminal.write(LocalizedText(f"另有 {more} 处", f"and {more} more"))
    if findings:
        terminal.write(_REMEDY)


def _show_plan(current: FixityPlan, terminal: Terminal) -> None:
    ends = timestamp(current.ends)[:10] if current.ends else None
    never = "fixity.never-ends" if current.files else "fixity.nothing-stored"
    for name, value in (
        ("fixity.files", grouped(current.files)),
        ("fixity.bytes", byte_size(current.bytes)),
        ("fixity.due", grouped(current.due)),
        ("fixity.late", grouped(current.late)),
        ("fixity.rate", f"{byte_size(current.bytes_per_second)}/s"),
        ("fixity.ends", ends or MESSAGES[never].in_language(terminal.language)),
    ):
        terminal.write_value(MESSAGES[name], value)
