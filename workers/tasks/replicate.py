"""The tasks that copy works and the log to replicas, and the jobs that replicas still need.

A replica that is unavailable raises a transient `StoreFault`: its job is retried, and other jobs go on. The job of a
replica that was filled and is not recognised now fails for good: an operator must decide what happened to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from preservation.log.sequencer import log_keys
from preservation.ocfl import objects
from preservation.replication.log import replicate_log as copy_log
from preservation.replication.transfer import NamedStore, TransferTotals
from preservation.replication.works import replicate_work as copy_work
from preservation.store_identity import recognise_replica
from repository.clock import timestamp
from repository.database.outbox import Job, NewJob
from repository.errors import StoreDenied
from repository.repository import Repository
from repository.storage.address import store_name
from workers.execution.context import TaskContext
from workers.store_preparation import prepare_store
from workers.tasks.delete import erase_copied_meanwhile
from workers.tasks.jobs import replicate_work_job

_MOST_JOBS: Final = 1000


def replicate_work(context: TaskContext, job: Job) -> Mapping[str, object]:
    """Run a job of kind ``replicate``: copy the OCFL object of `work` to the replica `store`, verify and record it.

    The recorded time is that at which the copy began: every file was read at the replica then or later.
    Raises `KeyNotFound`, `DigestMismatch`, `ObjectInvalid`, `ReplicaNotRecognised`, `StoreFault`, `DatabaseFault`.
    """
    repository, work, name = context.repository, job.arguments["work"], job.arguments["store"]
    if name not in repository.replicas or erase_copied_meanwhile(repository, work, name):
        return _skipped(name)
    began = timestamp(repository.clock())
    try:
        copy = copy_work(_primary(repository), _prepared_replica(repository, name), work)
    finally:
        is_deleted = erase_copied_meanwhile(repository, work, name)
    if is_deleted:
        return _skipped(name)
    repository.replica_status.record_verified(work, name, copy.version, began)
    return {"store": name, "version": copy.version, **_transferred(copy.totals)}


def replicate_log(context: TaskContext, job: Job) -> Mapping[str, object]:
    """Run a job of kind ``replicate-log``: bring the log in the replica `store` up to the primary store's.

    Any machine may run it, because checkpoints are verified with the log's public key. Raises `LogInvalid`,
    `StoreFault`, `DatabaseFault`.
    """
    repository, name = context.repository, job.arguments["store"]
    if name not in repository.replicas:
        return _skipped(name)
    target = _prepared_replica(repository, name)
    copy = copy_log(_primary(repository), target, log_keys(repository))
    if copy is None:
        return {"store": name, "entries": 0}
    return {"store": name, "entries": copy.size, **_transferred(copy.totals)}


def replication_jobs(repository: Repository, *, limit: int = _MOST_JOBS, failed: bool = False) -> list[NewJob]:
    """Return jobs for works that no replica is recorded to hold at their newest version, at most `limit` a replica.

    Works with an active job are left out; so are works whose job failed for good, unless `failed` is true. Workers
    enqueue these jobs when they start and at intervals: after `shanben rebuild`, and for a new replica, nothing is
    recorded. Raises `DatabaseFault`.
    """
    return [
        replicate_work_job(store, work)
        for store in repository.replicas
        for work in repository.replica_status.works_without_replica(
            store, replicate_work_job(store, "").key, limit, failed=failed
        )
    ]


def _primary(repository: Repository) -> NamedStore:
    return NamedStore(store_name(repository.settings.store_url), repository.store)


def _prepared_replica(repository: Repository, name: str) -> NamedStore:
    """Return a replica with the library's identity and an OCFL declaration. A bucket that does not exist is created.

    Nothing is written into a replica that is not recognised. Raises `ReplicaNotRecognised`, `StoreFault`.
    """
    try:
        recognise_replica(repository, name)
    except StoreDenied:
        addresses = dict(zip(repository.replicas, repository.settings.replicas, strict=True))
        prepare_store(addresses[name], repository.settings)
        recognise_replica(repository, name)
    store = repository.replicas[name]
    objects.prepare_storage_root(store)
    return NamedStore(name, store)


def _skipped(store: str) -> Mapping[str, object]:
    """Return the result of a job whose replica is no longer in the settings, or whose work is to be deleted."""
    return {"store": store, "skipped": True}


def _transferred(transferred: TransferTotals) -> Mapping[str, object]:
    return {"files_put": transferred.objects_put, "bytes_put": transferred.bytes_put}
