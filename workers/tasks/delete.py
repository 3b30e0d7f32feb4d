"""The jobs that carry out the decided deletion of a work in every store (`workers/tasks/delete_decision.py` decides).

1. **Delete** in the primary store, when the log holds all events of the work, the deletion among them: put the
   tombstone, erase the object (`preservation/deletion.py`), its pyramids and its manifest. The work then leaves the
   catalogue in one transaction, which enqueues a job for each replica. Its events stay.
2. **Delete in each replica**: put the tombstone, erase the copy.

A copy or a pyramid that another job is about to write when the deletion is decided is erased by that job
(`erase_copied_meanwhile`, `erase_remade_meanwhile`): it looks for the decision after its last write, and the tombstone
is put before the first file is erased.

Every step can be repeated. While a work is claimed by another job, its deletion can be neither confirmed nor carried
out; once it is confirmed, no deposit, copy or repair of the work is accepted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from iiif_server.presentation.published import remove_manifest
from preservation.deletion import DeletionLocked, Tombstone, check_locks, erase_object, put_tombstone, read_tombstone
from preservation.store_identity import verify_replica
from repository import paths
from repository.clock import timestamp
from repository.database.deletions import Deletion, DeletionState
from repository.database.outbox import Job
from repository.database.store_registry import PRIMARY
from repository.errors import NotFound, SystemFault
from repository.localized import LocalizedText
from repository.repository import Repository
from repository.store_label import PRIMARY_LABEL
from repository.texts import delete_texts
from workers.execution.context import TaskContext
from workers.execution.runner import FanOut
from workers.tasks.jobs import delete_copy_job, search_index_job, sequence_events_job

_PAGE: Final = 1000


class DeletionWaits(SystemFault):
    """The log does not hold all events of the work yet: nothing is deleted before."""

    code = "deletion.waits"
    text = LocalizedText(
        "{work} 的事件尚未全部写入溯源日志，写入之后才会删除",
        "The log does not hold all events of {work} yet; it is deleted when it does",
    )


class StoreStillLocked(SystemFault):
    """A store has locked files of a work whose deletion is decided; the job is tried again."""

    code = "deletion.store-locked"
    text = LocalizedText("{reason}", "{reason}")


def delete_work(context: TaskContext, job: Job) -> Mapping[str, object] | FanOut:
    """Run a job of kind ``delete``: carry out the confirmed deletion of `work` in the primary store.

    Raises `NotFound` for a work whose deletion is not confirmed, `DeletionWaits`, `StoreStillLocked`, `Busy`,
    `StoreFault`, `DatabaseFault`.
    """
    repository, work = context.repository, job.arguments["work"]
    deletion = _decided(repository, work)
    if job.plan is None:
        return FanOut((), {}, work)
    if deletion.state is not DeletionState.DELETED:
        if repository.log_sequence.has_unlogged_events(work):
            repository.jobs.enqueue(sequence_events_job())
            raise DeletionWaits(work=work)
        _require_unlocked(repository, PRIMARY_LABEL, work)
        put_tombstone(repository.store, _tombstone(deletion))
        erased = erase_object(repository.store, work)
        _erase_derived(repository, work)
        _end_checks(repository, work, PRIMARY)
        jobs = [search_index_job(), *(delete_copy_job(store, work) for store in repository.replicas)]
        repository.deletions.finish(work, jobs, timestamp(repository.clock()))
        return {"work": work, "deleted": erased}
    return {"work": work, "deleted": 0}


def delete_copy(context: TaskContext, job: Job) -> Mapping[str, object]:
    """Run a job of kind ``delete-copy``: delete the copy of `work` in the replica `store`.

    Raises `NotFound` for a work that was not deleted, `ReplicaNotRecognised`, `StoreStillLocked`, `StoreFault`,
    `DatabaseFault`.
    """
    repository, work, name = context.repository, job.arguments["work"], job.arguments["store"]
    deletion = _decided(repository, work)
    if name not in repository.replicas:
        return {"store": name, "skipped": True}
    verify_replica(repository, name)
    _require_unlocked(repository, name, work)
    store = repository.replicas[name]
    put_tombstone(store, _tombstone(deletion))
    erased = erase_object(store, work)
    _end_checks(repository, work, name)
    repository.deletions.forget_copy(work, name)
    return {"store": name, "work": work, "deleted": erased}


def erase_copied_meanwhile(repository: Repository, work: str, name: str) -> bool:
    """Return whether the deletion of a work is decided; if the replica has its tombstone, erase what was copied since.

    Raises `StoreFault`, `DatabaseFault`.
    """
    if not repository.deletions.is_decided(work):
        return False
    store = repository.replicas[name]
    if read_tombstone(store, work) is not None:
        erase_object(store, work)
    return True


def erase_remade_meanwhile(repository: Repository, work: str, image: str) -> bool:
    """Return whether the deletion of a work is decided; if it is deleted, erase pyramids of an image made since.

    Raises `StoreFault`, `DatabaseFault`.
    """
    if not repository.deletions.is_decided(work):
        return False
    if read_tombstone(repository.store, work) is not None:
        repository.store.erase(paths.pyramids_of(image))
    return True


def _decided(repository: Repository, work: str) -> Deletion:
    deletion = repository.deletions.get(work)
    if deletion is None or not deletion.is_decided:
        raise NotFound(what=LocalizedText(f"删除 {work} 的决定", f"decision to delete {work}"))
    return deletion


def _require_unlocked(repository: Repository, name: str, work: str) -> None:
    store = repository.store if name == PRIMARY_LABEL else repository.replicas[name]
    try:
        check_locks(store, name, work, repository.clock())
    except DeletionLocked as locked:
        raise StoreStillLocked(reason=locked.message) from locked


def _tombstone(deletion: Deletion) -> Tombstone:
    return Tombstone(deletion.work, deletion.event or "", deletion.confirmed or "", deletion.version)


def _erase_derived(repository: Repository, work: str) -> None:
    """Delete all pyramids of all images that the work ever had, which its events name, its manifest and texts."""
    for image in sorted(set(_images(repository, work))):
        repository.store.erase(paths.pyramids_of(image))
    remove_manifest(repository.store, work)
    delete_texts(repository.store, work)


def _images(repository: Repository, work: str) -> Iterator[str]:
    start = 0
    while events := repository.log_sequence.history_of(work, start, _PAGE):
        yield from (event.image for event, _ in events if event.image)
        start += len(events)


def _end_checks(repository: Repository, work: str, store: str) -> None:
    units = repository.fixity.units_of_work(work, store)
    repository.fixity.forget([unit.id for unit in units])
    repository.findings.resolve_deleted(work, store, repository.clock())
