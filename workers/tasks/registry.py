"""The tasks: a few lines each, every one idempotent, each known by its job's kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from iiif_server.presentation.collections import period_named
from preservation.log.sequencer import record_events
from repository.database.outbox import Job
from workers.execution.context import TaskContext
from workers.execution.runner import Task
from workers.tasks.ingest import ingest
from workers.tasks.ingest_page import ingest_page
from workers.tasks.publish import COLLECTION_KIND, publish_all, publish_period
from workers.tasks.pyramid_job import KIND as PYRAMID
from workers.tasks.pyramids import repair_pyramid
from workers.tasks.replicate import replicate, replicate_log, replicate_log_job

JOURNAL: Final = "journal"


def journal(context: TaskContext, _: Job) -> Mapping[str, object]:
    """Kind ``journal``: staged events into the provenance log, and the log into every replica."""
    repository = context.repository
    entries = record_events(repository)
    for store in repository.replicas:
        repository.jobs.enqueue(replicate_log_job(store))
    return {"entries": entries}


def collection(context: TaskContext, job: Job) -> Mapping[str, object]:
    """Kind ``collection``: the collections that a change in `part` may change; without one, all of them."""
    part = period_named(job.arguments.get("part", ""))
    repository = context.repository
    return {"collections": publish_period(repository, part) if part else publish_all(repository)}


TASKS: Final[Mapping[str, Task]] = {
    "ingest": ingest,
    "page": ingest_page,
    JOURNAL: journal,
    COLLECTION_KIND: collection,
    "replicate": lambda context, job: replicate(context, job.arguments),
    PYRAMID: repair_pyramid,
    "replicate-log": lambda context, job: replicate_log(context, job.arguments),
}
