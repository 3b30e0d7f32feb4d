"""The deletions of works as staff see them: what was requested, and what an account may do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from repository.clock import timestamp
from repository.database.deletions import Deletion
from repository.localized import LocalizedText
from repository.model.accounts import Account
from repository.model.work import WorkState
from repository.repository import Repository
from workers.tasks.delete_decision import (
    DeletionAct,
    confirmation_obstacle,
    may_be_confirmed_from,
    possible_acts,
)

MOST_LISTED_DELETIONS: Final = 20
"""The most deletions that the staff page lists, the oldest of them."""


@dataclass(frozen=True, slots=True)
class DeletionView:
    """The deletion of a work, None while none is requested, and the acts that are open to the account that looks at it.

    `title` is the identifier for a work that the catalogue lacks. `earliest` is the time (RFC 3339) from which on a
    request may be confirmed, '' without one; `obstacle` is why this account may not confirm it now. `is_public` is
    whether the work must be withdrawn before its deletion can be requested.
    """

    work: str
    title: str
    deletion: Deletion | None
    acts: frozenset[DeletionAct]
    earliest: str
    obstacle: LocalizedText | None
    is_public: bool


def deletion_view(repository: Repository, work: str, deletion: Deletion | None, account: Account) -> DeletionView:
    """Return what an account sees of the deletion of a work. Raises `DatabaseFault`."""
    held = repository.catalogue.work(work)
    access = repository.catalogue.access(work)
    is_request = deletion is not None and not deletion.is_decided
    return DeletionView(
        work=work,
        title=held.record.title if held else work,
        deletion=deletion,
        acts=possible_acts(repository, deletion, account),
        earliest=timestamp(may_be_confirmed_from(repository, deletion)) if deletion and is_request else "",
        obstacle=confirmation_obstacle(repository, deletion, account) if deletion and is_request else None,
        is_public=access is not None and access.access.state is not WorkState.WITHDRAWN,
    )


def open_deletions(repository: Repository, account: Account) -> list[DeletionView]:
    """Return the deletions that are requested or under way, at most `MOST_LISTED_DELETIONS`, the oldest first.

    Raises `DatabaseFault`.
    """
    found = repository.deletions.open(MOST_LISTED_DELETIONS)
    return [deletion_view(repository, deletion.work, deletion, account) for deletion in found]
