"""Publishes manifests and collections in the store; only documents that changed are written.

The collection of all works lists manifests while there are few, and periods of accession when there are many; a period
may be divided further (`iiif_server/presentation/collections.py`). Its shape follows from the catalogue alone.

A publication rewrites only the periods that contain its work, from the smallest up to the top. A period that its parent
does not list yet is written in full; so are all periods of a parent that was just divided. A crash can therefore leave
periods that no document links to, but no link without a document, and the job that runs again writes them again. One
process at a time writes collections: two that read the catalogue one after the other could write in the opposite order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from iiif_server.presentation.collections import ALL, MOST, AccessionPeriod, period_named
from iiif_server.presentation.manifest import build_collection, build_divided_collection, build_manifest
from iiif_server.presentation.partner_collections import partners_reference
from iiif_server.presentation.published import (
    listed_collections,
    publish_collection,
    publish_manifest,
    published_collections,
    remove_collection,
    remove_manifest,
)
from iiif_server.urls import PLACEHOLDER, collection_path, stored_id
from preservation.ocfl.inventory import Inventory
from repository.database.outbox import Job
from repository.database.publication import Publication
from repository.errors import Busy
from repository.localized import LocalizedText
from repository.model.access import rights_under
from repository.model.text import TextKind
from repository.model.work import Event, Pyramid, Work, WorkAccess, WorkState
from repository.repository import Repository
from repository.storage.lock_files import HeldLock
from repository.texts import TextsDamaged, pages_with_text
from workers.execution.context import TaskContext
from workers.published_edition import mark_older

_LOCK: Final = "collections"
_WAIT_SECONDS: Final = 10.0
_LONG_WAIT_SECONDS: Final = 120.0
_BUSY: Final = LocalizedText("总目清单", "the collection of all works")


def publish_work(repository: Repository, work: Work, access: WorkAccess, pyramids: Mapping[str, Pyramid]) -> None:
    """Write the manifest of a work with this access to the store, or remove that of a withdrawn work.

    `pyramids` are by image identifier. Raises `StoreFault`.
    """
    body = manifest_of(repository, work, access, pyramids)
    if body is None:
        remove_manifest(repository.store, work.identifier)
    else:
        publish_manifest(repository.store, work.identifier, body)
        mark_older(repository)


def manifest_of(
    repository: Repository, work: Work, access: WorkAccess, pyramids: Mapping[str, Pyramid]
) -> bytes | None:
    """Return the manifest of a work with this access, as it is stored; None for a withdrawn work."""
    if access.state is WorkState.WITHDRAWN:
        return None
    shown = replace(work, rights=rights_under(work.rights, access))
    settings = repository.settings
    return build_manifest(
        shown,
        pyramids,
        settings.provider,
        settings.max_area,
        repository.clock(),
        logo=settings.provider_logo,
        texts=_kinds_of_texts(repository, work.identifier),
    )


def _kinds_of_texts(repository: Repository, work: str) -> Mapping[str, frozenset[TextKind]]:
    """Return the kinds of the texts of pages, none while the document of the texts is damaged.

    A sweep then finds that the manifest, which links to text, is not what it must be, and a repair makes both again.
    """
    try:
        return pages_with_text(repository.store, work)
    except TextsDamaged:
        return {}


def collections_of(repository: Repository) -> Iterator[tuple[str, bytes]]:
    """Yield the name of every collection with its document, as they must be stored now."""
    for period, document in _build(repository, ALL, None):
        yield period.name, document


def publication_of(
    work: Work,
    pyramids: Mapping[str, Pyramid],
    events: Sequence[Event],
    inventory: Inventory,
    log_indexes: Mapping[str, int],
    *,
    access: WorkAccess,
    access_before: WorkAccess | None = None,
) -> Publication:
    """Return what the catalogue stores of a work, the same after an ingest and after a rebuild.

    `log_indexes` maps event identifiers to their indexes in the log; it is empty for events that are not logged yet.
    `access` is the access that the object holds, `access_before` the one that the catalogue had before.
    """
    versions = inventory.versions
    return Publication(work, pyramids, events, len(versions), versions[0].created, log_indexes, access, access_before)


def publish_collections(context: TaskContext, job: Job) -> Mapping[str, object]:
    """Run a job of kind ``collection``: the collections that contain the period `part`; all of them without one."""
    period = period_named(job.arguments.get("part", ""))
    repository = context.repository
    return {"collections": publish_period(repository, period) if period else publish_all(repository)}


def publish_period(repository: Repository, period: AccessionPeriod) -> int:
    """Publish the collections that a change in `period` affects. Return how many were compared with the store.

    Raises `Busy` when another process publishes collections for more than `_WAIT_SECONDS`.
    """
    return len(_publish(repository, period, _WAIT_SECONDS))


def publish_all(repository: Repository) -> int:
    """Publish the collections of all works and remove periods that are no longer used. Return how many there are.

    Raises `Busy` when another process publishes collections for more than `_LONG_WAIT_SECONDS`.
    """
    return len(_publish(repository, None, _LONG_WAIT_SECONDS))


def _publish(repository: Repository, changed: AccessionPeriod | None, seconds: float) -> set[str]:
    """Publish the collections that contain `changed` and those that are new; all for None. Return their names."""
    names = set()
    with repository.locks.hold(_LOCK, seconds, Busy(what=_BUSY)) as hold:
        for period, document in _build(repository, ALL, changed):
            hold.check()
            publish_collection(repository.store, period.name, document)
            names.add(period.name)
        if changed is None:
            _remove_unused(repository, hold, names)
    return names


def _build(
    repository: Repository, period: AccessionPeriod, changed: AccessionPeriod | None
) -> Iterator[tuple[AccessionPeriod, bytes]]:
    """Yield periods with their documents, children first. Each must be written before the next is requested."""
    catalogue = repository.catalogue
    if period.is_smallest or catalogue.count_accessions(period.start, period.end, MOST + 1) <= MOST:
        works = catalogue.works_accessioned(period.start, period.end)
        yield period, build_collection(works, period, further=_further(repository, period))
        return
    divisions = list(_divisions(repository, period))
    listed = listed_collections(repository.store, period.name) if changed else frozenset()
    for division in divisions:
        if stored_id(collection_path(division.name)) not in listed:
            yield from _build(repository, division, None)
        elif changed and division.contains(changed):
            yield from _build(repository, division, changed)
    yield period, build_divided_collection(period, divisions, further=_further(repository, period))


def _further(repository: Repository, period: AccessionPeriod) -> list[dict[str, Any]]:
    """Return what the collection of all works lists besides works: the collection of partners, where there are any."""
    has_partners = period == ALL and any(repository.harvests.sources())
    return [partners_reference(PLACEHOLDER)] if has_partners else []


def _divisions(repository: Repository, period: AccessionPeriod) -> Iterator[AccessionPeriod]:
    """Yield the next smaller periods of a period that contain works; one query each."""
    start = period.start
    while accessioned := repository.catalogue.first_accession(start, period.end):
        division = period.division(accessioned)
        yield division
        start = division.end


def _remove_unused(repository: Repository, hold: HeldLock, names: set[str]) -> None:
    """Remove collections whose name is that of a period and which are not among `names`; others stay."""
    for name in list(published_collections(repository.store)):
        if name not in names and period_named(name):
            hold.check()
            remove_collection(repository.store, name)
