"""Records in simple Dublin Core (DCMES 1.1), as OAI-PMH requires of every provider (``oai_dc``). (pure)

=================  ==================================================================
element            from the record
=================  ==================================================================
title, creator     title, creators
subject            classification
description        summary; edition
date               date as catalogued
format             dimensions
identifier         address of the work's page; the library's own number; call number
source             holder
language           BCP 47 tags
relation           address of the IIIF manifest
rights             URI of the rights
=================  ==================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lxml import etree
from lxml.builder import ElementMaker

from iiif_server.records.context import RecordContext
from iiif_server.records.xml_text import XSI, set_schema, xml_text
from repository.model.work import Record, Rights, Work

NAMESPACE: Final = "http://www.openarchives.org/OAI/2.0/oai_dc/"
SCHEMA: Final = "http://www.openarchives.org/OAI/2.0/oai_dc.xsd"
ELEMENTS: Final = "http://purl.org/dc/elements/1.1/"
_D: Final = ElementMaker(namespace=ELEMENTS, nsmap={"dc": ELEMENTS})
_OAI: Final = ElementMaker(namespace=NAMESPACE, nsmap={"oai_dc": NAMESPACE, "dc": ELEMENTS, "xsi": XSI})


def oai_dc(work: Work, context: RecordContext) -> etree._Element:
    """Return the record of a work."""
    page = _D.identifier(context.page(work))
    root = _OAI.dc(page, *elements(work.record, work.rights), _D.relation(context.manifest(work)))
    set_schema(root, NAMESPACE, SCHEMA)
    return root


def elements(record: Record, rights: Rights) -> Iterator[etree._Element]:
    """Yield the elements of a record."""
    values: Sequence[tuple[str, str | None]] = (
        ("title", record.title),
        *(("creator", creator) for creator in record.creator),
        ("subject", record.classification),
        ("description", record.summary),
        ("description", record.edition),
        ("date", record.date.text if record.date else None),
        ("format", record.dimensions),
        ("identifier", record.identifier),
        ("identifier", record.call_number),
        ("source", record.holder),
        *(("language", language) for language in record.language),
        ("rights", rights.uri),
    )
    for name, value in values:
        if value:
            yield _D(name, xml_text(value))


def rights_element(rights: Rights) -> etree._Element | None:
    """Return the element of the rights; None when they are not stated."""
    return _D.rights(xml_text(rights.uri)) if rights.uri else None
