"""Deletes works by the decision of two people, and the jobs that carry the decision out in every store.

1. **Request**: one account asks for the deletion of a withdrawn work, with a reason.
2. **Confirm**: after the waiting time, another account confirms it. The work must be as it was at the request, and no
   store may have locked its files. One transaction decides: the event of the deletion is staged for the log, and the
   job of step 3 enqueued. A crash before it changes nothing; after it, the deletion is completed, whatever happens.
3. **Delete** in the primary store, when the log holds all events of the work, the deletion among them: put the
   tombstone, erase the object (`preservation/deletion.py`), its pyramids and its manifest. The work then leaves the
   catalogue in one transaction, which enqueues a job for each replica. Its events stay.
4. **Delete in each replica**: put the tombstone, erase the copy.

Every step can be repeated. While a work is claimed by another job, its deletion can be neither confirmed nor carried
out; once it is confirmed, no deposit, copy or repair of the work is accepted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from iiif_server.presentation.published import remove_manifest
from preservation.deletion import DeletionLocked, Tombstone, check_locks, erase_object, put_tombstone
from preservation.log_events import PRIMARY_STORE, deletion_event
from preservation.ocfl import objects
from preservation.ocfl.inventory import Inventory
from preservation.store_identity import verify_replica
from repository import paths
from repository.accounts import Account, Role
from repository.clock import timestamp
from repository.database.deletions import Deletion, DeletionRefused, DeletionState
from repository.database.outbox import Job
from repository.errors import AccessRefused, KeyNotFound, NotFound, SystemFault
from repository.localized import LocalizedText
from repository.repository import Repository
from workers.execution.context import TaskContext
from workers.execution.runner import FanOut
from workers.tasks.jobs import delete_copy_job, delete_work_job, sequence_events_job
from workers.tasks.log_events import occasion

ROLES: Final = frozenset({Role.CONSERVATOR, Role.ADMINISTRATOR})
"""The roles whose accounts may request and confirm deletions."""

MASTERS: Final = "masters/"
_PAGE: Final = 1000
_SAME_ACCOUNT: Final = LocalizedText(
    "须由申请人以外的账号确认", "another account than the one that requested it must confirm it"
)


class DeletionNotAllowed(AccessRefused):
    """The account may not decide about deletions."""

    code = "deletion.role"
    text = LocalizedText(
        "账号 {account} 无权申请或确认删除；须为保存人员或管理员",
        "The account {account} may not request or confirm deletions; conservators and administrators may",
    )


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


def request_deletion(repository: Repository, work: str, account: Account, reason: str) -> Deletion:
    """Request the deletion of a work. Raises `DeletionNotAllowed`, `DeletionRefused`, `NotFound`, `DatabaseFault`."""
    _require_role(account)
    return repository.deletions.request(work, account.name, reason, timestamp(repository.clock()))


def cancel_deletion(repository: Repository, work: str, account: Account) -> Deletion:
    """Cancel a request that is not confirmed. Raises as `request_deletion`."""
    _require_role(account)
    return repository.deletions.cancel(work)


def may_be_confirmed_from(repository: Repository, deletion: Deletion) -> datetime:
    """Return the time from which on a request may be confirmed."""
    return datetime.fromisoformat(deletion.requested) + timedelta(days=repository.settings.delete_days)


def confirm_deletion(repository: Repository, work: str, account: Account) -> Deletion:
    """Decide the deletion of a work and enqueue the job that carries it out.

    Raises `DeletionNotAllowed`, `DeletionRefused`, `DeletionLocked`, `NotFound`, `Busy`, `StoreFault`, `DatabaseFault`.
    """
    _require_role(account)
    deletion, now = repository.deletions.get(work), repository.clock()
    if deletion is None:
        raise NotFound(what=LocalizedText(f"删除 {work} 的申请", f"request to delete {work}"))
    if deletion.state is DeletionState.REQUESTED:
        if account.name == deletion.requested_by:
            raise DeletionRefused(work=work, reason=_SAME_ACCOUNT)
        earliest = may_be_confirmed_from(repository, deletion)
        if now < earliest:
            raise DeletionRefused(work=work, reason=_too_early(timestamp(earliest)))
    inventory = objects.read_inventory(repository.store, work)
    if inventory is None:
        raise KeyNotFound(key=paths.ocfl_object(work))
    for name, store in {PRIMARY_STORE: repository.store, **repository.replicas}.items():
        check_locks(store, name, work, now)
    event = deletion_event(
        occasion(repository),
        work,
        masters_of(inventory),
        versions=len(inventory.versions),
        requested=deletion.requested,
        requested_by=deletion.requested_by,
        confirmed_by=account.name,
        reason=deletion.reason,
    )
    jobs = [delete_work_job(work), sequence_events_job()]
    return repository.deletions.confirm(deletion, account.name, event, jobs, timestamp(now))


def masters_of(inventory: Inventory) -> set[str]:
    """Return the digests of all masters of all versions."""
    states = (version.state for version in inventory.versions)
    return {digest for state in states for path, digest in state.items() if path.startswith(MASTERS)}


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
        _require_unlocked(repository, PRIMARY_STORE, work)
        put_tombstone(repository.store, _tombstone(deletion))
        erased = erase_object(repository.store, work)
        _erase_derived(repository, work)
        _forget_checks(repository, work, PRIMARY_STORE)
        jobs = [delete_copy_job(store, work) for store in repository.replicas]
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
    _forget_checks(repository, work, name)
    repository.deletions.forget_copy(work, name)
    return {"store": name, "work": work, "deleted": erased}


def _require_role(account: Account) -> None:
    if account.role not in ROLES or account.disabled is not None:
        raise DeletionNotAllowed(account=account.name)


def _decided(repository: Repository, work: str) -> Deletion:
    deletion = repository.deletions.get(work)
    if deletion is None or not deletion.is_decided:
        raise NotFound(what=LocalizedText(f"删除 {work} 的决定", f"decision to delete {work}"))
    return deletion


def _require_unlocked(repository: Repository, name: str, work: str) -> None:
    store = repository.store if name == PRIMARY_STORE else repository.replicas[name]
    try:
        check_locks(store, name, work, repository.clock())
    except DeletionLocked as locked:
        raise StoreStillLocked(reason=locked.message) from locked


def _tombstone(deletion: Deletion) -> Tombstone:
    return Tombstone(deletion.work, deletion.event or "", deletion.confirmed or "", deletion.version)


def _erase_derived(repository: Repository, work: str) -> None:
    """Delete all pyramids of all images that the work ever had, which its events name, and its manifest."""
    for image in sorted(set(_images(repository, work))):
        repository.store.erase(paths.pyramids_of(image))
    remove_manifest(repository.store, work)


def _images(repository: Repository, work: str) -> Iterator[str]:
    start = 0
    while events := repository.log_sequence.history_of(work, start, _PAGE):
        yield from (event.image for event, _ in events if event.image)
        start += len(events)


def _forget_checks(repository: Repository, work: str, store: str) -> None:
    units = repository.fixity.units_of_work(work, store)
    repository.fixity.forget([unit.id for unit in units])


def _too_early(earliest: str) -> LocalizedText:
    return LocalizedText(f"等待期未满，{earliest} 之后才能确认", f"it may be confirmed from {earliest} on")
