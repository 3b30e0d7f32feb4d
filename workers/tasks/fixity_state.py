"""What can be said of stored files: verified since when and in how many stores, never checked, or damaged."""

from __future__ import annotations

from dataclasses import dataclass

from repository.database.fixity_values import ClassTotals, UnitKind
from repository.repository import Repository
from workers.tasks.fixity_plan import totals_of
from workers.tasks.fixity_settings import stores_of


@dataclass(frozen=True, slots=True)
class FixityState:
    """Numbers of files in all stores; `checked` of `files` were checked at least once.

    A store is verified when every file in it was checked, the last time with success, and nothing in it waits for its
    first check: `verified` of `stores` are. `since` is the day of the oldest of these checks (ISO 8601), '' without
    one. `findings` counts open findings.
    """

    files: int
    checked: int
    stores: int
    verified: int
    since: str
    findings: int


def read_fixity_state(repository: Repository) -> FixityState:
    """Return the state of all stores of the settings, in a time that grows with the works. Raises `DatabaseFault`."""
    stores = stores_of(repository)
    totals = totals_of(repository, stores)
    counts = repository.findings.counts(stores)
    damaged = {store for store, _ in counts}
    verified, since = 0, ""
    for store in stores:
        own = [each for each in totals if each.store == store]
        if store not in damaged and own and all(map(_is_verified, own)) and not _has_unrecorded(repository, store):
            verified += 1
            since = min(filter(None, (since, *(each.oldest or "" for each in own))), default="")
    return FixityState(
        files=sum(each.files for each in totals),
        checked=sum(each.files - each.never for each in totals),
        stores=len(stores),
        verified=verified,
        since=since,
        findings=sum(counts.values()),
    )


def _is_verified(totals: ClassTotals) -> bool:
    return not (totals.never or totals.failed or totals.not_checked)


def _has_unrecorded(repository: Repository, store: str) -> bool:
    return bool(repository.fixity.unrecorded_works(store, UnitKind.WORK, 1))
