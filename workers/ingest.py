"""One ingest: a deposit folder in, a preserved, tiled, described and published work out.

The order, and what a crash leaves after each step:

1. **Check.** Every master is hashed and decoded whole; its pyramid is written to a desk in the same pass. A fault ends
   the ingest here with nothing kept. A crash leaves a desk, which the next ingest clears.
2. **Preserve.** A version of the work's OCFL object, unless its head already says the same. A crash before its commit
   point leaves files that the next run writes again; after it, the next run finds the object and takes its events.
3. **Tile.** Pyramids go from the desk into the store under keys that name image and recipe. A crash leaves some of
   them; they are put again.
4. **Describe.** The manifest is put in the store.
5. **Publish.** One transaction: rows, events and the jobs that follow. A crash before it leaves the work unseen; the
   next run comes here again.
6. **Follow up.** Jobs of their own (`tasks.py`): events into the log, the work into the top collection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Final

from iiif_server.pyramid import PyramidSummary
from preservation import objects
from preservation.events import accession_event, events_document, events_of_document, ingestion_event
from preservation.inventory import Inventory
from repository.catalog import Publication
from repository.clock import timestamp
from repository.errors import Busy, DepositRefused
from repository.handle import Repository
from repository.jobs import JobOrder
from repository.locks import exclusive
from repository.model import Event, Image, Pyramid, Work
from repository.serial import work_to_json
from repository.storage import Expendable, ObjectStore
from workers.deposit import CheckedDeposit, Examiner, check
from workers.describe import TOP, describe_work
from workers.progress import Progress
from workers.recognition import RecognisingExaminer, held_images, pyramid_key
from workers.staging import desk

RECORD: Final = "metadata/work.json"
EVENTS: Final = "metadata/events.json"

FOLLOW_UP: Final = (
    JobOrder("journal", "journal", {}),
    JobOrder(f"collection:{TOP}", "collection", {}),
)
"""What every publication asks for: events into the log, works into the top collection."""

_WAIT_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Ingested:
    """What came of an ingest: `changed` is False when the deposit was already held as it is."""

    work: str
    images: int
    changed: bool


def ingest(repository: Repository, folder: Path, examiner: Examiner, progress: Progress) -> Ingested:
    """Take a deposit in; doing it again changes nothing. Raises `DepositRefused` and keeps nothing of a faulty one."""
    with desk(repository.settings.staging) as pyramids:
        recognising = RecognisingExaminer(repository, examiner)
        checked = check(folder, repository.settings, recognising, progress, pyramids)
        if checked.work is None or checked.faults:
            raise DepositRefused(str(folder), checked.faults)
        work = checked.work
        lock = repository.settings.staging / "locks" / work.identifier
        with exclusive(lock, _WAIT_SECONDS, Busy(what=work.identifier)):
            return _take_in(repository, work, checked)


def _take_in(repository: Repository, work: Work, checked: CheckedDeposit) -> Ingested:
    before = objects.read_inventory(repository.store, work.identifier)
    inventory, events = _preserve(repository, work, checked.files, before)
    pyramids = {
        image.identifier: _tile(repository, image, *checked.pyramids[image.identifier]) for image in work.images()
    }
    describe_work(repository, work, pyramids)
    publication = publication_of(work, pyramids, events, inventory, {})
    repository.catalogue.publish(publication, FOLLOW_UP, timestamp(repository.clock()))
    return Ingested(work.identifier, len(pyramids), before is None or before.head != inventory.head)


def _preserve(
    repository: Repository, work: Work, files: Mapping[str, Path], before: Inventory | None
) -> tuple[Inventory, Sequence[Event]]:
    """The work's OCFL object with these files at its head, and its events from the first version on.

    The events of a version are preserved in it, so that a run after a crash tells the same events and not new ones.
    """
    document = work_to_json(work)
    digests = _digests(work, files, document)
    events = read_events(repository.store, work.identifier) if before else ()
    now = timestamp(repository.clock())
    if before is None or {path: digest for path, digest in before.state.items() if path != EVENTS} != digests:
        number = 1 + (len(before.versions) if before else 0)
        events = [*events, *_new_events(work, digests[RECORD], number, now, {event.image for event in events})]
    content: dict[str, Path | bytes] = {**files, RECORD: document, EVENTS: events_document(events)}
    message = f"Ingest of {work.identifier}"
    written = objects.write_version(
        repository.store, work.identifier, content, message=message, created=now, digests=digests
    )
    return written, events


def _digests(work: Work, files: Mapping[str, Path], document: bytes) -> dict[str, str]:
    """The sha256 of all that is preserved but the events; masters were hashed when they were checked."""
    masters = {image.master.path: image.master.sha256 for image in work.images()}
    others = {path: sha256(file.read_bytes()).hexdigest() for path, file in files.items() if path not in masters}
    return {**masters, **others, RECORD: sha256(document).hexdigest()}


def _new_events(work: Work, record: str, version: int, now: str, known: set[str | None]) -> Iterator[Event]:
    software = f"shanben {metadata.version('shanben')}"
    for image in work.images():
        if image.identifier not in known:
            master = image.master
            yield ingestion_event(
                work.identifier,
                image.identifier,
                master.sha256,
                bytes=master.bytes,
                time=now,
                software=software,
            )
    yield accession_event(work.identifier, version, record, time=now, software=software)


def read_events(store: ObjectStore, work: str) -> Sequence[Event]:
    """The events preserved with a work."""
    return events_of_document(objects.read_file(store, work, EVENTS))


def _tile(repository: Repository, image: Image, made: Path, summary: PyramidSummary) -> Pyramid:
    """Put a pyramid under its key; one that was recognised and not made again stays, or is copied from its twin."""
    settings, store = repository.settings, repository.store
    key = pyramid_key(settings, image.identifier)
    if made.exists():
        store.put(key, Expendable(made))
    elif not store.exists(key):
        _, twin = held_images(repository, image.master.bytes)[image.master.sha256]
        store.put(key, store.chunks(twin.key))
    return Pyramid(key, summary.fingerprint, summary.bytes, settings.tile_size)


def publication_of(
    work: Work,
    pyramids: Mapping[str, Pyramid],
    events: Sequence[Event],
    inventory: Inventory,
    log_indexes: Mapping[str, int],
) -> Publication:
    """What the catalogue keeps of a work, the same after an ingest and after a rebuild."""
    versions = inventory.versions
    return Publication(work, pyramids, events, len(versions), versions[0].created, log_indexes)
