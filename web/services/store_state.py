"""Whether the store is there: an unmounted folder looks like an empty store."""

from __future__ import annotations

from preservation.store_identity import verify_primary
from repository.errors import DatabaseFault, NotFound, ShanbenError, StoreFault
from repository.repository import Repository


def store_fault(repository: Repository) -> ShanbenError | None:
    """Return the store's fault; a folder that is not mounted is one (`StoreNotRecognised`)."""
    try:
        verify_primary(repository)
    except StoreFault as fault:
        return fault
    except DatabaseFault:
        return None  # reported as the database's
    return None


def absent(repository: Repository, what: str) -> ShanbenError:
    """Return the error for something that the store does not have: not held, or unavailable while the store is away."""
    return store_fault(repository) or NotFound(what=what)
