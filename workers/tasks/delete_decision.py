"""The decision of two people to delete a work. It deletes nothing: `workers/tasks/delete.py` carries it out.

1. **Request**: one account asks for the deletion of a withdrawn work, with a reason.
2. **Confirm**: after the waiting time, another account confirms it. The work must be as it was at the request, and no
   store may have locked its files. One transaction decides: the event of the deletion is staged for the log, and the
   job that deletes enqueued. A crash before it changes nothing; after it, the deletion is completed, whatever happens.

A request that is not confirmed may be cancelled. Commands and the pages of staff use this module.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from preservation.deletion import check_locks
from preservation.log_events import deletion_event
from preservation.ocfl import objects
from preservation.ocfl.inventory import Inventory
from repository import paths
from repository.clock import timestamp
from repository.database.deletions import DECIDED, Deletion, DeletionRefused
from repository.errors import AccessRefused, KeyNotFound, NotFound, RequestInvalid
from repository.localized import LocalizedText
from repository.model.accounts import Account, Role
from repository.repository import Repository
from repository.store_label import PRIMARY_LABEL
from workers.tasks.jobs import delete_work_job, sequence_events_job
from workers.tasks.log_events import occasion

ROLES: Final = frozenset({Role.CONSERVATOR, Role.ADMINISTRATOR})
"""The roles whose accounts may request and confirm deletions."""

MASTERS: Final = "masters/"
_SAME_ACCOUNT: Final = LocalizedText(
    "须由申请人以外的账号确认", "another account than the one that requested it must confirm it"
)
_REASON: Final = LocalizedText("须写明理由，不得含控制字符", "give a reason, without control characters")


class DeletionAct(StrEnum):
    """What an account may do about the deletion of a work."""

    REQUEST = "request"
    CONFIRM = "confirm"
    CANCEL = "cancel"


class DeletionNotAllowed(AccessRefused):
    """The account may not decide about deletions."""

    code = "deletion.role"
    text = LocalizedText(
        "账号 {account} 无权申请或确认删除；须为保存人员或管理员",
        "The account {account} may not request or confirm deletions; conservators and administrators may",
    )


def request_deletion(repository: Repository, work: str, account: Account, reason: str) -> Deletion:
    """Request the deletion of a work.

    Raises `DeletionNotAllowed`, `RequestInvalid` for a blank reason, `DeletionRefused`, `NotFound`, `DatabaseFault`.
    """
    _require_role(account)
    words = reason.strip()
    if not (words and words.isprintable()):
        raise RequestInvalid(part="reason", reason=_REASON)
    return repository.deletions.request(work, account.name, words, timestamp(repository.clock()))


def cancel_deletion(repository: Repository, work: str, account: Account) -> Deletion:
    """Cancel a request that is not confirmed. Raises as `request_deletion`."""
    _require_role(account)
    return repository.deletions.cancel(work)


def may_be_confirmed_from(repository: Repository, deletion: Deletion) -> datetime:
    """Return the time from which on a request may be confirmed."""
    return datetime.fromisoformat(deletion.requested) + timedelta(days=repository.settings.delete_days)


def confirmation_obstacle(repository: Repository, deletion: Deletion, account: Account) -> LocalizedText | None:
    """Return why an account may not confirm a request now, apart from its role; None if nothing is known against it."""
    if deletion.is_decided:
        return DECIDED
    if account.name == deletion.requested_by:
        return _SAME_ACCOUNT
    earliest = may_be_confirmed_from(repository, deletion)
    return _too_early(timestamp(earliest)) if repository.clock() < earliest else None


def possible_acts(repository: Repository, deletion: Deletion | None, account: Account) -> frozenset[DeletionAct]:
    """Return what an account may do now about a deletion; `deletion` is None while none is requested."""
    if not _may_decide(account):
        return frozenset()
    if deletion is None:
        return frozenset({DeletionAct.REQUEST})
    if deletion.is_decided:
        return frozenset()
    if confirmation_obstacle(repository, deletion, account) is not None:
        return frozenset({DeletionAct.CANCEL})
    return frozenset({DeletionAct.CANCEL, DeletionAct.CONFIRM})


def confirm_deletion(repository: Repository, work: str, account: Account) -> Deletion:
    """Decide the deletion of a work and enqueue the job that carries it out.

    Raises `DeletionNotAllowed`, `DeletionRefused`, `DeletionLocked`, `NotFound`, `Busy`, `StoreFault`, `DatabaseFault`.
    """
    _require_role(account)
    deletion, now = repository.deletions.get(work), repository.clock()
    if deletion is None:
        raise NotFound(what=LocalizedText(f"删除 {work} 的申请", f"request to delete {work}"))
    if (obstacle := confirmation_obstacle(repository, deletion, account)) is not None:
        raise DeletionRefused(work=work, reason=obstacle)
    inventory = objects.read_inventory(repository.store, work)
    if inventory is None:
        raise KeyNotFound(key=paths.ocfl_object(work))
    for name, store in {PRIMARY_LABEL: repository.store, **repository.replicas}.items():
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


def _may_decide(account: Account) -> bool:
    return account.role in ROLES and account.disabled is None


def _require_role(account: Account) -> None:
    if not _may_decide(account):
        raise DeletionNotAllowed(account=account.name)


def _too_early(earliest: str) -> LocalizedText:
    return LocalizedText(f"等待期未满，{earliest} 之后才能确认", f"it may be confirmed from {earliest} on")
