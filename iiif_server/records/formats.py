"""The formats of records: how each is named, addressed and described, and what writes it. (pure)"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from lxml import etree

from iiif_server.records import dublin_core, marc, mets, mods, schema_org
from iiif_server.records.context import RecordContext
from iiif_server.records.xml_text import serialized
from iiif_server.urls import record_path
from repository.model.work import Work


@dataclass(frozen=True, slots=True)
class XmlFormat:
    """A format of XML records.

    `prefix` names it in OAI-PMH, `suffix` is the end of its address (`urls.record_path`), `name` is for people, `write`
    returns the root of a record.
    """

    prefix: str
    suffix: str
    name: str
    media_type: str
    namespace: str
    schema: str
    write: Callable[[Work, RecordContext], etree._Element]


_DC: Final = (dublin_core.NAMESPACE, dublin_core.SCHEMA, dublin_core.oai_dc)
_MODS: Final = (mods.NAMESPACE, mods.SCHEMA, mods.mods)
_MARC: Final = (marc.NAMESPACE, marc.SCHEMA, marc.marc)
_METS: Final = (mets.NAMESPACE, mets.SCHEMA, mets.mets)

XML_FORMATS: Final = (
    XmlFormat("oai_dc", "dc.xml", "Dublin Core", "application/xml", *_DC),
    XmlFormat("mods", "mods.xml", "MODS", "application/mods+xml", *_MODS),
    XmlFormat("marcxml", "marc.xml", "MARCXML", "application/marcxml+xml", *_MARC),
    XmlFormat("mets", "mets.xml", "METS", "application/mets+xml", *_METS),
)
"""The formats; OAI-PMH requires ``oai_dc``."""

BY_PREFIX: Final[Mapping[str, XmlFormat]] = MappingProxyType({made.prefix: made for made in XML_FORMATS})
BY_SUFFIX: Final[Mapping[str, XmlFormat]] = MappingProxyType({made.suffix: made for made in XML_FORMATS})

JSON_LD: Final = "jsonld"
"""The end of the address of a record as schema.org JSON-LD."""

LINKS: Final = (
    *((made.suffix, made.name, made.media_type, made.namespace) for made in XML_FORMATS),
    (JSON_LD, "schema.org", schema_org.MEDIA_TYPE, schema_org.VOCABULARY),
)
"""The end of the address of each format, its name, its media type, and the profile by which IIIF knows it."""


def record_document(made: XmlFormat, work: Work, context: RecordContext) -> bytes:
    """Return the record of a work as a document of its own."""
    return serialized(made.write(work, context))


def see_also(work: str, base: str) -> list[dict[str, Any]]:
    """Return references to the records of a work below the address `base` (Presentation 3.0, 3.3.3: seeAlso)."""
    return [
        {
            "id": f"{base}{record_path(work, suffix)}",
            "type": "Dataset",
            "label": {"none": [name]},
            "format": media_type,
            "profile": profile,
        }
        for suffix, name, media_type, profile in LINKS
    ]
