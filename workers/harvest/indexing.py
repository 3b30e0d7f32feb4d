"""A partner's record as the search index has it."""

from __future__ import annotations

from iiif_server.search.documents import IndexedWork, content_version, indexed_record
from repository.model.harvest import HarvestedRecord, record_identifier
from repository.model.work import Record
from workers.harvest.keeping import cleaning_of


def indexed_partner_record(record: HarvestedRecord) -> IndexedWork:
    """Return a record that a partner offers as the index has it; its version has the digest of the original."""
    cleaned = cleaning_of(record).record
    own = Record(
        cleaned.title or record.identifier,
        record.identifier,
        tuple(name.shown for name in cleaned.names),
        cleaned.date,
        cleaned.language,
        next(iter(cleaned.classification), None),
        cleaned.edition or None,
        holder=cleaned.holder or None,
        summary=cleaned.summary or None,
        place=cleaned.place,
    )
    more = {"title": cleaned.alternatives, "class": cleaned.classification[1:], "call_number": cleaned.call_number}
    identifier = record_identifier(record.source, record.key)
    return indexed_record(identifier, content_version(record.digest), record.first_seen, own, more)
