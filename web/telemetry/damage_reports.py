"""Reports of damaged pyramids: a web process that meets one queues the job that repairs it.

A request only leaves a note here. A thread of the process writes the job into the outbox, for one image at most once in
`AGAIN_SECONDS` and a few a second in total, however many requests meet the damage. The repair is done elsewhere: with a
broker the sweep of a worker dispatches the job, after at most `sweep_seconds`; without one the local worker takes it.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic, sleep
from typing import Final

from repository.clock_cache import ClockCache
from repository.database.outbox import FINISHED, Job, JobState
from repository.errors import ShanbenError
from repository.repository import Repository
from workers.tasks.jobs import pyramid_job

AGAIN_SECONDS: Final = 30.0
"""How long after a report of an image further ones, by this process or another, are ignored."""

FAILED_SECONDS: Final = 3600.0
"""How long after a repair that failed for good, as that of a damaged master does, reports do not queue it again."""

_REMEMBERED: Final = 10_000
_MOST_WAITING: Final = 1000
_PACE_SECONDS: Final = 0.1
_LOG: Final = logging.getLogger("shanben.pyramids")


class DamageReporter(threading.Thread):
    """Queues the repairs that one process reports. Started once; a daemon, for unwritten notes may be lost."""

    def __init__(self, repository: Repository, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(name="damage reports", daemon=True)
        self._repository = repository
        self._clock = clock
        self._reported: ClockCache[str, float] = ClockCache(_REMEMBERED)
        self._notes: queue.Queue[tuple[str, str]] = queue.Queue(_MOST_WAITING)

    def report(self, image: str, work: str, reason: str) -> None:
        """Note that the pyramid of an image of a work cannot be used. Never waits, never raises."""
        now, before = self._clock(), self._reported.get(image)
        if before is not None and now - before < AGAIN_SECONDS:
            return
        self._reported.put(image, now)
        try:
            self._notes.put_nowait((image, work))
        except queue.Full:
            return
        _LOG.error("浏览图不可用，将由原图重制 / a pyramid cannot be used and will be repaired: %s: %s", image, reason)

    def run(self) -> None:
        """Queue the repairs of notes for as long as the process lives."""
        while True:
            image, work = self._notes.get()
            sleep(_PACE_SECONDS)
            try:
                self.enqueue(image, work)
            except ShanbenError as fault:
                self._reported.forget(image)  # so that the next request reports it again
                _LOG.warning("%s", fault)
            except Exception:  # noqa: BLE001 - an outermost loop: the process would report no more damage
                _LOG.exception("damage reports")

    def enqueue(self, image: str, work: str) -> None:
        """Queue the repair of an image's pyramid, unless it ended a short time ago. Raises `DatabaseFault`."""
        job, jobs = pyramid_job(image, work), self._repository.jobs
        if not _ended_lately(jobs.get(job.key), self._repository.clock()):
            jobs.enqueue(job)


def _ended_lately(job: Job | None, now: datetime) -> bool:
    """Whether the job has ended and was queued, by any process, a short time ago."""
    if job is None or job.state not in FINISHED:
        return False
    seconds = FAILED_SECONDS if job.state is JobState.FAILED else AGAIN_SECONDS
    return now - datetime.fromisoformat(job.since) < timedelta(seconds=seconds)
