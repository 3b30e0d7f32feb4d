"""The tasks that keep replicas, and the jobs that are still to be done for them.

A replica that is away raises `StoreFault`, which may pass: the job is tried again, and nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from preservation.log import signing_key
from preservation.ocfl import objects
from preservation.replication.log import replicate_log as copy_log
from preservation.replication.transfer import NamedStore
from preservation.replication.works import replicate_work
from repository.clock import timestamp
from repository.database.outbox import NewJob
from repository.errors import StoreDenied
from repository.repository import Repository
from repository.storage.address import store_name
from workers.bootstrap import prepare_store
from workers.execution.context import TaskContext

WORK_KIND: Final = "replicate"
LOG_KIND: Final = "replicate-log"
_MOST_ORDERS: Final = 1000


def replicate_work_job(store: str, work: str) -> NewJob:
    """The job of having a work in a replica."""
    return NewJob(f"{WORK_KIND}:{store}:{work}", WORK_KIND, {"work": work, "store": store})


def replicate_log_job(store: str) -> NewJob:
    """The job of bringing a replica's log up to date."""
    return NewJob(f"{LOG_KIND}:{store}", LOG_KIND, {"store": store})


def replicate(context: TaskContext, arguments: Mapping[str, str]) -> Mapping[str, object]:
    """Kind ``replicate``: the OCFL object of `work` in the replica `store`, verified there and noted."""
    repository, work, name = context.repository, arguments["work"], arguments["store"]
    if name not in repository.replicas:
        return _no_longer_named(name)
    target = _made_ready(repository, name)
    done = replicate_work(_main(repository), target, work)
    repository.replica_status.note(work, name, done.version, timestamp(repository.clock()))
    return {"store": name, "version": done.version, **_figures(done.done.objects_put, done.done.bytes_put)}


def replicate_log(context: TaskContext, arguments: Mapping[str, str]) -> Mapping[str, object]:
    """Kind ``replicate-log``: the provenance log in the replica `store`, as far as the main store has it."""
    repository, name = context.repository, arguments["store"]
    if name not in repository.replicas:
        return _no_longer_named(name)
    target = _made_ready(repository, name)
    key = signing_key.load(repository.settings.keys).key
    done = copy_log(_main(repository), target, key)
    if done is None:
        return {"store": name, "entries": 0}
    return {"store": name, "entries": done.size, **_figures(done.done.objects_put, done.done.bytes_put)}


def replication_jobs(repository: Repository, *, limit: int = _MOST_ORDERS, failed: bool = False) -> list[NewJob]:
    """Jobs for works that are not noted at their newest version in every replica, at most `limit` a replica.

    Works whose job is on its way are left out; those whose job has failed for good too, unless `failed` says to try
    them again. For the start of a worker and for its sweeper: after `shanben rebuild` and when a replica is newly
    named, nothing is noted, and this brings it about again. Raises `DatabaseFault`.
    """
    return [
        replicate_work_job(store, work)
        for store in repository.replicas
        for work in repository.replica_status.missing(store, replicate_work_job(store, "").key, limit, failed=failed)
    ]


def _main(repository: Repository) -> NamedStore:
    return NamedStore(store_name(repository.settings.store_url), repository.store)


def _made_ready(repository: Repository, name: str) -> NamedStore:
    """A replica that declares itself a storage root; its bucket is made when it is absent."""
    store = repository.replicas[name]
    try:
        objects.prepare_storage_root(store)
    except StoreDenied:
        addresses = dict(zip(repository.replicas, repository.settings.replicas, strict=True))
        prepare_store(addresses[name], repository.settings)
        objects.prepare_storage_root(store)
    return NamedStore(name, store)


def _no_longer_named(store: str) -> Mapping[str, object]:
    """What becomes of a job for a replica that was taken out of the settings: it is over."""
    return {"store": store, "skipped": True}


def _figures(objects_put: int, bytes_put: int) -> Mapping[str, object]:
    return {"files_put": objects_put, "bytes_put": bytes_put}
