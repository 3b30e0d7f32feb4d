"""The record in the store of the edition of its published documents (`iiif_server/presentation/edition.py`)."""

from __future__ import annotations

from iiif_server.presentation.edition import PublishedEdition, edition_of
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
    return not (published.complete and published.edition == wanted_edition(repository))


def record_edition(repository: Repository, after: str | None = None) -> None:
    """Record that the documents of works up to `after` are of this edition; without it, that all are."""
    published = PublishedEdition(wanted_edition(repository), after or "", complete=after is None)
    repository.store.put(paths.PUBLISHED_EDITION, published.to_json())


def prepare_edition(repository: Repository) -> None:
    """Record the edition of a library that has no works yet. Raises `StoreFault`, `DatabaseFault`."""
    if not repository.catalogue.counts().works and is_outdated(repository):
        record_edition(repository)
