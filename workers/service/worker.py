"""A broker's worker: a Celery consumer that runs the jobs of the outbox, and a sweeper."""

from __future__ import annotations

import logging

from celery import Celery
from celery.signals import setup_logging

from preservation.log.sequencer import can_sign
from repository.errors import DependencyMissing, ShanbenError
from repository.localized import LocalizedText
from repository.logs import log_to_stderr
from workers.execution.context import TaskContext
from workers.execution.liveness import registered_worker
from workers.execution.runner import Runner
from workers.ocr.pages import installed_engine
from workers.service.celery_app import FIXITY_QUEUE, LOG_QUEUE, OCR_QUEUE, QUEUE, SEARCH_QUEUE, create_celery
from workers.service.dispatch import Sweeper, queued, send_if_due
from workers.tasks.registry import TASKS

_LOG = logging.getLogger("shanben.jobs")


def run_worker(context: TaskContext, concurrency: int) -> None:
    """Run `concurrency` jobs at a time until stopped.

    Extends the log only on a machine with its signing key, and recognises text only on one with the engine.
    """
    repository = context.repository
    with registered_worker(repository) as holder:
        runner = Runner(context, TASKS, holder, repository.settings.patience_seconds)

        def run(key: str) -> None:
            try:
                if runner.run(key):
                    send_if_due(celery, repository)
            except ShanbenError as fault:
                # The job is in the outbox: a sweep finds it when the database or the broker is back.
                _LOG.warning("%s: %s", key, fault)

        setup_logging.connect(_log, weak=False)  # Celery's own formats let a message forge lines
        celery = create_celery(repository.settings, run)
        queues = [QUEUE, FIXITY_QUEUE, SEARCH_QUEUE, *([LOG_QUEUE] if can_sign(repository) else [])]
        queues += [OCR_QUEUE] if installed_engine() else []
        _warn_if_away(celery)
        sweeper = Sweeper(celery, repository)
        sweeper.start()
        try:
            # Not `worker_main`, which loads Celery's command line: that takes a fifth of a second.
            # Threads: the heavy part of a job runs in the examiner's child processes.
            celery.Worker(
                pool_cls="threads",
                concurrency=concurrency,
                queues=queues,
                loglevel=logging.INFO,
                without_gossip=True,
                without_mingle=True,
            ).start()
        finally:
            sweeper.stop()


def _log(**_: object) -> None:
    log_to_stderr(logging.INFO, replace=True)


def _warn_if_away(celery: Celery) -> None:
    """Log that the broker is away: Celery waits for it, but its own message does not say what to do."""
    try:
        queued(celery, QUEUE)
    except DependencyMissing as fault:
        zh, en = f"{fault.message.zh}。工作进程将等待其恢复", f"{fault.message.en}. The worker waits until it is back"
        _LOG.warning("%s", LocalizedText(zh, en))
