"""Rebuilds the catalogue from the store alone.

1. Read the directories of all pyramids; make missing and damaged ones from the masters.
2. Publish the manifests that differ from the stored ones.
3. Read works, files, events and the access to each work from the committed OCFL objects, and the index of each event
   from the log. Events that are not logged yet are staged again. Events that no object carries, such as those of
   fixity checks and deletions, are read from the log alone.
4. Replace the whole catalogue in one transaction. Readers see the old one until then, and nobody extends the log.
5. Restore the sources that are harvested, with their records, where the database lacks them; publish the
   collections.
6. Queue the jobs that write what the search index lacks, and that make missing features of pages and their index.

If the log names a later change of access than the store has, because the store was restored from an old copy, the
access is the lesser of the two: a lost withdrawal does not open a work. The access to works that are lost or skipped is
kept for the deposit that brings them back (`repository/database/lost_access.py`).

A work that cannot be read completely is skipped and named, and everything else is rebuilt. A damaged log is read as far
as possible and not changed; the events in its damaged parts wait until it is repaired (`log/sequencer.py`). The works
and versions that the log names and the store lacks are listed. The log's private key is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from preservation.log.readable import ReadableLog
from preservation.log.sequencer import exclusive_writer, read_damaged_log
from preservation.log_events import accepted_loss, is_deletion
from preservation.ocfl import objects
from preservation.ocfl.inventory import Inventory
from repository import paths
from repository.clock import timestamp
from repository.database.deletions import Deletion, DeletionState
from repository.database.lost_works import LostWork
from repository.database.publication import Publication
from repository.errors import Busy, IntegrityError, KeyNotFound, MasterUnreadable, PyramidCorrupt, ShanbenError
from repository.localized import LocalizedText
from repository.model.access import lesser_access
from repository.model.work import Work
from repository.repository import Repository
from repository.whole_numbers import LARGEST_NUMBER, parse_whole_number
from workers.deposit.examiner import DepositExaminer
from workers.harvest.keeping import restore_sources
from workers.progress import Progress
from workers.published_edition import record_edition
from workers.tasks.jobs import INGEST, delete_work_job, feature_index_job, search_index_job
from workers.tasks.preserve import preserved_access, read_events, read_work
from workers.tasks.publish import publication_of, publish_all, publish_work
from workers.tasks.pyramids import make_pyramid, read_pyramid
from workers.tasks.texts import publish_texts

_FAULTS: Final = (IntegrityError, KeyNotFound, MasterUnreadable)
"""What concerns one work. All other faults, such as a store that is away, end the rebuild."""


@dataclass(frozen=True, slots=True)
class SkippedWork:
    """A work that the new catalogue does not have, because its object is damaged."""

    work: str
    fault: ShanbenError


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The number of catalogued works and images, and of pyramids that were made from their masters.

    `skipped` are works that cannot be read, `lost` those that the store lacks and whose loss nobody has accepted,
    `log_problems` what is wrong with the log; all are empty when everything is sound.
    """

    works: int
    images: int
    pyramids_made: int
    skipped: tuple[SkippedWork, ...] = ()
    lost: tuple[LostWork, ...] = ()
    log_problems: tuple[LocalizedText, ...] = ()


@dataclass(slots=True)
class _Reading:
    """What a rebuild has read so far: the number of versions of each sound work, and the faults of the others."""

    versions: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, SkippedWork] = field(default_factory=dict)

    def skip(self, work: str, fault: ShanbenError) -> None:
        self.versions.pop(work, None)
        self.skipped[work] = SkippedWork(work, fault)


def rebuild(repository: Repository, examiner: DepositExaminer, progress: Progress) -> Rebuilt:
    """Rebuild the catalogue.

    Raises `Busy` while an ingest is active, whose work would be missing from the new catalogue, and `StoreFault`,
    `DatabaseFault`, `StagingFault`; the catalogue does not change then.
    """
    _require_no_ingest(repository)
    works = list(objects.works(repository.store))
    reading = _Reading()
    progress.start(LocalizedText("重建目录数据库", "Rebuilding the catalogue"), len(works))
    try:
        made = 0
        for identifier in works:
            made += _restore_derived(repository, identifier, examiner, reading)  # 1, 2
            progress.advance(1)
        with exclusive_writer(repository):
            _require_no_ingest(repository)
            log = read_damaged_log(repository)
            logged = {work: access for work, (_, access) in log.access.items()}
            count = repository.catalogue.rebuild(_publications(repository, reading, log), logged, log.kept)  # 3, 4
        _restore_deletions(repository, log)
        restore_sources(repository)
        publish_all(repository)  # 5
        if not reading.skipped:
            record_edition(repository)
        repository.jobs.enqueue(search_index_job())
        if repository.settings.similar_pages:
            repository.jobs.enqueue(feature_index_job())  # 6
    finally:
        progress.finish()
    images = repository.catalogue.counts().images
    skipped = tuple(reading.skipped.values())
    lost = list(_lost(reading, log))
    repository.lost_works.replace(lost, timestamp(repository.clock()))
    undecided = tuple(each for each in lost if not each.decided)
    return Rebuilt(count, images, made, skipped, undecided, tuple(log.problems))


def _restore_deletions(repository: Repository, log: ReadableLog) -> None:
    """Record the deletions that the log names. A job completes each that was not carried out in every store."""
    tombstones = {index: event for index, event in log.kept if is_deletion(event)}
    for work, index in sorted(log.deleted.items()):
        event = tombstones[index]
        versions, requested = event.detail.get("versions", "0"), event.detail.get("requested", event.time)
        state, version = DeletionState.CONFIRMED, parse_whole_number(versions, LARGEST_NUMBER) or 0
        found = Deletion(work, state, version, requested, "", "", event.time, "", event.identifier)
        repository.deletions.restore(found, [delete_work_job(work)], timestamp(repository.clock()))


def _require_no_ingest(repository: Repository) -> None:
    if repository.jobs.active(INGEST, 1):
        raise Busy(
            what=LocalizedText("送存收入（完成后方可重建目录数据库）", "an ingest, which must finish before a rebuild")
        )


def _restore_derived(repository: Repository, identifier: str, examiner: DepositExaminer, reading: _Reading) -> int:
    """Make the missing and damaged pyramids of a work and publish its manifest. Return how many pyramids were made.

    A work that cannot be read is skipped.
    """
    made = 0
    pyramids = {}
    try:
        work, inventory = read_work(repository.store, identifier), _inventory(repository, identifier)
        read_events(repository.store, identifier)
        access = preserved_access(repository.store, identifier).access
        for image in work.images():
            try:
                pyramids[image.identifier] = read_pyramid(repository, image)
            except (KeyNotFound, PyramidCorrupt):
                pyramids[image.identifier] = make_pyramid(repository, work, image, examiner)
                made += 1
    except _FAULTS as fault:
        reading.skip(identifier, fault)
        return made
    try:
        publish_texts(repository, work, examiner.read_text)
    except _FAULTS as fault:
        reading.skip(identifier, fault)
        return made
    publish_work(repository, work, access, pyramids)
    reading.versions[identifier] = len(inventory.versions)
    return made


def _publications(repository: Repository, reading: _Reading, log: ReadableLog) -> Iterator[Publication]:
    for identifier in list(reading.versions):
        try:
            publication = _publication(repository, read_work(repository.store, identifier), log)
        except _FAULTS as fault:  # damaged or deleted since it was read
            reading.skip(identifier, fault)
        else:
            yield publication


def _publication(repository: Repository, work: Work, log: ReadableLog) -> Publication:
    pyramids = {image.identifier: read_pyramid(repository, image) for image in work.images()}
    events = read_events(repository.store, work.identifier)
    inventory = _inventory(repository, work.identifier)
    access = preserved_access(repository.store, work.identifier).access
    version, logged = log.access.get(work.identifier, (0, access))
    if version > len(inventory.versions):
        access = lesser_access(access, logged, repository.clock())
        publish_work(repository, work, access, pyramids)
    return publication_of(work, pyramids, events, inventory, log.indexes, access=access)


def _inventory(repository: Repository, work: str) -> Inventory:
    inventory = objects.read_inventory(repository.store, work)
    if inventory is None:
        raise KeyNotFound(key=paths.ocfl_object(work))
    return inventory


def _lost(reading: _Reading, log: ReadableLog) -> Iterator[LostWork]:
    """Yield what the log names and the store lacks; skipped works, whose versions are not known, are named already."""
    accepted = {event.work: (accepted_loss(event), event.time) for _, event in log.kept if accepted_loss(event)}
    for work, logged in sorted(log.versions.items()):
        stored = reading.versions.get(work, 0)
        version, time = accepted.get(work, (0, None))
        if work not in reading.skipped and (stored < logged or not stored):
            yield LostWork(work, logged, stored, decided=time if version >= logged else None)
