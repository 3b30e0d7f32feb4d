"""A worker: a Celery consumer over the jobs of the outbox, with a sweeper beside it."""

from __future__ import annotations

import logging

from preservation.journal import can_sign
from repository.errors import ShanbenError
from workers.app import LOG_QUEUE, QUEUE, create_celery
from workers.presence import presence
from workers.runner import Runner
from workers.sending import Sweeper, send_due
from workers.tasks import TASKS
from workers.workshop import Workshop

_LOG = logging.getLogger("shanben.jobs")


def run_worker(workshop: Workshop, concurrency: int) -> None:
    """Work until stopped, at `concurrency` jobs at once; extends the log if this machine has its signing key."""
    repository = workshop.repository
    with presence(repository) as holder:
        runner = Runner(workshop, TASKS, holder, repository.settings.patience_seconds)

        def run(key: str) -> None:
            try:
                if runner.run(key):
                    send_due(celery, repository)
            except ShanbenError as fault:
                # The job is in the outbox: when the database or the broker is back, a sweep finds it.
                _LOG.warning("%s: %s", key, fault)

        celery = create_celery(repository.settings, run)
        queues = [QUEUE, LOG_QUEUE] if can_sign(repository) else [QUEUE]
        sweeper = Sweeper(celery, repository)
        sweeper.start()
        try:
            # Threads: the heavy part of a job runs in the workshop's own child processes.
            options = ["--pool=threads", f"--concurrency={concurrency}", "--queues", ",".join(queues)]
            celery.worker_main(["worker", "--loglevel=INFO", "--without-gossip", "--without-mingle", *options])
        finally:
            sweeper.stop()
