"""Putting manifests and collections where readers and partners find them; only what differs is written.

The collection of all works lists manifests while they are few, and parts of itself when they are many, which may be
divided further (`iiif_server/parts.py`). What it looks like follows from the catalogue alone.

A publication has only the parts described that its work is in, from the smallest up to the top. A part that is new to
the one above it, as all are when that was just divided, is described whole. So a crash leaves parts that nothing leads
to yet, never one that leads nowhere; and the job, done again, describes them again. One at a time describes parts: two
that looked at the catalogue one after the other could put what they saw the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from iiif_server.presentation.collections import ALL, MOST, AccessionPeriod, period_named, smallest_period
from iiif_server.presentation.manifest import build_collection, build_divided_collection, build_manifest
from iiif_server.presentation.published import (
    listed_collections,
    publish_collection,
    publish_manifest,
    published_collections,
    remove_collection,
)
from iiif_server.urls import collection_id
from repository.database.locks import Hold
from repository.database.outbox import NewJob
from repository.errors import Busy
from repository.localized import LocalizedText
from repository.model import Pyramid, Work
from repository.repository import Repository

COLLECTION_KIND: Final = "collection"

_LOCK: Final = "collections"
_WAIT_SECONDS: Final = 10.0
_LONG_WAIT_SECONDS: Final = 120.0
_BUSY: Final = LocalizedText("总目清单", "the collection of all works")


def publish_work(repository: Repository, work: Work, pyramids: Mapping[str, Pyramid]) -> None:
    """Put the work's manifest in the store."""
    publish_manifest(repository.store, work.identifier, build_manifest(work, pyramids, repository.settings.provider))


def collection_job(accessioned: str) -> NewJob:
    """The job of describing the parts that a work accessioned at this time is in."""
    part = smallest_period(accessioned)
    return NewJob(f"{COLLECTION_KIND}:{part.name}", COLLECTION_KIND, {"part": part.name})


def publish_period(repository: Repository, part: AccessionPeriod) -> int:
    """Describe what a change in `part` may change; returns how many collections were looked at.

    Raises `Busy` while somebody else describes a long time.
    """
    return len(_describe(repository, part, _WAIT_SECONDS))


def publish_all(repository: Repository) -> int:
    """Describe all works, and take away parts that are none any more; returns how many collections there are."""
    return len(_describe(repository, None, _LONG_WAIT_SECONDS))


def _describe(repository: Repository, changed: AccessionPeriod | None, seconds: float) -> set[str]:
    """The names of the collections described: those with `changed` in them, and new ones; all when it is None."""
    names = set()
    with repository.locks.hold(_LOCK, seconds, Busy(what=_BUSY)) as hold:
        for part, body in _described(repository, ALL, changed):
            hold.check()
            publish_collection(repository.store, part.name, body)
            names.add(part.name)
        if changed is None:
            _remove_others(repository, hold, names)
    return names


def _described(
    repository: Repository, part: AccessionPeriod, changed: AccessionPeriod | None
) -> Iterator[tuple[AccessionPeriod, bytes]]:
    """Parts and their documents, each to be put before the next is asked for."""
    catalogue = repository.catalogue
    if part.is_smallest or catalogue.accessions(part.start, part.end, MOST + 1) <= MOST:
        yield part, build_collection(catalogue.works_accessioned(part.start, part.end), part)
        return
    divisions = list(_divisions(repository, part))
    known = listed_collections(repository.store, part.name) if changed else frozenset()
    for division in divisions:
        if collection_id(division.name) not in known:
            yield from _described(repository, division, None)
        elif changed and division.contains(changed):
            yield from _described(repository, division, changed)
    yield part, build_divided_collection(part, divisions)


def _divisions(repository: Repository, part: AccessionPeriod) -> Iterator[AccessionPeriod]:
    """The next smaller parts of a part that hold works, found by steps from one to the next."""
    start = part.start
    while accessioned := repository.catalogue.first_accession(start, part.end):
        division = part.division(accessioned)
        yield division
        start = division.end


def _remove_others(repository: Repository, hold: Hold, names: set[str]) -> None:
    """Take away what has the name of a part and is none now; collections of other kinds stay."""
    for name in list(published_collections(repository.store)):
        if name not in names and period_named(name):
            hold.check()
            remove_collection(repository.store, name)
