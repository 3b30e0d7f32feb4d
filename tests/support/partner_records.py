"""Partners' records in a database, as a harvest keeps them, without a partner."""

from __future__ import annotations

import hashlib

import msgspec
from publications import NOW

from repository.model.harvest import (
    HarvestedRecord,
    HarvestSource,
    RecordState,
    SourceKind,
    SourceSettings,
    SourceState,
    record_key,
)
from repository.repository import Repository
from workers.harvest.clean_record import Cleaning, CleanName, CleanRecord


def partner_source(
    name: str = "pku", title: str = "北京大学图书馆", url: str = "https://pku.example/oai"
) -> HarvestSource:
    """Return a source that is harvested by OAI-PMH."""
    return HarvestSource(name, url, SourceSettings(SourceKind.OAI_PMH, title))


def partner_record(
    cleaned: CleanRecord, source: str = "pku", *, identifier: str = "", state: RecordState = RecordState.LIVE
) -> HarvestedRecord:
    """Return a record of a source; the title is its identifier by default."""
    identifier = identifier or cleaned.title
    document = msgspec.json.encode(Cleaning(cleaned))
    return HarvestedRecord(
        source=source,
        key=record_key(identifier),
        identifier=identifier,
        datestamp=NOW,
        state=state,
        digest=hashlib.sha256(document).hexdigest(),
        title=cleaned.title,
        creator="；".join(name.shown for name in cleaned.names),
        date=cleaned.date.text if cleaned.date else "",
        earliest=None,
        latest=None,
        manifest=cleaned.manifest,
        thumbnail=cleaned.thumbnail,
        work_key=cleaned.key,
        ours=None,
        document=document,
        etag="",
        modified="",
        first_seen=NOW,
        updated=NOW,
    )


def add_records(repository: Repository, *records: HarvestedRecord) -> None:
    """Record some records of sources that exist, as a part of a run does."""
    for source in {record.source for record in records}:
        repository.harvests.apply(source, [each for each in records if each.source == source], SourceState())


def named(title: str, person: str = "", **values: object) -> CleanRecord:
    """Return a cleaned record with a title and the name of a person."""
    return CleanRecord(title, names=(CleanName(person),) if person else (), **values)  # type: ignore[arg-type]
