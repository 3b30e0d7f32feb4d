"""Damaged pyramids that a web process met: reported once a while each, and made again by whoever does such jobs.

A request only leaves a note here. A thread of the process writes the job into the outbox, at most one in
`AGAIN_SECONDS` for an image and a few a second altogether, however many requests meet the damage. With a broker the job
goes to the workers. Without one, a house of one machine, it is done by one of the web processes itself.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

from repository.clock_cache import ClockCache
from repository.database.outbox import FINISHED, Job, JobState
from repository.errors import Busy, ShanbenError
from repository.repository import Repository
from workers.tasks.jobs import REPAIR_PYRAMID, pyramid_job

if TYPE_CHECKING:
    from celery import Celery

AGAIN_SECONDS: Final = 30.0
"""How long after it was reported an image is not reported again, by this process or another."""

FAILED_SECONDS: Final = 3600.0
"""How long after a job failed for good, a damaged master for one, requests alone do not have it tried again."""

_REMEMBERED: Final = 10_000
_MOST_WAITING: Final = 1000
_PACE_SECONDS: Final = 0.1
_LOG: Final = logging.getLogger("shanben.pyramids")


class Mender(threading.Thread):
    """Takes reports of one process. Started once; a daemon, for what it has not done stands in the outbox."""

    def __init__(self, repository: Repository, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(name="mender", daemon=True)
        self._repository = repository
        self._clock = clock
        self._reported: ClockCache[str, float] = ClockCache(_REMEMBERED)
        self._notes: queue.Queue[tuple[str, str]] = queue.Queue(_MOST_WAITING)
        self._celery: Celery | None = None

    def report(self, image: str, work: str, reason: str) -> None:
        """The pyramid of an image of a work cannot be used. Never waits, never raises."""
        now, before = self._clock(), self._reported.get(image)
        if before is not None and now - before < AGAIN_SECONDS:
            return
        self._reported.put(image, now)
        try:
            self._notes.put_nowait((image, work))
        except queue.Full:
            return
        _LOG.error(
            "浏览图不可用，将由原图重制 / a pyramid cannot be used and will be made again: %s: %s", image, reason
        )

    def run(self) -> None:
        """For as long as the process lives."""
        pause = self._repository.settings.sweep_seconds
        while True:
            try:
                note = self._notes.get(timeout=pause)
            except queue.Empty:
                note = None
            try:
                self.attend(note)
            except Busy:
                continue  # another process is at it, and looks again
            except ShanbenError as fault:
                if note:
                    self._reported.forget(note[0])  # so that the next request reports it again
                _LOG.warning("%s", fault)
            except Exception:  # noqa: BLE001 - an outermost loop: without it nothing would be mended any more
                _LOG.exception("mender")

    def attend(self, note: tuple[str, str] | None) -> None:
        """Ask for the job of a note, if there is one, and see to it that what is due is done. Raises `SystemFault`."""
        if note:
            sleep(_PACE_SECONDS)
            self._ask_for(*note)
        if not self._repository.settings.broker and self._repository.jobs.under_way(REPAIR_PYRAMID, 1):
            # Loaded when first needed, as is Celery: neither is to delay a tile.
            from workers.service.mending import mend_here  # noqa: PLC0415

            mend_here(self._repository)

    def _ask_for(self, image: str, work: str) -> None:
        order, jobs = pyramid_job(image, work), self._repository.jobs
        if _ended_lately(jobs.get(order.key), self._repository.clock()):
            return
        jobs.enqueue(order)
        if self._repository.settings.broker:
            self._send()

    def _send(self) -> None:
        from workers.service.celery_app import create_celery  # noqa: PLC0415
        from workers.service.dispatch import send_due  # noqa: PLC0415

        if self._celery is None:
            self._celery = create_celery(self._repository.settings)
        send_due(self._celery, self._repository)


def _ended_lately(job: Job | None, now: datetime) -> bool:
    """Whether the job was asked for a while ago only, by whichever process, and has ended."""
    if job is None or job.state not in FINISHED:
        return False
    seconds = FAILED_SECONDS if job.state is JobState.FAILED else AGAIN_SECONDS
    return now - datetime.fromisoformat(job.since) < timedelta(seconds=seconds)
