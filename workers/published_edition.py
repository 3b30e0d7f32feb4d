"""The record in the store of the edition of its published documents (`iiif_server/presentation/edition.py`).

While an upgrade reaches one machine after another, processes of two releases share a store. Only those of the later
release publish documents again. A process of the earlier one goes on to publish works that it ingests, and leaves a
mark that it has, so that all documents are compared once more.
"""

from __future__ import annotations

from iiif_server.presentation.edition import PublishedEdition, edition_of, release_of_documents
from repository import paths
from repository.errors import KeyNotFound
from repository.repository import Repository


def wanted_edition(repository: Repository) -> str:
    """Return the edition of the documents that this process builds."""
    settings = repository.settings
    return edition_of(settings.provider, settings.provider_logo, settings.max_area)


def published_edition(repository: Repository) -> PublishedEdition:
    """Return the record; that of nothing if there is none, or it is damaged. Raises `StoreFault`."""
    try:
        return PublishedEdition.of_json(repository.store.read(paths.PUBLISHED_EDITION))
    except (KeyNotFound, ValueError):
        return PublishedEdition()


def is_outdated(repository: Repository) -> bool:
    """Return whether documents in the store are of another edition than this process builds. Raises `StoreFault`."""
    published = published_edition(repository)
    is_current = published.complete and published.edition == wanted_edition(repository)
    return not is_current or repository.store.exists(paths.PUBLISHED_BY_OLDER)


def is_of_later_release(repository: Repository) -> bool:
    """Return whether processes of a later release than this one publish the documents. Raises `StoreFault`."""
    return published_edition(repository).release > release_of_documents()


def mark_older(repository: Repository) -> None:
    """Leave a mark if a document that this process has published is older than the others. Raises `StoreFault`.

    It is left after the document is stored: who removes the mark reads the document after that.
    """
    if is_of_later_release(repository):
        repository.store.put(paths.PUBLISHED_BY_OLDER, b"")


def begin_edition(repository: Repository) -> None:
    """Record, before any document is compared, that all are to be, unless this has begun. Raises `StoreFault`."""
    is_marked = repository.store.exists(paths.PUBLISHED_BY_OLDER)
    if is_marked or published_edition(repository).edition != wanted_edition(repository):
        record_edition(repository, "")
    if is_marked:
        repository.store.delete(paths.PUBLISHED_BY_OLDER)


def record_edition(repository: Repository, after: str | None = None) -> None:
    """Record that the documents of works up to `after` are of this edition; without it, that all are."""
    wanted = wanted_edition(repository)
    published = PublishedEdition(wanted, after or "", complete=after is None, release=release_of_documents())
    repository.store.put(paths.PUBLISHED_EDITION, published.to_json())


def prepare_edition(repository: Repository) -> None:
    """Record the edition of a library that has no works yet. Raises `StoreFault`, `DatabaseFault`."""
    if repository.catalogue.counts().works or is_of_later_release(repository):
        return
    if is_outdated(repository):
        record_edition(repository)
