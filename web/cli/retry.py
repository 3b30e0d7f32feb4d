"""What `shanben retry` does: jobs that failed are queued again, for workers, or done here where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from repository.database.outbox import Job, Jobs, JobState, NewJob
from repository.errors import NotFound, RequestInvalid
from repository.localized import LocalizedText
from repository.repository import Repository
from web.cli.terminal import EXIT_SYSTEM, Terminal
from web.operations.status import job_failure, remedy_key
from workers.service.celery_app import create_celery
from workers.service.dispatch import submit
from workers.service.local import LocalRunner

_MOST: Final = 10_000
"""Jobs queued again by one call."""


def jobs_to_retry(jobs: Jobs, keys: Sequence[str]) -> list[NewJob]:
    """The orders of failed jobs by their keys; without keys, of all that no deposit is to be handed in again for.

    Raises `NotFound` for a key that no failed job has, `RequestInvalid` for a page, which is a part of its ingest.
    """
    found = [_failed(jobs, key) for key in keys] or [job for job in jobs.failed(_MOST) if _stands_alone(job)]
    return [NewJob(job.key, job.kind, job.arguments) for job in found]


def retry_by_workers(repository: Repository, orders: Sequence[NewJob], terminal: Terminal) -> int:
    """Queue jobs again for workers to do. The exit code."""
    celery = create_celery(repository.settings)
    for order in orders:
        submit(celery, repository, order)
    count = len(orders)
    _say_count(terminal, count, LocalizedText(f"已重新排队 {count} 项任务", f"{count} job(s) queued again"))
    terminal.result({"queued": [order.key for order in orders], "failed": []})
    return 0


def retry_here(here: LocalRunner, orders: Sequence[NewJob], terminal: Terminal) -> int:
    """Do jobs again in this process. The exit code: 3 when one failed again."""
    ended = [here.do(order, lambda: None) for order in orders]
    failed = [job for job in ended if job.state is JobState.FAILED]
    for job in failed:
        terminal.warn(job_failure(job).reason)
    count = len(ended) - len(failed)
    _say_count(terminal, len(ended), LocalizedText(f"已完成 {count} 项任务", f"{count} job(s) done"))
    terminal.result({"queued": [job.key for job in ended], "failed": [job.key for job in failed]})
    return EXIT_SYSTEM if failed else 0


def _say_count(terminal: Terminal, count: int, told: LocalizedText) -> None:
    terminal.write(told if count else LocalizedText("没有可重试的任务", "There is nothing to try again"))


def _failed(jobs: Jobs, key: str) -> Job:
    job = jobs.get(key)
    if job is None or job.state is not JobState.FAILED:
        raise NotFound(what=LocalizedText(f"失败的任务 {key}", f"failed job {key}"))
    if remedy_key(job_failure(job)) == "status.remedy-page":
        reason = LocalizedText(
            "这是一次收入中的单页，不能单独重试", "it is a page of an ingest and is not tried by itself"
        )
        raise RequestInvalid(part="KEY", reason=reason)
    return job


def _stands_alone(job: Job) -> bool:
    return remedy_key(job_failure(job)) == "status.remedy-job"
