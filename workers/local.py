"""Without a broker: jobs run in this process, as many at once as masters can be examined at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Final

from repository.errors import NotHeld
from repository.jobs import ENDED, Job, JobOrder
from workers.app import create_celery, task_name
from workers.presence import presence
from workers.runner import Runner
from workers.sending import REFUSED_SECONDS, REMEMBERED_SECONDS
from workers.tasks import TASKS
from workers.workshop import Workshop

_LOOK_SECONDS: Final = 0.5
_IDLE_SECONDS: Final = 0.02


class Here:
    """Does jobs in this process; used from one thread. A fault ends a job at once: whoever waits would rather know."""

    def __init__(self, workshop: Workshop, holder: str) -> None:
        repository = workshop.repository
        self._jobs = repository.jobs
        self._concurrency = workshop.examiner.concurrency
        self._celery = create_celery(repository.settings, Runner(workshop, TASKS, holder, patience=0).run)

    def do(self, order: JobOrder, look: Callable[[], None]) -> Job:
        """Do a job and then whatever else is due; the job as it ended. `look` is called now and then meanwhile."""
        self._jobs.enqueue(order)
        self._run(lambda: self._get(order.key).state in ENDED, look)
        self._run(lambda: not self._jobs.due(1), lambda: None)
        self._jobs.forget_ended(REMEMBERED_SECONDS, REFUSED_SECONDS)
        return self._get(order.key)

    def _get(self, key: str) -> Job:
        job = self._jobs.get(key)
        if job is None:
            raise NotHeld(what=key)
        return job

    def _run(self, enough: Callable[[], bool], look: Callable[[], None]) -> None:
        running: dict[Future[object], str] = {}
        with ThreadPoolExecutor(self._concurrency) as executor:
            while running or not enough():
                due = self._jobs.due(self._concurrency) if len(running) < self._concurrency else []
                for job in [job for job in due if job.key not in running.values()]:
                    task = self._celery.tasks[task_name(job.kind)]
                    running[executor.submit(task.apply, args=[job.key], throw=True)] = job.key
                if not running:
                    time.sleep(_IDLE_SECONDS)  # another process has what is left to do
                done, _ = wait(running, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
                for future in done:
                    del running[future]
                    future.result()
                look()


@contextmanager
def working_here(workshop: Workshop) -> Iterator[Here]:
    """This process as a worker; what it holds is given back at the end, however that comes."""
    with presence(workshop.repository) as holder:
        yield Here(workshop, holder)
