"""Dispatch of jobs from the outbox to the broker, and the sweep that recovers what was lost.

A job is dispatched after the transaction that wrote it has committed. Every worker sweeps at intervals of at most
`sweep_seconds`:

- due jobs without a message at the broker (a process that has no broker connection wrote them, they were postponed or
  released, their sender died) are dispatched;
- a queue that is empty at the broker while jobs for it are queued has lost its messages: they are dispatched again;
- the recurring work of `service/schedule.py` is done.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from celery import Celery
from kombu.exceptions import OperationalError

from repository.database.outbox import NewJob
from repository.errors import DependencyMissing, ShanbenError
from repository.localized import LocalizedText
from repository.repository import Repository
from workers.service.celery_app import KINDS, task_name
from workers.service.schedule import Schedule

MOST_AT_BROKER: Final = 1000
"""The largest number of messages in a queue: further jobs stay in the outbox, so that a broker stays small."""

_LOST_SECONDS: Final = 3600.0
"""The age at which the message of a queued job counts as lost, although its queue is not empty."""

_LOG: Final = logging.getLogger("shanben.jobs")


def submit(celery: Celery, repository: Repository, new_job: NewJob) -> None:
    """Queue a job and dispatch what is due.

    Raises `DependencyMissing` when the broker is away; a worker dispatches the job later.
    """
    repository.jobs.enqueue(new_job)
    send_due(celery, repository)


def send_due(celery: Celery, repository: Repository) -> int:
    """Send a message for every due job that has none. Return their number.

    Raises `DependencyMissing` when the broker is away.
    """
    sent = 0
    for queue, kinds in KINDS.items():
        room = MOST_AT_BROKER - queued(celery, queue)
        for job in repository.jobs.claim_undispatched(kinds, room) if room > 0 else ():
            with _broker(celery):
                celery.send_task(task_name(job.kind), args=[job.key])
            sent += 1
    return sent


def send_if_due(celery: Celery, repository: Repository) -> None:
    """As `send_due`, but the broker is not asked if no job needs a message: few do after each job and at each sweep."""
    if repository.jobs.has_undispatched():
        send_due(celery, repository)


def queued(celery: Celery, queue: str) -> int:
    """Return the number of messages in a queue at the broker. Raises `DependencyMissing` when it is away."""
    with _broker(celery), celery.pool.acquire(block=True) as connection:
        connection.ensure_connection(max_retries=1, timeout=5)
        return int(connection.default_channel.queue_declare(queue=queue, durable=True, auto_delete=False).message_count)


def is_served(celery: Celery, queue: str, seconds: float) -> bool:
    """Return whether a worker that consumes a queue answers within some seconds. Raises `DependencyMissing`."""
    with _broker(celery):
        replies = celery.control.inspect(timeout=seconds).active_queues()
    return any(each["name"] == queue for queues in (replies or {}).values() for each in queues)


@contextmanager
def _broker(celery: Celery) -> Iterator[None]:
    """Turn the broker's errors, some of which are defined by its transport's library, into `DependencyMissing`."""
    try:
        yield
    except (OperationalError, OSError, *celery.connection_for_write().connection_errors) as fault:
        raise DependencyMissing(what=LocalizedText("消息代理", "the message broker"), remedy=_remedy(fault)) from fault


def _remedy(fault: Exception) -> LocalizedText:
    reason = str(fault).rstrip(".")
    return LocalizedText(
        f"无法使用（{reason}）；请检查 SHANBEN_BROKER，并确认消息代理正在运行",
        f"it cannot be used ({reason}); check SHANBEN_BROKER, and that the broker runs",
    )


class Sweeper(threading.Thread):
    """Sweeps at intervals of at most `sweep_seconds`, until stopped."""

    def __init__(self, celery: Celery, repository: Repository) -> None:
        super().__init__(name="sweeper", daemon=True)
        self._celery = celery
        self._repository = repository
        self._schedule = Schedule(repository)
        self._stopped = threading.Event()

    def run(self) -> None:
        """Sweep until `stop`; the next sweep retries what failed."""
        pause = 0.0
        while not self._stopped.wait(pause):
            pause = self._repository.settings.sweep_seconds * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            try:
                self.sweep()
            except ShanbenError as fault:
                _LOG.warning("%s", fault)
            except Exception:  # noqa: BLE001 - an outermost loop: the worker would go on without its sweeps
                _LOG.exception("sweep")

    def stop(self) -> None:
        """End the thread; waits for a sweep in progress."""
        self._stopped.set()
        self.join(10)

    def sweep(self) -> None:
        """Sweep once. Raises `DatabaseFault`, `DependencyMissing`, `StoreFault`."""
        self._schedule.release()
        self._requeue_lost()
        send_if_due(self._celery, self._repository)
        self._schedule.run()
        send_if_due(self._celery, self._repository)

    def _requeue_lost(self) -> None:
        for queue, kinds in KINDS.items():
            is_empty = queued(self._celery, queue) == 0
            # A process that died between its claim and the broker leaves jobs that a queue never empty would hide.
            age = self._repository.settings.sweep_seconds if is_empty else _LOST_SECONDS
            self._repository.jobs.requeue_undelivered(kinds, age)
