"""Writes and reads the OCFL object of a work: its files, its record and its events.

An ingest writes it; a rebuild reads it. Record and events are preserved with the files, so that the catalogue can be
rebuilt from the store alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Final

from preservation.ocfl import objects
from preservation.ocfl.inventory import Inventory
from preservation.premis import accession_event, events_bytes, ingestion_event, parse_events
from repository import paths
from repository.errors import ObjectInvalid
from repository.localized import LocalizedText
from repository.model import Event, Work
from repository.repository import Repository
from repository.storage.store import ObjectStore
from repository.work_json import work_of_json, work_to_json

RECORD: Final = "metadata/work.json"
EVENTS: Final = "metadata/events.json"


def preserve(store: ObjectStore, work: Work, files: Mapping[str, Path], time: str) -> tuple[Inventory, Sequence[Event]]:
    """Commit a version of a work's OCFL object with these files, unless its head has the same files already.

    The masters must have been stored for this version before (`objects.put_content`). `files` maps paths in the object
    to local files, `time` is the RFC 3339 time of the version and its events. Returns the inventory and the events of
    all versions. The events of a version are part of it, so that a repeated call after a crash returns the same events.
    Raises `ObjectInvalid`, `DigestMismatch`, `StoreFault`.
    """
    before = objects.complete_version(store, work.identifier)
    record = work_to_json(work)
    digests = _digests(work, files, record)
    events = read_events(store, work.identifier) if before else ()
    if before is None or {path: digest for path, digest in before.state.items() if path != EVENTS} != digests:
        version = 1 + (len(before.versions) if before else 0)
        logged = {event.image for event in events}
        events = [*events, *_new_events(work, digests[RECORD], version, time, logged)]
    content: dict[str, Path | bytes] = {**files, RECORD: record, EVENTS: events_bytes(events)}
    inventory = objects.write_version(
        store,
        work.identifier,
        content,
        message=f"Ingest of {work.identifier}",
        created=time,
        digests=digests,
        staged=[image.master.path for image in work.images()],
    )
    return inventory, events


def next_version(repository: Repository, work: str) -> int:
    """Return the number of the next version of a work. Raises `ObjectInvalid` when the store has lost versions of it.

    The catalogue knows only committed versions: one that the store lacks would otherwise be written a second time, with
    other content.
    """
    inventory = objects.read_inventory(repository.store, work)
    preserved, known = len(inventory.versions) if inventory else 0, repository.catalogue.version(work)
    if known > preserved:
        raise ObjectInvalid(
            key=paths.ocfl_object(work),
            reason=LocalizedText(
                f"目录数据库记有 v{known}，存储中只到 v{preserved}；未作改动。请从副本恢复此对象；确已丢失时，"
                "运行 shanben rebuild 后重新送存",
                f"the catalogue knows v{known}, and the store has only {preserved} version(s); nothing was changed:"
                " restore the object from a replica, or, if it is lost, run shanben rebuild and ingest it again",
            ),
        )
    return preserved + 1


def read_work(store: ObjectStore, identifier: str) -> Work:
    """Read the record of a preserved work. Raises `ObjectInvalid`, `StoreFault`."""
    document = objects.read_file(store, identifier, RECORD)
    try:
        return work_of_json(document)
    except ValueError as fault:
        raise ObjectInvalid(key=paths.ocfl_object(identifier), reason=f"{RECORD}: {fault}") from fault


def read_events(store: ObjectStore, work: str) -> Sequence[Event]:
    """Read the events of a preserved work, the oldest first. Raises `ObjectInvalid`, `EventInvalid`, `StoreFault`."""
    return parse_events(objects.read_file(store, work, EVENTS))


def _digests(work: Work, files: Mapping[str, Path], record: bytes) -> dict[str, str]:
    """Return the sha256 of all content but the events; masters were hashed when they were examined."""
    masters = {image.master.path: image.master.sha256 for image in work.images()}
    others = {path: sha256(file.read_bytes()).hexdigest() for path, file in files.items() if path not in masters}
    return {**masters, **others, RECORD: sha256(record).hexdigest()}


def _new_events(work: Work, record: str, version: int, time: str, logged: set[str | None]) -> Iterator[Event]:
    """Yield an ingestion event for each image without one, and the accession event of the version."""
    software = f"shanben {metadata.version('shanben')}"
    for image in work.images():
        if image.identifier not in logged:
            yield ingestion_event(work.identifier, image.identifier, image.master, time=time, software=software)
    yield accession_event(work.identifier, version, record, time=time, software=software)
