"""`shanben retry`: failed and postponed jobs are queued again, for workers or to be run in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from repository.config import process_settings
from repository.database.outbox import Job, Jobs, JobState, NewJob
from repository.errors import NotFound, RequestInvalid
from repository.localized import LocalizedText, counted
from repository.repository import Repository
from web.cli.examiner import opened_examiner
from web.cli.follow_up import show_unfinished, unfinished_json
from web.cli.terminal import EXIT_SYSTEM, Terminal, command
from web.operations.status import job_failure, remedy_key
from workers.bootstrap import bootstrap
from workers.execution.context import TaskContext
from workers.service.local import LocalRunner, local_runner
from workers.tasks.jobs import INGEST

_MOST: Final = 10_000
"""The largest number of jobs queued again by one call."""


@click.command()
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@command
def retry(terminal: Terminal, keys: tuple[str, ...]) -> int:
    """重试失败或推迟的任务（不含送存）。 Retry failed and delayed jobs: the given ones, else all but ingests."""
    repository = bootstrap(process_settings())
    new_jobs = jobs_to_retry(repository.jobs, keys)
    if repository.settings.broker or not new_jobs:
        return retry_by_workers(repository, new_jobs, terminal)
    with opened_examiner(repository.settings) as examiner, local_runner(TaskContext(repository, examiner)) as runner:
        return retry_locally(runner, new_jobs, terminal)


def jobs_to_retry(jobs: Jobs, keys: Sequence[str]) -> list[NewJob]:
    """Return the failed or postponed jobs with these keys; without keys, all but deposits and their pages.

    Raises `NotFound` for a key that no such job has, `RequestInvalid` for a page, which is a part of its ingest.
    """
    selected = [_job(jobs, key) for key in keys] or [
        job for job in (*jobs.failed(_MOST), *jobs.delayed(_MOST)) if _stands_alone(job)
    ]
    return [NewJob(job.key, job.kind, job.arguments) for job in selected]


def retry_by_workers(repository: Repository, new_jobs: Sequence[NewJob], terminal: Terminal) -> int:
    """Queue jobs again for workers. Return the exit code."""
    # Imported here because Celery takes long to load, and only a broker needs it.
    from workers.service.celery_app import create_celery  # noqa: PLC0415
    from workers.service.dispatch import submit  # noqa: PLC0415

    celery = create_celery(repository.settings)
    for job in new_jobs:
        submit(celery, repository, job)
    count = len(new_jobs)
    _show_count(
        terminal, count, LocalizedText(f"已重新排队 {count} 项任务", f"{counted(count, 'job', 'jobs')} queued again")
    )
    terminal.result({"queued": [job.key for job in new_jobs], "failed": [], "unfinished": []})
    return 0


def retry_locally(runner: LocalRunner, new_jobs: Sequence[NewJob], terminal: Terminal) -> int:
    """Run jobs and their follow-up jobs again in this process. Return the exit code: 3 when one is not done.

    A follow-up job of a replica that is away is a warning, as for `shanben ingest`.
    """
    ended = [runner.run(job) for job in new_jobs if job.kind == INGEST]
    ended += runner.attempt([job for job in new_jobs if job.kind != INGEST])
    failed = [job for job in ended if job.state is not JobState.DONE]
    keys = {job.key for job in ended}
    unfinished = [each for each in runner.unfinished() if each.job.key not in keys]
    for reason in dict.fromkeys(job_failure(job).reason for job in failed):
        terminal.warn(reason)
    count = len(ended) - len(failed)
    _show_count(terminal, len(ended), LocalizedText(f"已完成 {count} 项任务", f"{counted(count, 'job', 'jobs')} done"))
    follow_up_code = show_unfinished(unfinished, terminal)
    document: dict[str, object] = {"queued": [job.key for job in ended], "failed": [job.key for job in failed]}
    terminal.result(document | {"unfinished": [unfinished_json(each, terminal.language) for each in unfinished]})
    return EXIT_SYSTEM if failed else follow_up_code


def _show_count(terminal: Terminal, count: int, text: LocalizedText) -> None:
    terminal.write(text if count else LocalizedText("没有可重试的任务", "There is nothing to retry"))


def _job(jobs: Jobs, key: str) -> Job:
    job = jobs.get(key)
    if job is None or not (job.state is JobState.FAILED or _is_postponed(job)):
        raise NotFound(what=LocalizedText(f"失败或待重试的任务 {key}", f"failed or postponed job {key}"))
    if remedy_key(job_failure(job)) == "status.remedy-page":
        reason = LocalizedText(
            "这是一次收入中的单页，不能单独重试", "it is a page of an ingest and is not retried by itself"
        )
        raise RequestInvalid(part="KEY", reason=reason)
    return job


def _is_postponed(job: Job) -> bool:
    return job.state is JobState.QUEUED and job.attempts > 0 and job.result is not None


def _stands_alone(job: Job) -> bool:
    return remedy_key(job_failure(job)) == "status.remedy-job"
