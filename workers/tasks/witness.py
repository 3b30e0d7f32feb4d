"""The tasks that ask witnesses to cosign the log's newest checkpoint, and an authority to timestamp it."""

from __future__ import annotations

from collections.abc import Mapping

from preservation.log.sequencer import open_log
from preservation.log.timestamped import is_timestamp_due, timestamp_log
from preservation.log.witnesses import ask_witnesses as ask_all
from preservation.log.witnesses import cosigned_checkpoint, witness_policy
from repository.database.outbox import Job
from repository.repository import Repository
from workers.execution.context import TaskContext
from workers.tasks.jobs import replicate_log_job


def ask_witnesses(context: TaskContext, _: Job) -> Mapping[str, object]:
    """Run a job of kind ``witness``: ask every witness, keep and publish the cosignatures, enqueue their replication.

    A witness that cannot be used does not fail the job: its result names it, and recurring work asks again. Raises
    `SettingInvalid`, `LogInvalid`, `StoreFault`, `DatabaseFault`.
    """
    repository = context.repository
    policy = witness_policy(repository.settings)
    if not policy.witnesses:
        return {"size": 0, "cosigned": 0, "quorum": 0, "faults": {}}
    log = open_log(repository)
    before = cosigned_checkpoint(repository.store, log.key)
    done = ask_all(log, repository.store, policy, repository.clock())
    if cosigned_checkpoint(repository.store, log.key) != before:
        _replicate(repository)
    faults = {name: reason.to_json() for name, reason in done.faults.items()}
    return {"size": done.size, "cosigned": done.cosigned, "quorum": policy.quorum, "faults": faults}


def request_timestamp(context: TaskContext, _: Job) -> Mapping[str, object]:
    """Run a job of kind ``timestamp``: have the log timestamped if that is due, and enqueue the replication.

    Raises `ServiceUnavailable`, `SettingInvalid`, `LogInvalid`, `StoreFault`, `DatabaseFault`.
    """
    repository = context.repository
    if not repository.settings.tsa:
        return {"size": 0}
    log = open_log(repository)
    if not is_timestamp_due(log, repository.store, repository.settings, repository.clock()):
        return {"size": 0}
    made = timestamp_log(log, repository.store, repository.settings)
    _replicate(repository)
    return {"size": made.size, "time": made.timestamp.time}


def _replicate(repository: Repository) -> None:
    for store in repository.replicas:
        repository.jobs.enqueue(replicate_log_job(store))
