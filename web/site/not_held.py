"""The error for a work that the catalogue lacks: not held, or deleted by a decision of the library."""

from __future__ import annotations

from repository.database.deletions import WorkDeleted
from repository.errors import NotFound, ShanbenError
from repository.repository import Repository


def not_held(repository: Repository, work: str) -> ShanbenError:
    """Return the error for a work without a row in the catalogue. Raises `DatabaseFault`."""
    deletion = repository.deletions.get(work)
    if deletion is not None and deletion.is_decided:
        return WorkDeleted(what=work, day=deletion.day)
    return NotFound(what=work)
