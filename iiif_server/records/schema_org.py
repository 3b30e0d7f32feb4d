"""Records as schema.org JSON-LD (https://schema.org/Book), for pages and as documents. (pure)"""

from __future__ import annotations

import json
from typing import Any, Final

from repository.model.work import Work

MEDIA_TYPE: Final = "application/ld+json"
VOCABULARY: Final = "https://schema.org"


def schema_org(work: Work, address: str, picture: str | None = None) -> dict[str, Any]:
    """Return the record of a work whose page is at `address`; `picture` is the address of one of it."""
    record = work.record
    values: dict[str, Any] = {
        "@context": VOCABULARY,
        "@type": "Book",
        "@id": address,
        "url": address,
        "name": record.title,
        "author": [{"@type": "Person", "name": name} for name in record.creator],
        "temporalCoverage": record.date.text if record.date else None,
        "inLanguage": list(record.language),
        "bookEdition": record.edition,
        "locationCreated": [{"@type": "Place", "name": place} for place in record.place],
        "identifier": record.identifier or work.identifier,
        "license": work.rights.uri,
        "holdingArchive": {"@type": "Library", "name": record.holder} if record.holder else None,
        "description": record.summary,
        "image": picture,
    }
    return {name: value for name, value in values.items() if value}


def json_ld(values: dict[str, Any]) -> str:
    """Return JSON-LD that is safe inside a ``script`` element too."""
    document = json.dumps(values, ensure_ascii=False)
    return document.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
