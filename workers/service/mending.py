"""Damaged pyramids made again without a broker, beside whatever else this process does.

For a house of one machine that has no workers: its web processes do this one kind of job themselves. Decoding happens
in a child process, which stands back for everybody else.
"""

from __future__ import annotations

from typing import Final

from repository.database.locks import hold_lock_file
from repository.database.outbox import JobState
from repository.errors import Busy
from repository.localized import LocalizedText
from repository.repository import Repository
from repository.sandbox import Quota, SandboxPool
from workers.execution.context import TaskContext
from workers.execution.liveness import registered_worker, release_jobs_of_dead_workers
from workers.execution.runner import Runner
from workers.execution.scratch import scratch_directory
from workers.masters.examine import ChildExaminer
from workers.tasks.jobs import REPAIR_PYRAMID
from workers.tasks.pyramids import repair_pyramid

_MOST_AT_ONCE: Final = 50
_NICENESS: Final = 19


def mend_here(repository: Repository) -> int:
    """Do the jobs of kind ``pyramid`` that are due, one after the other; how many were tried.

    Raises `Busy` while another process of this machine does, `DatabaseFault`, `StagingFault`.
    """
    busy = Busy(what=LocalizedText("浏览图的重制", "making pyramids again"))
    with hold_lock_file(repository.settings.data / "mending.lock", 0, busy):
        queued = _queued(repository)
        if not queued:
            return 0
        settings = repository.settings
        with (
            scratch_directory(settings.staging) as scratch,
            SandboxPool(1, scratch, Quota(seconds=settings.decode_seconds, niceness=_NICENESS)) as pool,
            registered_worker(repository) as holder,
        ):
            context = TaskContext(repository, ChildExaminer(pool, settings, 1))
            runner = Runner(context, {REPAIR_PYRAMID: repair_pyramid}, holder, settings.patience_seconds)
            return sum(runner.run(key) for key in queued)


def _queued(repository: Repository) -> list[str]:
    """Jobs that wait; those of a process that was killed do so again."""
    jobs = repository.jobs
    found = [job for job, _ in jobs.active(REPAIR_PYRAMID, _MOST_AT_ONCE)]
    if any(job.state is JobState.RUNNING for job in found):
        release_jobs_of_dead_workers(repository)
        jobs.release_expired()
        found = [job for job, _ in jobs.active(REPAIR_PYRAMID, _MOST_AT_ONCE)]
    return [job.key for job in found if job.state is JobState.QUEUED]
