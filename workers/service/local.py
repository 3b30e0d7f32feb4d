"""Without a broker: jobs run in this process, as many at once as masters can be examined at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Final

from repository.database.outbox import FINISHED, Job, NewJob
from repository.errors import NotFound
from workers.execution.context import TaskContext
from workers.execution.liveness import registered_worker
from workers.execution.runner import Runner
from workers.service.celery_app import create_celery, task_name
from workers.service.dispatch import REFUSED_SECONDS, REMEMBERED_SECONDS
from workers.tasks.registry import TASKS

_LOOK_SECONDS: Final = 0.5
_IDLE_SECONDS: Final = 0.02


class LocalRunner:
    """Does jobs in this process; used from one thread. A fault ends a job at once: whoever waits would rather know."""

    def __init__(self, context: TaskContext, holder: str) -> None:
        repository = context.repository
        self._jobs = repository.jobs
        self._concurrency = context.examiner.concurrency
        self._celery = create_celery(repository.settings, Runner(context, TASKS, holder, patience=0).run)

    def do(self, order: NewJob, look: Callable[[], None]) -> Job:
        """Do a job and then whatever else is due; the job as it ended. `look` is called now and then meanwhile."""
        self._jobs.enqueue(order)
        self._run(lambda: self._get(order.key).state in FINISHED, look)
        self._run(lambda: not self._jobs.due(1), lambda: None)
        self._jobs.purge_finished(REMEMBERED_SECONDS, REFUSED_SECONDS)
        return self._get(order.key)

    def _get(self, key: str) -> Job:
        job = self._jobs.get(key)
        if job is None:
            raise NotFound(what=key)
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
def local_runner(context: TaskContext) -> Iterator[LocalRunner]:
    """This process as a worker; what it holds is given back at the end, however that comes."""
    with registered_worker(context.repository) as holder:
        yield LocalRunner(context, holder)
