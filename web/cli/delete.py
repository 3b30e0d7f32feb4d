"""The commands ``shanben delete``: the only way to delete the masters of a work, by two accounts.

The password of the account is read from standard input. Without a broker, the confirmation carries the deletion out in
this process, in every store that is there.
"""

from __future__ import annotations

import time
from typing import Final

import click

from repository import identifiers
from repository.clock import timestamp
from repository.config import process_settings
from repository.database.deletions import Deletion, DeletionState
from repository.database.outbox import FINISHED, Job, JobState
from repository.identifiers import Kind
from repository.localized import LocalizedText
from repository.model.accounts import Account
from repository.repository import Repository
from web.accounts.login import Logins
from web.accounts.passwords import Passwords
from web.cli.examiner import opened_examiner
from web.cli.password_input import read_password
from web.cli.terminal import EXIT_SYSTEM, Terminal, command
from web.operations.status import job_failure
from workers.bootstrap import bootstrap
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks.delete_decision import cancel_deletion, confirm_deletion, may_be_confirmed_from, request_deletion
from workers.tasks.jobs import delete_copy_job, delete_work_job, sequence_events_job

_ADDRESS: Final = "command line"
"""What counts the failed logins of this command, in the place of an address."""

_WAIT_SECONDS: Final = 60.0
_PAUSE: Final = 0.2
_ACCOUNT = click.option("--account", required=True, metavar="NAME", help="账号，密码由标准输入读取。 The account.")


@click.group()
def delete() -> None:
    """删除著作：一人申请、另一人确认。 Delete works: requested by one account, confirmed by another."""


@delete.command()
@click.argument("work")
@_ACCOUNT
@click.option("--reason", required=True, help="删除的理由，存于数据库，不公开。 Why; never published.")
@command
def request(terminal: Terminal, work: str, account: str, reason: str) -> None:
    """申请删除已撤下的著作。 Request the deletion of a withdrawn work."""
    repository, identifier, who = _opened(work, account)
    deletion = request_deletion(repository, identifier, who, reason)
    earliest = timestamp(may_be_confirmed_from(repository, deletion))
    zh = f"已申请删除 {identifier}（第 {deletion.version} 版）；{earliest} 之后由另一账号确认"
    en = f"Deletion of {identifier} (v{deletion.version}) requested; another account may confirm it from {earliest} on"
    terminal.write(LocalizedText(zh, en))
    terminal.result(_document(deletion) | {"confirm_after": earliest})


@delete.command()
@click.argument("work")
@_ACCOUNT
@command
def cancel(terminal: Terminal, work: str, account: str) -> None:
    """撤销尚未确认的删除申请。 Cancel a request that is not confirmed."""
    repository, identifier, who = _opened(work, account)
    deletion = cancel_deletion(repository, identifier, who)
    terminal.write(LocalizedText(f"已撤销删除 {identifier} 的申请", f"Request to delete {identifier} cancelled"))
    terminal.result(_document(deletion) | {"state": "cancelled"})


@delete.command()
@click.argument("work")
@_ACCOUNT
@command
def confirm(terminal: Terminal, work: str, account: str) -> int:
    """确认删除：删除原图及其全部副本，不可恢复。 Confirm: delete all masters and copies for good."""
    repository, identifier, who = _opened(work, account)
    confirm_deletion(repository, identifier, who)
    if repository.settings.broker:
        unfinished = _await_workers(repository, identifier)
    else:
        unfinished = _carry_out(repository, identifier)
    for job in unfinished:
        reason = job_failure(job).reason
        zh = f"删除已经确认，尚未完成：{reason.zh}。将自动重试；也可运行 shanben retry"
        en = f"The deletion is confirmed and not complete: {reason.en}. It is retried; or run shanben retry"
        terminal.warn(LocalizedText(zh, en))
    deletion = repository.deletions.get(identifier)
    if deletion is not None:
        if deletion.state is DeletionState.DELETED:
            terminal.write(LocalizedText(f"已删除 {identifier}", f"Deleted {identifier}"))
        terminal.result(_document(deletion))
    return EXIT_SYSTEM if unfinished else 0


def _opened(work: str, account: str) -> tuple[Repository, str, Account]:
    """Return the repository, the work and the account whose password standard input has."""
    identifier = identifiers.parse(work, Kind.WORK)
    repository = bootstrap(process_settings())
    logins = Logins(repository.accounts, repository.account_sessions, repository.login_failures, Passwords())
    return repository, identifier, logins.verify(account, read_password(), _ADDRESS)


def _carry_out(repository: Repository, work: str) -> list[Job]:
    """Log the events, delete the work and its copies; return the jobs that are not done."""
    with opened_examiner(repository.settings, 1) as examiner, local_runner(TaskContext(repository, examiner)) as runner:
        logged = runner.attempt([sequence_events_job()])
        deleted = runner.attempt([delete_work_job(work)]) if _are_done(logged) else logged
        copies = [delete_copy_job(store, work) for store in repository.replicas] if _are_done(deleted) else []
        ended = [*deleted, *runner.attempt(copies)]
    return [job for job in ended if job.state is not JobState.DONE]


def _are_done(jobs: list[Job]) -> bool:
    return all(job.state is JobState.DONE for job in jobs)


def _await_workers(repository: Repository, work: str) -> list[Job]:
    """Have workers carry the deletion out; return the jobs that are not done in time."""
    # Imported here because Celery takes long to load, and only a broker needs it.
    from workers.service.celery_app import create_celery  # noqa: PLC0415
    from workers.service.dispatch import send_due  # noqa: PLC0415

    celery = create_celery(repository.settings)
    keys = [delete_work_job(work).key, *(delete_copy_job(store, work).key for store in repository.replicas)]
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        send_due(celery, repository)
        jobs = repository.jobs.among(keys)
        if all(job.state in FINISHED for job in jobs) or time.monotonic() > deadline:
            return [job for job in jobs if job.state is not JobState.DONE]
        time.sleep(_PAUSE)


def _document(deletion: Deletion) -> dict[str, object]:
    return {
        "identifier": deletion.work,
        "state": deletion.state.value,
        "version": deletion.version,
        "requested": deletion.requested,
        "requested_by": deletion.requested_by,
        "confirmed": deletion.confirmed,
        "confirmed_by": deletion.confirmed_by,
        "reason": deletion.reason,
    }
