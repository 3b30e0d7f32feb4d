"""The tasks: a few lines each, every one idempotent, each known by its job's kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from iiif_server.parts import part_named
from preservation.journal import record_events
from repository.jobs import Job
from workers.damage import KIND as PYRAMID
from workers.describe import COLLECTION_KIND, describe_all, describe_part
from workers.ingest import ingest
from workers.pages import take_page
from workers.remake import remake
from workers.replicate import log_order, replicate, replicate_log
from workers.runner import Task
from workers.workshop import Workshop

JOURNAL: Final = "journal"


def journal(workshop: Workshop, _: Job) -> Mapping[str, object]:
    """Kind ``journal``: staged events into the provenance log, and the log into every replica."""
    repository = workshop.repository
    entries = record_events(repository)
    for store in repository.replicas:
        repository.jobs.enqueue(log_order(store))
    return {"entries": entries}


def collection(workshop: Workshop, job: Job) -> Mapping[str, object]:
    """Kind ``collection``: the collections that a change in `part` may change; without one, all of them."""
    part = part_named(job.arguments.get("part", ""))
    repository = workshop.repository
    return {"collections": describe_part(repository, part) if part else describe_all(repository)}


TASKS: Final[Mapping[str, Task]] = {
    "ingest": ingest,
    "page": take_page,
    JOURNAL: journal,
    COLLECTION_KIND: collection,
    "replicate": lambda workshop, job: replicate(workshop, job.arguments),
    PYRAMID: remake,
    "replicate-log": lambda workshop, job: replicate_log(workshop, job.arguments),
}
