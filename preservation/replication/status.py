"""Where a work is held, for people: which stores have it, at which version, and when that was verified."""

from __future__ import annotations

from dataclasses import dataclass

from repository.errors import NotFound
from repository.repository import Repository
from repository.storage.address import store_name


@dataclass(frozen=True, slots=True)
class Holding:
    """A work in one store: its newest version `verified` there (RFC 3339); version 0 when there is none yet.

    `name` is the store's address without secrets: for those who run the house, not for the public. `main` is the store
    that readers are served from, `current` whether the version is the newest.
    """

    name: str
    main: bool
    version: int
    verified: str | None
    current: bool


@dataclass(frozen=True, slots=True)
class ReplicationStatus:
    """A work's holdings, the main store first, then the replicas in the order of the settings."""

    holdings: tuple[Holding, ...]

    @property
    def stores(self) -> int:
        """In how many stores the work is to be."""
        return len(self.holdings)

    @property
    def held(self) -> int:
        """In how many of them its newest version was verified."""
        return sum(holding.current for holding in self.holdings)

    @property
    def preserved(self) -> bool:
        """Whether every store has verified it."""
        return self.held == self.stores


def replication_status_of(repository: Repository, work: str) -> ReplicationStatus:
    """Where a work is held. Raises `NotFound`, `DatabaseFault`; no store is asked.

    In the main store a version is verified when it is taken in: the time is that of the work's last event.
    """
    head = repository.replica_status.head(work)
    if head is None:
        raise NotFound(what=work)
    version, time = head
    noted = {copy.store: copy for copy in repository.replica_status.of(work)}
    holdings = [Holding(store_name(repository.settings.store_url), True, version, time, True)]
    for name in repository.replicas:
        copy = noted.get(name)
        if copy is None:
            holdings.append(Holding(name, False, 0, None, False))
        else:
            holdings.append(Holding(name, False, copy.version, copy.verified, copy.version == version))
    return ReplicationStatus(tuple(holdings))
