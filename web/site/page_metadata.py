"""What programs read in the page of a work: schema.org, Dublin Core and Open Graph. (pure)

- schema.org as JSON-LD, of the type ``Book``;
- Dublin Core as ``meta`` elements (DCMI "Expressing Dublin Core metadata using HTML/XHTML meta and link elements");
- Open Graph (ogp.me), by which other sites show a link as a card.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from iiif_server.records.schema_org import json_ld, schema_org
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
        json_ld(schema_org(work, address, picture_url or None)),
    )
