"""What programs read in the page of a work: schema.org, Dublin Core and Open Graph. (pure)

- schema.org as JSON-LD, of the type ``Book`` for a book and ``CreativeWork`` otherwise;
- Dublin Core as ``meta`` elements (DCMI "Expressing Dublin Core metadata using HTML/XHTML meta and link elements");
- Open Graph (ogp.me), by which other sites show a link as a card.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from iiif_server.urls import OEMBED, work_path
from repository.model.work import Work
from web.site.view_models import Picture


@dataclass(frozen=True, slots=True)
class PageMetadata:
    """The metadata of a page: its public address, that of its oEmbed document, ``meta`` elements, and JSON-LD.

    `names` and `properties` are pairs of a name (or property) and its content.
    """

    address: str
    oembed: str
    names: tuple[tuple[str, str], ...]
    properties: tuple[tuple[str, str], ...]
    json_ld: str


def page_metadata(work: Work, site: str, picture: Picture | None, public_url: Callable[[str], str]) -> PageMetadata:
    """Return the metadata of a work's page on the site named `site`.

    `picture` is that of its first page; None where access allows none. `public_url` gives the address of a path.
    """
    address = public_url(work_path(work.identifier))
    picture_url = public_url(picture.path) if picture else ""
    record = work.record
    names = [
        ("description", record.summary),
        ("DC.title", record.title),
        *(("DC.creator", name) for name in record.creator),
        ("DC.date", record.date.text if record.date else None),
        *(("DC.language", tag) for tag in record.language),
        ("DC.identifier", address),
        ("DC.rights", work.rights.uri),
        ("DC.publisher", record.holder or site),
    ]
    properties = [
        ("og:type", "book"),
        ("og:title", record.title),
        ("og:url", address),
        ("og:site_name", site),
        ("og:description", record.summary),
    ]
    if picture:
        sides = (("og:image:width", str(picture.width)), ("og:image:height", str(picture.height)))
        properties += [("og:image", picture_url), *sides]
    return PageMetadata(
        address,
        f"{public_url(OEMBED)}?{urlencode({'url': address})}",
        tuple((name, value) for name, value in names if value),
        tuple((name, value) for name, value in properties if value),
        _json_ld(work, address, picture_url or None),
    )


def _json_ld(work: Work, address: str, picture_url: str | None) -> str:
    """Return the work as schema.org JSON-LD that is safe inside a ``script`` element."""
    record = work.record
    values: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Book",
        "@id": address,
        "url": address,
        "name": record.title,
        "author": [{"@type": "Person", "name": name} for name in record.creator],
        "temporalCoverage": record.date.text if record.date else None,
        "inLanguage": list(record.language),
        "bookEdition": record.edition,
        "identifier": record.identifier or work.identifier,
        "license": work.rights.uri,
        "holdingArchive": {"@type": "Library", "name": record.holder} if record.holder else None,
        "description": record.summary,
        "image": picture_url,
    }
    document = json.dumps({name: value for name, value in values.items() if value}, ensure_ascii=False)
    return document.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
