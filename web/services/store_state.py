"""Whether the store is there: an unmounted folder looks like an empty store."""

from __future__ import annotations

from typing import Final

from preservation.ocfl.layout import STORAGE_ROOT_DECLARATION
from repository import paths
from repository.errors import DatabaseFault, KeyNotFound, NotFound, ShanbenError, StoreFault
from repository.repository import Repository

_STORAGE_ROOT: Final = f"{paths.OCFL_ROOT}/{STORAGE_ROOT_DECLARATION}"


def store_fault(repository: Repository) -> ShanbenError | None:
    """Return the store's fault. A store that lost its root, such as an unmounted folder, has no works to serve."""
    try:
        if not repository.store.exists(_STORAGE_ROOT) and repository.catalogue.published_count():
            return KeyNotFound(key=_STORAGE_ROOT)
    except StoreFault as fault:
        return fault
    except DatabaseFault:
        return None  # reported as the database's
    return None


def absent(repository: Repository, what: str) -> ShanbenError:
    """Return the error for something that the store does not have: not held, or unavailable while the store is away."""
    return store_fault(repository) or NotFound(what=what)
