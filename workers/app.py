"""Celery, configured from the settings: with a broker tasks go to workers, without one they run in this process."""

from __future__ import annotations

from celery import Celery

from repository.config import Settings


def create_celery(settings: Settings) -> Celery:
    """The Celery application of one process; `tasks.register` gives it its tasks.

    A task is acknowledged after it has ended, so that the job of a worker that died is done again; every task is
    idempotent. Messages hold a job's key and nothing else.
    """
    celery = Celery("shanben", broker=settings.broker or None, set_as_current=False)
    celery.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=5,
    )
    return celery
