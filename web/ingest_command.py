"""What `shanben ingest` does: a job for each deposit, sent off and waited for."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from repository.handle import Repository
from repository.jobs import Job, JobOrder, JobState
from repository.text import Text
from web.terminal import EXIT_CODES, Terminal
from workers.app import create_celery
from workers.tasks import register, submit
from workers.workshop import Workshop

_PAUSE: Final = 0.5
_DEFAULT_ADDRESS: Final = "http://127.0.0.1:8000"


def ingest_deposits(workshop: Workshop, deposits: Sequence[Path], terminal: Terminal) -> int:
    """Ingest each deposit in turn; one that is refused does not stop the others. Returns the gravest exit code."""
    celery = create_celery(workshop.repository.settings)
    register(celery, workshop)
    ended = [
        _ended(workshop.repository, submit(celery, workshop.repository, ingest_order(deposit))) for deposit in deposits
    ]
    works = [_taken(workshop.repository, job, terminal) for job in ended if job.state is JobState.DONE]
    refused = [_refused(job, terminal) for job in ended if job.state is JobState.FAILED]
    terminal.result({"works": works, "refused": refused})
    return max((EXIT_CODES[cast(str, entry["branch"])] for entry in refused), default=0)


def ingest_order(deposit: Path) -> JobOrder:
    """The job of ingesting a folder, known by the folder's place."""
    place = str(deposit.resolve())
    return JobOrder(f"ingest:{hashlib.sha256(place.encode()).hexdigest()[:32]}", "ingest", {"deposit": place})


def _ended(repository: Repository, job: Job) -> Job:
    """The job once it has ended: at once without a broker, else when a worker has done it."""
    while job.state in (JobState.QUEUED, JobState.RUNNING):
        time.sleep(_PAUSE)
        found = repository.jobs.get(job.key)
        job = found or job
    return job


def _taken(repository: Repository, job: Job, terminal: Terminal) -> Mapping[str, object]:
    result: Mapping[str, Any] = job.result or {}
    identifier, images = result["identifier"], result["images"]
    base = repository.settings.base_url or _DEFAULT_ADDRESS
    manifest = f"{base}/iiif/presentation/3/{identifier}/manifest"
    news = Text("已收入", "taken in") if result["changed"] else Text("已在馆藏，未变", "already held, unchanged")
    folder = Path(job.arguments["deposit"]).name
    terminal.say(Text(f"✓ {folder}：{news.zh}，{images} 幅图像", f"✓ {folder}: {news.en}, {images} images"))
    terminal.say_value(Text("编号", "identifier"), identifier)
    terminal.say_value(Text("清单", "manifest"), manifest)
    return {"identifier": identifier, "manifest": manifest, "images": images, "state": "published", **result}


def _refused(job: Job, terminal: Terminal) -> Mapping[str, object]:
    result: Mapping[str, Any] = job.result or {}
    terminal.warn(Text(result["message"]["zh"], result["message"]["en"]))
    faults = [
        {**fault, "message": Text(**fault["message"]).in_language(terminal.language)} for fault in result["faults"]
    ]
    for fault in faults:
        terminal.say(Text(*(f"✗ {fault['file']}  {fault['place']}  {fault['message']}",) * 2))
    return {"deposit": job.arguments["deposit"], "code": result["code"], "branch": result["branch"], "faults": faults}
