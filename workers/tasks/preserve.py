"""Writes and reads the OCFL object of a work: its files, its record, its access and its events.

An ingest writes it; a rebuild reads it. Record, access and events are preserved with the files, so that the catalogue
can be rebuilt from the store alone. An object has an access record once the access has differed from what the deposit
states; every later version has one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from preservation.ocfl import objects
from preservation.ocfl.inventory import Inventory
from preservation.ocfl.restoration import Damage, find_damage, restore
from preservation.premis import (
    ChangeOfAccess,
    access_event,
    accession_event,
    events_bytes,
    ingestion_event,
    parse_events,
    recovery_event,
)
from repository import paths
from repository.database.catalogue import HeldAccess
from repository.errors import KeyNotFound, ObjectInvalid
from repository.localized import LocalizedText
from repository.model.access import deposited_access
from repository.model.access_json import access_of_json, access_to_json
from repository.model.work import Event, Rights, Work, WorkAccess, WorkState
from repository.model.work_json import work_of_json, work_to_json
from repository.repository import Repository
from repository.storage.store import ObjectStore
from workers.tasks.log_events import software
from workers.text.statement import TextStatement, statements_to_json

RECORD: Final = "metadata/work.json"
EVENTS: Final = "metadata/events.json"
ACCESS: Final = "metadata/access.json"
TEXTS: Final = "metadata/texts.json"
"""What is known of files of text (`workers/text/statement.py`); absent if nothing is."""


def preserve(
    store: ObjectStore,
    work: Work,
    files: Mapping[str, Path | bytes],
    time: str,
    access: WorkAccess,
    *,
    version: int,
    damaged: Mapping[str, Damage],
    sm3: Mapping[str, str],
    captured: Mapping[str, str],
    statements: Sequence[TextStatement] = (),
) -> tuple[Inventory, Sequence[Event]]:
    """Commit a version of a work's OCFL object with these files, unless its head has the same files already.

    The masters must have been stored for this version before (`objects.put_content`). `files` maps paths in the object
    to local files or bytes, `time` is the RFC 3339 time of the version and its events, `access` the access to the work
    that the version preserves. `damaged` has the masters, by digest, whose stored bytes were found damaged: they and
    other damaged files are put back, and the version records that as events, even if the files are the same. `version`
    is the number that the survey chose for the version: it tells the recoveries of this ingest from those of others.
    `sm3` has the SM3 digests of masters by their SHA-256, `captured` those that checksum manifests gave
    (`workers/deposit/capture.py`), both for the events of new images. `statements` are about files of text. Returns the
    inventory and the events of all versions. The events of a version are part of it, so that a repeated call after a
    crash returns the same events.
    Raises `ObjectInvalid`, `DigestMismatch`, `StoreFault`.
    """
    before = objects.complete_version(store, work.identifier)
    documents = {RECORD: work_to_json(work), **_access_document(work.rights, access, before)}
    documents |= {TEXTS: statements_to_json(statements)} if statements else {}
    digests = _digests(work, files, documents)
    content: dict[str, Path | bytes] = {**files, **documents}
    events = list(read_events(store, work.identifier)) if before else []
    if before is not None:
        restored = _restore(store, work, before, {digests[path]: content[path] for path in digests}, damaged)
        known = {event.identifier for event in events}
        recoveries = _recovery_events(work, restored, version, time)
        events += [event for event in recoveries if event.identifier not in known]
    if before is None or {path: digest for path, digest in before.state.items() if path != EVENTS} != digests:
        number, logged = 1 + (len(before.versions) if before else 0), {event.image for event in events}
        events += _new_events(work, digests[RECORD], number, time, logged, sm3=sm3, captured=captured)
        if before and (held := preserved_access(store, work.identifier).access) != access:
            events.append(_access_event(work.identifier, number, held, access, time))
    content[EVENTS] = events_bytes(events)
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


def preserve_access(repository: Repository, work: str, access: WorkAccess) -> tuple[Inventory, Sequence[Event]]:
    """Commit a version of a work's OCFL object that preserves a change of access, unless its head does so already.

    The time of the version and of its event is that of the change. Returns the inventory and the events of all
    versions. Raises `ObjectInvalid`, `DigestMismatch`, `KeyNotFound`, `StoreFault`.
    """
    store = repository.store
    before, version = objects.complete_version(store, work), next_version(repository, work)
    events, held = read_events(store, work), preserved_access(store, work).access
    if before is None:
        raise KeyNotFound(key=paths.ocfl_object(work))
    if held == access:
        return before, events
    time = access.changed or before.versions[-1].created
    events = [*events, _access_event(work, version, held, access, time)]
    documents = {ACCESS: access_to_json(access), EVENTS: events_bytes(events)}
    message = f"Change of access to {work}"
    return objects.write_documents(store, work, documents, message=message, created=time), events


def preserved_access(store: ObjectStore, work: str) -> HeldAccess:
    """Return the access that a preserved work's object holds, and the rights that its last deposit stated.

    Raises `ObjectInvalid`, `StoreFault`.
    """
    deposited, inventory = read_work(store, work).rights, objects.read_inventory(store, work)
    # A record that is listed but missing is a fault: without it, a withdrawn work would be open.
    if inventory is None or ACCESS not in inventory.state:
        return HeldAccess(deposited_access(deposited), deposited)
    document = objects.read_file(store, work, ACCESS)
    try:
        return HeldAccess(access_of_json(document), deposited)
    except ValueError as fault:
        raise ObjectInvalid(key=paths.ocfl_object(work), reason=f"{ACCESS}: {fault}") from fault


def access_unknown_to_catalogue(repository: Repository, work: str) -> HeldAccess | None:
    """Return the access that a work's object holds if the catalogue does not know the object's newest version.

    The catalogue is new then, or was restored from a backup. Returns None if it knows the version, and for a work
    without an object. Raises `ObjectInvalid`, `StoreFault`, `DatabaseFault`.
    """
    inventory = objects.read_inventory(repository.store, work)
    if inventory is None or len(inventory.versions) <= repository.catalogue.version(work):
        return None
    return preserved_access(repository.store, work)


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


def _access_document(deposited: Rights, access: WorkAccess, before: Inventory | None) -> dict[str, bytes]:
    """Return the access record of a version; none while the access has only been that of the deposits."""
    is_recorded = before is not None and ACCESS in before.state
    return {ACCESS: access_to_json(access)} if is_recorded or access != deposited_access(deposited) else {}


def _access_event(work: str, version: int, before: WorkAccess, after: WorkAccess, time: str) -> Event:
    change = ChangeOfAccess.CHANGE
    if before.state is not after.state:
        is_withdrawn = after.state is WorkState.WITHDRAWN
        change = ChangeOfAccess.WITHDRAWAL if is_withdrawn else ChangeOfAccess.RESTORATION
    digest = sha256(access_to_json(after)).hexdigest()
    return access_event(work, version, digest, after, change, time=after.changed or time, software=software())


def _digests(work: Work, files: Mapping[str, Path | bytes], documents: Mapping[str, bytes]) -> dict[str, str]:
    """Return the sha256 of all content but the events; masters were hashed when they were examined."""
    masters = {image.master.path: image.master.sha256 for image in work.images()}
    others = {path: _digest(file) for path, file in files.items() if path not in masters}
    return {**masters, **others, **{path: sha256(document).hexdigest() for path, document in documents.items()}}


def _digest(content: Path | bytes) -> str:
    return sha256(content if isinstance(content, bytes) else content.read_bytes()).hexdigest()


def _restore(
    store: ObjectStore,
    work: Work,
    inventory: Inventory,
    sources: Mapping[str, Path | bytes],
    masters: Mapping[str, Damage],
) -> dict[str, Damage]:
    """Put damaged content back; return what was damaged, by digest.

    `sources` has the good bytes by digest. Masters were verified by their page jobs, everything else is verified here.
    """
    verified = {image.master.sha256 for image in work.images()}
    damaged = {digest: damage for digest, damage in masters.items() if digest in sources}
    for digest in sorted(sources.keys() - verified):
        if damage := find_damage(store, work.identifier, inventory, digest):
            damaged[digest] = damage
    for digest in damaged:
        restore(store, work.identifier, inventory, digest, sources[digest])
    return damaged


def _recovery_events(work: Work, damaged: Mapping[str, Damage], version: int, time: str) -> Iterator[Event]:
    images = {image.master.sha256: image.identifier for image in work.images()}
    for digest, damage in sorted(damaged.items()):
        yield recovery_event(
            work.identifier,
            images.get(digest),
            digest,
            damage=damage.value,
            version=version,
            time=time,
            software=software(),
        )


def _new_events(
    work: Work,
    record: str,
    version: int,
    time: str,
    logged: set[str | None],
    *,
    sm3: Mapping[str, str],
    captured: Mapping[str, str],
) -> Iterator[Event]:
    """Yield an ingestion event for each image without one, and the accession event of the version."""
    recorder = software()
    for image in work.images():
        if image.identifier not in logged:
            digest = image.master.sha256
            yield ingestion_event(
                work.identifier,
                image.identifier,
                image.master,
                time=time,
                software=recorder,
                sm3=sm3.get(digest),
                captured=captured.get(digest),
            )
    yield accession_event(work.identifier, version, record, time=time, software=recorder)
