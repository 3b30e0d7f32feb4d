"""Rebuilds the catalogue from the store alone.

1. Read the directories of all pyramids; make missing and damaged ones from the masters.
2. Publish the manifests that differ from the stored ones.
3. Read works, files and events from the committed OCFL objects, and the index of each event from the log. Events that
   are not logged yet are staged again.
4. Replace the whole catalogue in one transaction. Readers see the old one until then, and nobody extends the log.
5. Publish the collections.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from preservation.log.sequencer import exclusive_writer, log_indexes, open_log
from preservation.ocfl import objects
from repository.database.catalogue import Publication
from repository.errors import Busy, KeyNotFound, PyramidCorrupt
from repository.localized import LocalizedText
from repository.model import Work
from repository.repository import Repository
from workers.masters.examine import Examiner
from workers.progress import Progress
from workers.tasks.jobs import INGEST
from workers.tasks.preserve import read_events, read_work
from workers.tasks.publish import publication_of, publish_all, publish_work
from workers.tasks.pyramids import make_pyramid, read_pyramid


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The number of catalogued works and images, and of pyramids that were made from their masters."""

    works: int
    images: int
    pyramids_made: int


def rebuild(repository: Repository, examiner: Examiner, progress: Progress) -> Rebuilt:
    """Rebuild the catalogue.

    Raises `ObjectInvalid` for a work whose record cannot be read; the catalogue does not change then. Raises `Busy`
    while an ingest is active, whose work would be missing from the new catalogue.
    """
    _require_no_ingest(repository)
    works = list(objects.works(repository.store))
    made = 0
    progress.start(LocalizedText("重建目录数据库", "Rebuilding the catalogue"), len(works))
    try:
        for identifier in works:
            made += _restore_derived(repository, read_work(repository.store, identifier), examiner)  # 1, 2
            progress.advance(1)
        with exclusive_writer(repository):
            _require_no_ingest(repository)
            indexes = log_indexes(open_log(repository))
            count = repository.catalogue.rebuild(_publications(repository, works, indexes))  # 3, 4
        publish_all(repository)  # 5
    finally:
        progress.finish()
    return Rebuilt(count, repository.catalogue.counts().images, made)


def _require_no_ingest(repository: Repository) -> None:
    if repository.jobs.active(INGEST, 1):
        raise Busy(
            what=LocalizedText("送存收入（完成后方可重建目录数据库）", "an ingest, which must finish before a rebuild")
        )


def _restore_derived(repository: Repository, work: Work, examiner: Examiner) -> int:
    """Make the missing and damaged pyramids of a work and publish its manifest. Return how many pyramids were made."""
    made = 0
    pyramids = {}
    for image in work.images():
        try:
            pyramids[image.identifier] = read_pyramid(repository, image)
        except (KeyNotFound, PyramidCorrupt):
            pyramids[image.identifier] = make_pyramid(repository, work, image, examiner)
            made += 1
    publish_work(repository, work, pyramids)
    return made


def _publications(repository: Repository, works: list[str], indexes: Mapping[str, int]) -> Iterator[Publication]:
    for identifier in works:
        inventory = objects.read_inventory(repository.store, identifier)
        if inventory is None:
            continue
        work = read_work(repository.store, identifier)
        pyramids = {image.identifier: read_pyramid(repository, image) for image in work.images()}
        events = read_events(repository.store, identifier)
        yield publication_of(work, pyramids, events, inventory, indexes)
