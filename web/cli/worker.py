"""`shanben worker`: runs a Celery worker."""

from __future__ import annotations

import click

from repository.config import process_settings
from repository.errors import DependencyMissing
from repository.localized import LocalizedText
from web.cli.examiner import opened_examiner
from web.cli.sandbox_report import active_layers, report_sandbox
from web.cli.terminal import Terminal, command
from workers.bootstrap import bootstrap
from workers.execution.context import TaskContext


@click.command()
@click.option("--concurrency", default=1, show_default=True, type=click.IntRange(1, 64))
@command
def worker(terminal: Terminal, concurrency: int) -> None:
    """启动 Celery 工作进程（需消息代理）。 Run a Celery worker; needs a broker."""
    repository = bootstrap(process_settings())
    if not repository.settings.broker:
        remedy = LocalizedText(
            "请设为消息代理的地址，如 redis://… 或 amqp://…",
            "set it to the address of the broker: redis://… or amqp://…",
        )
        raise DependencyMissing(what="SHANBEN_BROKER", remedy=remedy)
    # Imported here because Celery takes long to load, and only a worker needs it.
    from workers.service.worker import run_worker  # noqa: PLC0415

    report_sandbox(terminal, active_layers())
    with opened_examiner(repository.settings, concurrency) as examiner:
        run_worker(TaskContext(repository, examiner), concurrency)
