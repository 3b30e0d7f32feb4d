"""The Celery application, configured from the settings.

A message holds only a job's key, and the job decides whether there is anything to do (`execution/runner.py`). So a
message may be lost, repeated or late: each job of the outbox still takes effect once (`service/dispatch.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from celery import Celery
from kombu.connection import Connection
from kombu.entity import Queue

from repository.config import Settings
from repository.errors import SettingInvalid
from repository.localized import LocalizedText
from workers.tasks.jobs import (
    CHECK_FILES,
    CORRECT_TEXT,
    INDEX_CHANGES,
    RECOGNISE_PAGES,
    RECOGNISE_WORK,
    SEQUENCE_EVENTS,
    SWEEP_STORE,
)
from workers.tasks.registry import TASKS

QUEUE: Final = "shanben"
LOG_QUEUE: Final = "shanben.log"
"""The queue of jobs that extend the log: only workers with its signing key consume it."""

FIXITY_QUEUE: Final = "shanben.fixity"
"""The queue of jobs that check stored files: these are many, and other jobs do not wait behind them."""

SEARCH_QUEUE: Final = "shanben.search"
"""The queue of jobs that take seconds and for which people wait, so that they do not wait behind ingests.

They make changes searchable, and keep corrections of texts.
"""

OCR_QUEUE: Final = "shanben.ocr"
"""The queue of jobs that recognise text: only workers on machines with the engine consume it."""

_OF_THEIR_OWN: Final = {
    LOG_QUEUE: (SEQUENCE_EVENTS,),
    FIXITY_QUEUE: (SWEEP_STORE, CHECK_FILES),
    SEARCH_QUEUE: (INDEX_CHANGES, CORRECT_TEXT),
    OCR_QUEUE: (RECOGNISE_WORK, RECOGNISE_PAGES),
}
KINDS: Final = {
    **_OF_THEIR_OWN,
    QUEUE: tuple(kind for kind in TASKS if not any(kind in kinds for kinds in _OF_THEIR_OWN.values())),
}
"""The kinds of job that each queue carries."""

_VISIBLE_AFTER_SECONDS: Final = 6 * 3600


def create_celery(settings: Settings, run: Callable[[str], object] | None = None) -> Celery:
    """Return the Celery application of one process; with `run`, which runs the job of a key, it has the tasks.

    A task is acknowledged after it has ended, and a worker prefetches one message. Redis redelivers unacknowledged
    messages after six hours, which is longer than any job takes: the jobs of a worker that died are dispatched again
    long before. Raises `SettingInvalid` for a broker address that cannot be used.
    """
    celery = Celery("shanben", broker=_broker_address(settings), set_as_current=False)
    celery.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_queues=[Queue(name) for name in KINDS],  # type: ignore[no-untyped-call]
        task_default_queue=QUEUE,
        task_routes={task_name(kind): {"queue": queue} for queue, kinds in KINDS.items() for kind in kinds},
        task_publish_retry=False,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=5,
        broker_transport_options=_transport_options(settings),
    )
    if run is not None:
        for kind in TASKS:
            celery.task(name=task_name(kind), shared=False)(run)
    return celery


def task_name(kind: str) -> str:
    """Return the name of the Celery task that runs jobs of a kind."""
    return f"shanben.{kind}"


def _broker_address(settings: Settings) -> str | None:
    """Return the broker's address, checked without a connection; None without a broker."""
    if not settings.broker:
        return None
    reason = LocalizedText("应形如 redis://… 或 amqp://…", "it should read like redis://… or amqp://…")
    if "://" not in settings.broker:  # kombu would use it as a host name
        raise SettingInvalid(name="SHANBEN_BROKER", reason=reason)
    try:
        Connection(settings.broker)  # type: ignore[no-untyped-call]
    except (KeyError, ValueError, ImportError) as fault:
        raise SettingInvalid(name="SHANBEN_BROKER", reason=reason) from fault
    return settings.broker


def _transport_options(settings: Settings) -> dict[str, object]:
    if not settings.broker.startswith(("redis", "sentinel")):
        return {}
    return {"visibility_timeout": _VISIBLE_AFTER_SECONDS, "socket_timeout": 10, "socket_connect_timeout": 5}
