"""The task that writes staged events into the provenance log and requests the log's replication and witnessing."""

from __future__ import annotations

from collections.abc import Mapping

from preservation.log.sequencer import record_events
from repository.database.outbox import Job
from workers.execution.context import TaskContext
from workers.tasks.jobs import replicate_log_job, witness_job
from workers.tasks.outdated import heed_log


def sequence_events(context: TaskContext, _: Job) -> Mapping[str, object]:
    """Run a job of kind ``journal``: write all staged events into the log, then have it replicated and witnessed.

    Raises `LogBusy`, `LogInvalid`, `StoreFault`, `DatabaseFault`.
    """
    repository = context.repository
    heed_log(repository)
    entries = record_events(repository)
    for store in repository.replicas:
        repository.jobs.enqueue(replicate_log_job(store))
    if repository.settings.witnesses:
        repository.jobs.enqueue(witness_job())
    return {"entries": entries}
