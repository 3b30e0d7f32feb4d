"""Keeps partners' records: the original in the store first, then the cleaned record in the database.

An object of the store holds a line of JSON, the envelope, and then the original bytes as the partner sent them. The
store is the truth, so that records outlive the database and the partner; the database is made from it again by
`restore_sources`, by the present rules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from repository import paths
from repository.clock import timestamp
from repository.database.harvest import KnownRecord
from repository.errors import IntegrityError, KeyNotFound
from repository.json_values import decode_json
from repository.localized import LocalizedText
from repository.model.harvest import HarvestedRecord, HarvestSource, RecordState, SourceKind, SourceSettings, record_key
from repository.model.work import Dating
from repository.repository import Repository
from workers.harvest.clean_record import Cleaning, CleanRecord
from workers.harvest.formats import read_record
from workers.harvest.iiif_documents import PartnerManifest, read_document
from workers.harvest.rules import RULES_VERSION, clean
from workers.harvest.source_record import SourceRecord
from workers.harvest.xml_documents import DocumentRefused, parse_xml
from workers.untrusted_xml import local_name

_WRITERS: Final = 8
_BATCH: Final = 200
_TITLE: Final = 255


@dataclass(frozen=True, slots=True)
class ReceivedRecord:
    """A record as it was received: `original` are the partner's bytes. `source` is what it says, None if deleted."""

    identifier: str
    datestamp: str
    original: bytes
    source: SourceRecord | None
    etag: str = ""
    modified: str = ""

    @property
    def digest(self) -> str:
        """The SHA-256 of the original."""
        return hashlib.sha256(self.original).hexdigest()


@dataclass(frozen=True, slots=True)
class RecordEnvelope:
    """What stands before the original in the store. Times are RFC 3339."""

    identifier: str
    datestamp: str
    state: str
    sha256: str
    etag: str
    modified: str
    first_seen: str
    updated: str


@dataclass(frozen=True, slots=True)
class StoredSource:
    """A source as the store holds it."""

    url: str
    settings: SourceSettings


class OriginalDamaged(IntegrityError):
    """A stored record of a partner that does not have the recorded digest; the next full run fetches it again."""

    code = "integrity.harvested"
    text = LocalizedText(
        "收割记录 {key} 损坏；请运行 shanben harvest run --full 重新收割",
        "The harvested record {key} is damaged; harvest it again with shanben harvest run --full",
    )


def keep_source(repository: Repository, source: HarvestSource) -> None:
    """Write the settings of a source to the store."""
    document = StoredSource(source.url, source.settings)
    repository.store.put(paths.harvest_source(source.name), msgspec.json.encode(document))


def forget_source(repository: Repository, name: str) -> None:
    """Delete a source with all its records from the store, then from the database.

    Without its settings nothing of a source is restored, so they are deleted first.
    """
    repository.store.delete(paths.harvest_source(name))
    for item in list(repository.store.list(paths.harvest_folder(name))):
        repository.store.delete(item.key)
    repository.harvests.remove(name)


@dataclass(frozen=True, slots=True)
class StorableRecord:
    """A record for the database, and what the store holds of it: the envelope and the original."""

    record: HarvestedRecord
    content: bytes


def storable_records(
    repository: Repository, name: str, received: Sequence[tuple[ReceivedRecord, KnownRecord | None]]
) -> list[StorableRecord]:
    """Return records as they are to be kept, in the same order; nothing is written."""
    now = timestamp(repository.clock())
    return [_storable(_harvested(name, record, known, now), record.original) for record, known in received]


def keep_records(repository: Repository, storable: Sequence[StorableRecord]) -> list[HarvestedRecord]:
    """Write records to the store, and return them for the database."""
    with ThreadPoolExecutor(_WRITERS) as executor:
        for done in [executor.submit(_put, repository, each) for each in storable]:
            done.result()
    return [each.record for each in storable]


def mark_deleted(repository: Repository, records: Sequence[HarvestedRecord]) -> list[HarvestedRecord]:
    """Record in the store that a partner no longer offers records; their last originals stay.

    The object of a record whose original is damaged or missing stays as it is, and only the returned record is changed:
    nobody can fetch the original again, and a rebuild leaves such a record out.
    """
    now = timestamp(repository.clock())
    deleted: list[HarvestedRecord] = []
    for record in records:
        changed = replace(record, state=RecordState.DELETED, updated=now)
        try:
            original = read_original(repository, record.source, record.key)[1]
        except (OriginalDamaged, KeyNotFound):
            deleted.append(changed)
            continue
        storable = _storable(changed, original)
        _put(repository, storable)
        deleted.append(storable.record)
    return deleted


def read_original(repository: Repository, source: str, key: str) -> tuple[RecordEnvelope, bytes]:
    """Return the envelope and the original of a record. Raises `OriginalDamaged`, `KeyNotFound`, `StoreFault`."""
    path = paths.harvested_record(source, key)
    head, _, original = repository.store.read(path).partition(b"\n")
    try:
        envelope = decode_json(head, RecordEnvelope)
    except ValueError as fault:
        raise OriginalDamaged(key=path) from fault
    if hashlib.sha256(original).hexdigest() != envelope.sha256 or record_key(envelope.identifier) != key:
        raise OriginalDamaged(key=path)
    return envelope, original


def source_record_of(kind: SourceKind, original: bytes) -> SourceRecord | None:
    """Return what an original says; None for one that tells a deletion. Raises `DocumentRefused`."""
    if kind is SourceKind.IIIF:
        document = read_document(original)
        if not isinstance(document, PartnerManifest):
            raise DocumentRefused(reason=LocalizedText("不是 IIIF 清单", "it is no IIIF manifest"))
        return document.record
    metadata = next((child for child in parse_xml(original) if local_name(child) == "metadata"), None)
    content = None if metadata is None else next(iter(metadata), None)
    return None if content is None else read_record(content)


def cleaning_of(record: HarvestedRecord) -> Cleaning:
    """Return the cleaned record with its changes, as the database holds it."""
    return msgspec.json.decode(record.document, type=Cleaning)


def restore_sources(repository: Repository) -> int:
    """Make sources and records that the database lacks from the store; return how many records were made."""
    known = {source.name for source in repository.harvests.sources()}
    count = 0
    for item in list(repository.store.list(paths.HARVESTED)):
        name = paths.name_of_harvest_source(item.key)
        if name and name not in known:
            repository.harvests.add(_stored_source(repository, name))
            count += clean_again(repository, name)
    return count


def clean_again(repository: Repository, name: str) -> int:
    """Make all records of a source from their originals, by the present rules; return how many were made."""
    source, count = repository.harvests.source(name), 0
    state = replace(source.state, rules=RULES_VERSION)
    for batch in _batches(repository, name):
        known = repository.harvests.known(name, [record_key(envelope.identifier) for envelope, _ in batch])
        records = [_restored(source, envelope, original, known) for envelope, original in batch]
        repository.harvests.apply(name, records, source.state)
        count += len(records)
    repository.harvests.save_state(name, state)
    return count


def _stored_source(repository: Repository, name: str) -> HarvestSource:
    try:
        found = decode_json(repository.store.read(paths.harvest_source(name)), StoredSource)
        return HarvestSource(name, found.url, found.settings)
    except ValueError as fault:
        raise OriginalDamaged(key=paths.harvest_source(name)) from fault


def _batches(repository: Repository, name: str) -> Iterator[list[tuple[RecordEnvelope, bytes]]]:
    """Yield the stored records of a source; one that is damaged is left out, as the next full run fetches it again."""
    batch: list[tuple[RecordEnvelope, bytes]] = []
    for item in repository.store.list(paths.harvested_records(name)):
        try:
            batch.append(read_original(repository, name, item.key.rpartition("/")[2]))
        except (OriginalDamaged, KeyNotFound):
            continue
        if len(batch) == _BATCH:
            yield batch
            batch = []
    yield batch


def _restored(
    source: HarvestSource, envelope: RecordEnvelope, original: bytes, known: dict[str, KnownRecord]
) -> HarvestedRecord:
    try:
        said = source_record_of(source.settings.kind, original)
    except DocumentRefused:
        said = None
    key = record_key(envelope.identifier)
    received = ReceivedRecord(envelope.identifier, envelope.datestamp, original, said, envelope.etag, envelope.modified)
    record = _harvested(source.name, received, known.get(key), envelope.updated)
    record = replace(record, state=RecordState(envelope.state), first_seen=envelope.first_seen)
    return _storable(record, original).record


def _harvested(name: str, received: ReceivedRecord, known: KnownRecord | None, now: str) -> HarvestedRecord:
    cleaning = clean(received.source) if received.source else Cleaning(CleanRecord(""))
    record = cleaning.record
    date = record.date or Dating()
    return HarvestedRecord(
        name,
        record_key(received.identifier),
        received.identifier,
        received.datestamp,
        RecordState.LIVE if received.source else RecordState.DELETED,
        received.digest,
        (record.title or received.identifier)[:_TITLE],
        "；".join(each.shown for each in record.names),
        date.text,
        int(date.earliest) if date.earliest else None,
        int(date.latest) if date.latest else None,
        record.manifest,
        record.thumbnail,
        record.key,
        known.ours if known else None,
        msgspec.json.encode(cleaning),
        received.etag,
        received.modified,
        known.first_seen if known else now,
        now,
    )


def _storable(record: HarvestedRecord, original: bytes) -> StorableRecord:
    envelope = RecordEnvelope(
        record.identifier,
        record.datestamp,
        record.state.value,
        hashlib.sha256(original).hexdigest(),
        record.etag,
        record.modified,
        record.first_seen,
        record.updated,
    )
    content = msgspec.json.encode(envelope) + b"\n" + original
    return StorableRecord(replace(record, size=len(content)), content)


def _put(repository: Repository, storable: StorableRecord) -> None:
    record = storable.record
    repository.store.put(paths.harvested_record(record.source, record.key), storable.content)
