"""Report which stores hold a work, at which version, and when each verified it."""

from __future__ import annotations

from dataclasses import dataclass

from repository.errors import NotFound
from repository.model.work import EventType
from repository.repository import Repository
from repository.storage.address import store_name


@dataclass(frozen=True, slots=True)
class Holding:
    """A work in one store: the newest version verified there, and when (RFC 3339); version 0 before the first.

    `name` is the store's address without secrets, shown to operators and not to the public. `is_primary` marks the
    primary store, from which readers are served; `current` marks a version that is the newest.
    """

    name: str
    is_primary: bool
    version: int
    verified: str | None
    current: bool


@dataclass(frozen=True, slots=True)
class ReplicationStatus:
    """A work's holdings: the primary store first, then the replicas in the order of the settings."""

    holdings: tuple[Holding, ...]

    @property
    def stores(self) -> int:
        """The number of stores that should hold the work."""
        return len(self.holdings)

    @property
    def verified_stores(self) -> int:
        """The number of stores that have verified its newest version."""
        return sum(holding.current for holding in self.holdings)

    @property
    def preserved(self) -> bool:
        """Whether every store has verified its newest version."""
        return self.verified_stores == self.stores


def replication_status_of(repository: Repository, work: str) -> ReplicationStatus:
    """Return where a work is held, from the database alone. Raises `NotFound`, `DatabaseFault`.

    The primary store verifies a version when it is ingested, so its time is that of the work's last accession.
    """
    head = repository.replica_status.work_head(work, EventType.ACCESSION)
    if head is None:
        raise NotFound(what=work)
    version, time = head
    replicas = {copy.store: copy for copy in repository.replica_status.replicas_of(work)}
    holdings = [Holding(store_name(repository.settings.store_url), True, version, time, True)]
    for name in repository.replicas:
        copy = replicas.get(name)
        if copy is None:
            holdings.append(Holding(name, False, 0, None, False))
        else:
            holdings.append(Holding(name, False, copy.version, copy.verified, copy.version == version))
    return ReplicationStatus(tuple(holdings))
