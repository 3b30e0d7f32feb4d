"""The tasks: a few lines each, every one idempotent, each known by its job's kind.

A task takes the key of a job and nothing else. Its result, or the fault that ended it, is written to the job, where
whoever asked for it looks; so the same code serves a broker's worker and a call in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from celery import Celery
from kombu.exceptions import OperationalError

from preservation.journal import record_events
from repository.errors import DepositRefused, Fault, ShanbenError, ToolAbsent
from repository.handle import Repository
from repository.jobs import Job, JobOrder, JobState
from repository.text import Text
from workers.describe import describe_all
from workers.ingest import ingest
from workers.workshop import Workshop

Task = Callable[[Workshop, Mapping[str, str]], Mapping[str, object]]


def ingest_deposit(workshop: Workshop, arguments: Mapping[str, str]) -> Mapping[str, object]:
    """Kind ``ingest``: the deposit folder at `deposit`."""
    done = ingest(workshop.repository, Path(arguments["deposit"]), workshop.examiner, workshop.progress)
    return {"identifier": done.work, "images": done.images, "changed": done.changed}


def journal(workshop: Workshop, _: Mapping[str, str]) -> Mapping[str, object]:
    """Kind ``journal``: staged events into the provenance log."""
    return {"entries": record_events(workshop.repository)}


def collection(workshop: Workshop, _: Mapping[str, str]) -> Mapping[str, object]:
    """Kind ``collection``: the collection of all published works."""
    return {"works": describe_all(workshop.repository)}


TASKS: Mapping[str, Task] = {"ingest": ingest_deposit, "journal": journal, "collection": collection}


def register(celery: Celery, workshop: Workshop) -> None:
    """Give a Celery application the tasks."""
    for kind, task in TASKS.items():
        celery.task(name=_name(kind), shared=False)(_bound(celery, workshop, task))


def submit(celery: Celery, repository: Repository, order: JobOrder) -> Job:
    """Ask for a job and send it off; without a broker it is done, and what follows from it, when this returns."""
    repository.jobs.enqueue(order)
    send(celery, order.kind, order.key)
    job = repository.jobs.get(order.key)
    assert job is not None  # noqa: S101 - written three lines above, and jobs are never deleted
    return job


def send(celery: Celery, kind: str, key: str) -> None:
    """Send a job to a worker, or do it here when there is no broker. Raises `ToolAbsent` when the broker is away."""
    if not celery.conf.broker_url:
        celery.tasks[_name(kind)].apply(args=[key], throw=True)
        return
    try:
        celery.send_task(_name(kind), args=[key])
    except OperationalError as fault:
        raise ToolAbsent(what=Text("消息代理", "the message broker"), remedy=str(fault)) from fault


def send_waiting(celery: Celery, repository: Repository) -> None:
    """Send every job that waits: what follows from a publication."""
    for job in repository.jobs.pending():
        if job.state is JobState.QUEUED:
            send(celery, job.kind, job.key)


def send_unfinished(celery: Celery, repository: Repository) -> None:
    """Send every job that has not ended, those a worker began and left among them.

    A job that another worker is at is done twice over, which changes nothing: tasks are idempotent and take turns.
    """
    for job in repository.jobs.pending():
        send(celery, job.kind, job.key)


def _name(kind: str) -> str:
    return f"shanben.{kind}"


def _bound(celery: Celery, workshop: Workshop, task: Task) -> Callable[[str], None]:
    def run(key: str) -> None:
        jobs = workshop.repository.jobs
        job = jobs.get(key)
        if job is None:
            return
        jobs.begin(key)
        try:
            result = task(workshop, job.arguments)
        except ShanbenError as fault:
            jobs.fail(key, fault_document(fault))
        else:
            jobs.finish(key, result)
            if job.kind == "ingest":
                send_waiting(celery, workshop.repository)

    return run


def fault_document(fault: ShanbenError) -> dict[str, object]:
    """A fault as a job keeps it: its code and branch, its words in both languages, and a deposit's faults."""
    faults = fault.faults if isinstance(fault, DepositRefused) else ()
    words = {"zh": fault.message.zh, "en": fault.message.en}
    return {"code": fault.code, "branch": fault.branch, "message": words, "faults": [_fault(item) for item in faults]}


def _fault(fault: Fault) -> dict[str, object]:
    words = {"zh": fault.message.zh, "en": fault.message.en}
    return {"file": fault.file, "place": fault.place, "code": fault.code, "message": words}
