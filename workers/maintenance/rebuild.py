"""The catalogue again, from storage alone.

1. Every committed OCFL object gives its work, its files' digests and its events.
2. Pyramids found in the store are read by their directories; those missing or damaged are made again from the masters.
3. Manifests and collections are put again where they are not what they should be.
4. The provenance log gives each event its leaf; events that are not in it yet are staged again.
5. One transaction replaces the whole catalogue: readers see the old one until then. Nobody extends the log meanwhile.
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
from workers.tasks.preserve import read_events, read_work
from workers.tasks.publish import publication_of, publish_all, publish_work
from workers.tasks.pyramids import found_pyramid, make_pyramid


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was found: works and images catalogued, and how many pyramids had to be made again."""

    works: int
    images: int
    pyramids_made: int


def rebuild(repository: Repository, examiner: Examiner, progress: Progress) -> Rebuilt:
    """Make the catalogue again. Raises `ObjectInvalid` for a work whose record cannot be read; nothing changes then.

    Raises `Busy` while something is being taken in, which would be missing from the new catalogue.
    """
    _require_quiet(repository)
    works = list(objects.works(repository.store))
    progress.start(LocalizedText("重建目录", "Rebuilding the catalogue"), len(works))
    made = 0
    for identifier in works:
        made += _mend_derived(repository, read_work(repository.store, identifier), examiner)
        progress.advance(1)
    with exclusive_writer(repository):
        _require_quiet(repository)
        indexes = log_indexes(open_log(repository))
        count = repository.catalogue.rebuild(_publications(repository, works, indexes))
    publish_all(repository)
    progress.finish()
    return Rebuilt(count, repository.catalogue.counts().images, made)


def _require_quiet(repository: Repository) -> None:
    if repository.jobs.active("ingest", 1):
        raise Busy(what=LocalizedText("送存的收入，完成后再重建", "taking in deposits; rebuild when that is done"))


def _publications(repository: Repository, works: list[str], indexes: Mapping[str, int]) -> Iterator[Publication]:
    for identifier in works:
        inventory = objects.read_inventory(repository.store, identifier)
        if inventory is None:
            continue
        work = read_work(repository.store, identifier)
        pyramids = {image.identifier: found_pyramid(repository, image) for image in work.images()}
        events = read_events(repository.store, identifier)
        yield publication_of(work, pyramids, events, inventory, indexes)


def _mend_derived(repository: Repository, work: Work, examiner: Examiner) -> int:
    made = 0
    pyramids = {}
    for image in work.images():
        try:
            pyramids[image.identifier] = found_pyramid(repository, image)
        except (KeyNotFound, PyramidCorrupt):
            pyramids[image.identifier] = make_pyramid(repository, work, image, examiner)
            made += 1
    publish_work(repository, work, pyramids)
    return made
