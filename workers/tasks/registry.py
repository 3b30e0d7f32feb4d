"""The task of every kind of job. Each task is idempotent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from repository.database.outbox import Job
from workers.execution.context import TaskContext
from workers.execution.runner import Task
from workers.tasks import jobs
from workers.tasks.access import preserve_access
from workers.tasks.alarms import watch_preservation
from workers.tasks.check_files import check_files
from workers.tasks.correct_text import correct_text
from workers.tasks.delete import delete_copy, delete_work
from workers.tasks.harvest import harvest_source
from workers.tasks.ingest import ingest
from workers.tasks.ingest_page import ingest_page
from workers.tasks.publish import publish_collections
from workers.tasks.pyramids import repair_pyramid
from workers.tasks.recognise import recognise_pages, recognise_work
from workers.tasks.repair import repair_stores, repair_work
from workers.tasks.replicate import replicate_log, replicate_work
from workers.tasks.republish import publish_again, republish
from workers.tasks.search_index import index_changes
from workers.tasks.sequence_events import sequence_events
from workers.tasks.sweep import sweep_store
from workers.tasks.texts import add_texts
from workers.tasks.witness import ask_witnesses, request_timestamp


def _describe_work(context: TaskContext, job: Job) -> Mapping[str, object]:
    # Imported here because NumPy takes a tenth of a second to load, and hardly a command runs this task.
    from workers.tasks.features import describe_work  # noqa: PLC0415

    return describe_work(context, job)


def _index_features(context: TaskContext, job: Job) -> Mapping[str, object]:
    from workers.tasks.features import index_features  # noqa: PLC0415 - as above

    return index_features(context, job)


TASKS: Final[Mapping[str, Task]] = {
    jobs.INGEST: ingest,
    jobs.PAGE: ingest_page,
    jobs.SEQUENCE_EVENTS: sequence_events,
    jobs.PUBLISH_COLLECTIONS: publish_collections,
    jobs.REPUBLISH: republish,
    jobs.PUBLISH_MANIFEST: publish_again,
    jobs.REPLICATE_WORK: replicate_work,
    jobs.REPLICATE_LOG: replicate_log,
    jobs.REPAIR_PYRAMID: repair_pyramid,
    jobs.PRESERVE_ACCESS: preserve_access,
    jobs.ASK_WITNESSES: ask_witnesses,
    jobs.REQUEST_TIMESTAMP: request_timestamp,
    jobs.REPAIR_WORK: repair_work,
    jobs.REPAIR_STORES: repair_stores,
    jobs.DESCRIBE_WORK: _describe_work,
    jobs.INDEX_FEATURES: _index_features,
    jobs.INDEX_CHANGES: index_changes,
    jobs.SWEEP_STORE: sweep_store,
    jobs.CHECK_FILES: check_files,
    jobs.HARVEST: harvest_source,
    jobs.WATCH: watch_preservation,
    jobs.DELETE_WORK: delete_work,
    jobs.DELETE_COPY: delete_copy,
    jobs.ADD_TEXTS: add_texts,
    jobs.CORRECT_TEXT: correct_text,
    jobs.RECOGNISE_WORK: recognise_work,
    jobs.RECOGNISE_PAGES: recognise_pages,
}
