"""The commands ``shanben withdraw``, ``restore`` and ``access``: who may see a work.

The change is in force as soon as the command has changed the catalogue. The job that preserves it runs in this process,
or in a worker if there is a broker.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from typing import Final

import click

from repository import identifiers
from repository.config import process_settings
from repository.database.outbox import FINISHED, Job, JobState
from repository.errors import RequestInvalid
from repository.identifiers import Kind
from repository.localized import LocalizedText
from repository.model.work import Access, WorkAccess, WorkState
from repository.repository import Repository
from web.cli.examiner import opened_examiner
from web.cli.follow_up import show_unfinished
from web.cli.terminal import EXIT_SYSTEM, Terminal, command
from web.operations.status import job_failure
from workers.bootstrap import bootstrap
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks import access as changes
from workers.tasks.jobs import access_job

LARGEST_SIDE: Final = 1_000_000
"""The largest `--max-size` in pixels: larger than any image."""

_WAIT_SECONDS: Final = 30.0
_PAUSE: Final = 0.2


@click.command()
@click.argument("work")
@click.option("--reason", required=True, help="撤下的理由，存档但不公开。 Why; preserved, never published.")
@command
def withdraw(terminal: Terminal, work: str, reason: str) -> int:
    """撤下著作，停止公开；原图仍妥善保存。 Withdraw a work from public view; its masters stay preserved."""
    repository, identifier = _opened(work)
    access = changes.withdraw(repository, identifier, _reason(reason))
    return _finish(repository, identifier, access, terminal)


@click.command()
@click.argument("work")
@click.option("--reason", default="", help="恢复的理由，存档但不公开。 Why; preserved, never published.")
@command
def restore(terminal: Terminal, work: str, reason: str) -> int:
    """恢复已撤下的著作，其利用限制不变。 Return a withdrawn work to public view, with the access it had."""
    repository, identifier = _opened(work)
    access = changes.restore(repository, identifier, _reason(reason))
    return _finish(repository, identifier, access, terminal)


@click.command()
@click.argument("work")
@click.argument("level", type=click.Choice([level.value for level in Access]))
@click.option(
    "--max-size",
    type=click.IntRange(1, LARGEST_SIDE),
    help="reduced 时可见的最长边（像素）。 The longest side shown by reduced access, in pixels.",
)
@click.option(
    "--until",
    metavar="DATE",
    help="限制终止之日，自该日零时（世界时）起公开。 The day (UTC) from whose beginning on the work is open.",
)
@click.option("--reason", default="", help="变更的理由，存档但不公开。 Why; preserved, never published.")
@command
def access(terminal: Terminal, work: str, level: str, *, max_size: int | None, until: str | None, reason: str) -> int:
    """设定著作的利用限制：公开、限制尺寸、限制访问。 Set the access to a work: open, reduced or restricted."""
    chosen = Access(level)
    if (max_size is not None) != (chosen is Access.REDUCED):
        raise RequestInvalid(part="--max-size", reason=_MAX_SIZE)
    day = _day(until, chosen)
    repository, identifier = _opened(work)
    changed = changes.set_level(
        repository, identifier, WorkAccess(access=chosen, max_size=max_size, until=day), _reason(reason)
    )
    return _finish(repository, identifier, changed, terminal)


_MAX_SIZE: Final = LocalizedText(
    "reduced 须给出 --max-size，其他级别不得给出", "give --max-size with reduced, and with nothing else"
)
_NO_DAY: Final = LocalizedText("应为以后的日期，如 2031-01-01", "it must be a day after today, such as 2031-01-01")
_NOT_OPEN: Final = LocalizedText("公开没有期限；请勿给出", "open access has no end; leave it out")
_BLANK: Final = LocalizedText("须写明理由，不得含控制字符", "give a reason, without control characters")


def _day(until: str | None, level: Access) -> str | None:
    """Return the day on which a restriction ends. Raises `RequestInvalid` for what is no day after today."""
    if until is None:
        return None
    if level is Access.OPEN:
        raise RequestInvalid(part="--until", reason=_NOT_OPEN)
    try:
        day = date.fromisoformat(until)
    except ValueError as fault:
        raise RequestInvalid(part="--until", reason=_NO_DAY) from fault
    if day <= datetime.now(UTC).date():
        raise RequestInvalid(part="--until", reason=_NO_DAY)
    return day.isoformat()


def _reason(reason: str) -> str:
    if reason and not (reason.strip() and reason.isprintable()):
        raise RequestInvalid(part="--reason", reason=_BLANK)
    return reason.strip()


def _opened(work: str) -> tuple[Repository, str]:
    identifier = identifiers.parse(work, Kind.WORK)
    return bootstrap(process_settings()), identifier


def _finish(repository: Repository, work: str, access: WorkAccess, terminal: Terminal) -> int:
    """Preserve the change and show the access. Return the exit code: 3 if the change is in force but not preserved."""
    code = (
        _preserve_by_worker(repository, work, terminal)
        if repository.settings.broker
        else _preserve(repository, work, terminal)
    )
    if held := repository.catalogue.access(work):
        access = held.access  # the job does not open what the work's object restricts
    terminal.write(_description(work, access))
    shown = {"access": access.access.value, "max_size": access.max_size, "until": access.until}
    terminal.result({"identifier": work, "state": access.state.value, **shown})
    return code


def _preserve(repository: Repository, work: str, terminal: Terminal) -> int:
    with opened_examiner(repository.settings) as examiner, local_runner(TaskContext(repository, examiner)) as runner:
        [job] = runner.attempt([access_job(work)])
        unfinished = [each for each in runner.unfinished() if each.job.key != job.key]
    return max(_show_pending(job, terminal), show_unfinished(unfinished, terminal))


def _preserve_by_worker(repository: Repository, work: str, terminal: Terminal) -> int:
    # Imported here because Celery takes long to load, and only a broker needs it.
    from workers.service.celery_app import create_celery  # noqa: PLC0415
    from workers.service.dispatch import submit  # noqa: PLC0415

    new_job = access_job(work)
    submit(create_celery(repository.settings), repository, new_job)
    deadline = time.monotonic() + _WAIT_SECONDS
    while (job := repository.jobs.get(new_job.key)) and job.state not in FINISHED and time.monotonic() < deadline:
        time.sleep(_PAUSE)
    return _show_pending(job, terminal) if job else 0


def _show_pending(job: Job, terminal: Terminal) -> int:
    """Say that the change is not preserved yet, and why. Return the exit code."""
    if job.state is JobState.DONE:
        return 0
    reason = job_failure(job).reason
    if job.result and job.result.get("code") == changes.CatalogueOutdated.code:
        terminal.warn(reason)
        return EXIT_SYSTEM
    zh = f"变更已生效，但尚未存档：{reason.zh}。"
    en = f"The change is in force, but not preserved yet: {reason.en}. "
    if job.state is JobState.FAILED:
        terminal.warn(
            LocalizedText(f"{zh}请排除故障后运行 shanben retry", f"{en}Correct the fault, then run shanben retry")
        )
    else:
        terminal.warn(
            LocalizedText(f"{zh}任务已排队，将自动重试", f"{en}The job stays queued and is retried automatically")
        )
    return EXIT_SYSTEM


def _description(work: str, access: WorkAccess) -> LocalizedText:
    """Return what readers see of a work now."""
    end = LocalizedText("", "")
    if access.until:
        end = LocalizedText(f"，世界时 {access.until} 零时起公开", f" until {access.until} 00:00 UTC")
    shown = {
        Access.OPEN: LocalizedText("公开", "open"),
        Access.REDUCED: LocalizedText(
            f"限制尺寸（最长边 {access.max_size} 像素）", f"reduced to {access.max_size} pixels"
        ),
        Access.RESTRICTED: LocalizedText("限制访问", "restricted"),
    }[access.access]
    if access.state is WorkState.WITHDRAWN:
        zh = f"{work}：已撤下，不再公开（恢复后：{shown.zh}{end.zh}）"
        return LocalizedText(zh, f"{work}: withdrawn from public view (when restored: {shown.en}{end.en})")
    return LocalizedText(f"{work}：{shown.zh}{end.zh}", f"{work}: {shown.en}{end.en}")
