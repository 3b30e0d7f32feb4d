"""From the outbox to the broker, and the sweep that makes good what was lost.

Jobs are sent after the change that wrote them has been committed. Every worker sweeps now and then:

- jobs held by dead processes of this machine, or past their lease, are queued again;
- when a queue is empty at the broker while jobs for it are queued, their messages were lost: they are sent again;
- what is due and was not sent (put off, released, its sender died) is sent;
- rarely: what killed processes left in the store is cleared.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from celery import Celery
from kombu.exceptions import OperationalError

from preservation.log.sequencer import needs_recording
from repository.database.outbox import NewJob
from repository.errors import DependencyMissing, ShanbenError
from repository.localized import LocalizedText
from repository.repository import Repository
from workers.execution.liveness import release_dead
from workers.service.celery_app import KINDS, task_name
from workers.tasks.jobs import sequence_events_job
from workers.tasks.replicate import replication_jobs

MOST_AT_BROKER: Final = 1000
"""Messages in a queue beyond which no more are sent: the outbox holds the rest, and a broker stays small."""

REMEMBERED_SECONDS: Final = 24 * 3600.0
"""How long a job that was done is remembered: the outbox holds what is to be done, and the catalogue what was."""

REFUSED_SECONDS: Final = 7 * REMEMBERED_SECONDS
"""The same of a deposit that was refused: whoever handed it in was told, and mends it, or thinks better of it."""

_HOUR_SECONDS: Final = 3600.0
_STRAY_AFTER_SECONDS: Final = 24 * 3600.0
_LOG: Final = logging.getLogger("shanben.jobs")


def submit(celery: Celery, repository: Repository, order: NewJob) -> None:
    """Ask for a job and send what is due.

    Raises `DependencyMissing` when the broker is away; a worker will send it later.
    """
    repository.jobs.enqueue(order)
    send_due(celery, repository)


def send_due(celery: Celery, repository: Repository) -> int:
    """Send a message for every job that is due and has none; how many.

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


def queued(celery: Celery, queue: str) -> int:
    """How many messages wait in a queue at the broker. Raises `DependencyMissing` when it is away."""
    with _broker(celery), celery.pool.acquire(block=True) as connection:
        connection.ensure_connection(max_retries=1, timeout=5)
        return int(connection.default_channel.queue_declare(queue=queue, durable=True, auto_delete=False).message_count)


@contextmanager
def _broker(celery: Celery) -> Iterator[None]:
    """The broker's faults, some of which only its own library has a name for, as `DependencyMissing`."""
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
    """Sweeps every `sweep_seconds` or so, until stopped."""

    def __init__(self, celery: Celery, repository: Repository) -> None:
        super().__init__(name="sweeper", daemon=True)
        self._celery = celery
        self._repository = repository
        self._stopped = threading.Event()
        self._next_hour = 0.0

    def run(self) -> None:
        """Until `stop`; whatever fails is tried again with the next sweep."""
        pause = 0.0
        while not self._stopped.wait(pause):
            pause = self._repository.settings.sweep_seconds * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            try:
                self.sweep()
            except ShanbenError as fault:
                _LOG.warning("%s", fault)
            except Exception:  # noqa: BLE001 - an outermost loop: without it a worker looks well and mends nothing
                _LOG.exception("sweep")

    def stop(self) -> None:
        """No more sweeps; waits for one that is under way."""
        self._stopped.set()
        self.join(10)

    def sweep(self) -> None:
        """Once. Raises `DatabaseFault`, `DependencyMissing`, `StoreFault`."""
        jobs = self._repository.jobs
        release_dead(self._repository)
        jobs.release_expired()
        self._resend_lost()
        send_due(self._celery, self._repository)
        if needs_recording(self._repository):
            jobs.enqueue(sequence_events_job())
            send_due(self._celery, self._repository)
        if time.monotonic() >= self._next_hour:
            self._sweep_hourly()

    def _sweep_hourly(self) -> None:
        """The first time, replication that failed for good is tried again too: somebody may have mended the cause."""
        failed = self._next_hour == 0.0
        self._next_hour = time.monotonic() + _HOUR_SECONDS
        for kinds in KINDS.values():
            # Whoever died on the way to the broker leaves some that a queue never empty would keep for ever.
            self._repository.jobs.requeue_undelivered(kinds, _HOUR_SECONDS)
        for order in replication_jobs(self._repository, failed=failed):
            self._repository.jobs.enqueue(order)
        self._repository.jobs.purge_finished(REMEMBERED_SECONDS, REFUSED_SECONDS)
        for store in (self._repository.store, *self._repository.replicas.values()):
            store.remove_incomplete_uploads(_STRAY_AFTER_SECONDS)

    def _resend_lost(self) -> None:
        for queue, kinds in KINDS.items():
            if queued(self._celery, queue) == 0:
                self._repository.jobs.requeue_undelivered(kinds, self._repository.settings.sweep_seconds)
