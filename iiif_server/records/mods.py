"""Records in MODS 3.8 (Library of Congress, https://www.loc.gov/standards/mods/v3/mods-3-8.xsd). (pure)

Only what the record states is written: the kind of a name and its role are not known, so neither is given, and the type
of resource is left out. Dates have the text as catalogued, and the machine dates as the start and end of a range.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lxml import etree
from lxml.builder import ElementMaker

from iiif_server.records.context import RecordContext, section_labels
from iiif_server.records.xml_text import XLINK, XSI, set_schema, xml_text
from repository.model.access import AccessVerdict
from repository.model.work import Dating, Record, Work

NAMESPACE: Final = "http://www.loc.gov/mods/v3"
SCHEMA: Final = "http://www.loc.gov/standards/mods/v3/mods-3-8.xsd"
VERSION: Final = "3.8"
_M: Final = ElementMaker(namespace=NAMESPACE, nsmap={"mods": NAMESPACE, "xlink": XLINK, "xsi": XSI})
_HREF: Final = f"{{{XLINK}}}href"
_RESTRICTIONS: Final = {
    AccessVerdict.REDUCED: "图像以缩小尺寸开放 / Images are open at a reduced size",
    AccessVerdict.REFUSED: "图像限制利用 / Access to the images is restricted",
}


def mods(work: Work, context: RecordContext) -> etree._Element:
    """Return the record of a work."""
    record = work.record
    root = _M.mods(
        _M.titleInfo(_text("title", record.title)),
        *(_M.name(_text("namePart", creator)) for creator in record.creator),
        *_origin(record),
        *(_M.language(_text("languageTerm", tag, type="code", authority="rfc5646")) for tag in record.language),
        _physical(record),
        *_described(work),
        *_identified(work, context),
        _located(work, context),
        *_conditions(work, context),
        _M.relatedItem(
            _M.location(_M.url(context.manifest(work), note="IIIF Presentation 3.0 manifest")), type="otherFormat"
        ),
        _administered(work, context),
        version=VERSION,
    )
    set_schema(root, NAMESPACE, SCHEMA)
    return root


def _text(name: str, value: str, **attributes: str) -> etree._Element:
    return _M(name, xml_text(value), **attributes)


def _optional(name: str, value: str | None, **attributes: str) -> Iterator[etree._Element]:
    if value:
        yield _text(name, value, **attributes)


def _origin(record: Record) -> Iterator[etree._Element]:
    places = [_M.place(_text("placeTerm", place, type="text")) for place in record.place]
    dates = _dates(record.date) if record.date else ()
    parts = [*places, *_optional("edition", record.edition), *dates]
    if parts:
        yield _M.originInfo(*parts)


def _dates(date: Dating) -> Iterator[etree._Element]:
    yield from _optional("dateCreated", date.text)
    bounds = [("start", date.earliest), ("end", date.latest)]
    stated = [(point, value) for point, value in bounds if value]
    for number, (point, value) in enumerate(stated):
        # W3CDTF has no years before the common era.
        attributes = {"encoding": "edtf" if value.startswith("-") else "w3cdtf"}
        attributes |= {"point": point} if date.earliest != date.latest else {}
        attributes |= {} if number else {"keyDate": "yes"}
        if number == 0 or date.earliest != date.latest:
            yield _text("dateCreated", value, **attributes)


def _physical(record: Record) -> etree._Element:
    return _M.physicalDescription(
        *_optional("extent", record.dimensions), _text("digitalOrigin", "reformatted digital")
    )


def _described(work: Work) -> Iterator[etree._Element]:
    yield from _optional("abstract", work.record.summary)
    yield from _optional("tableOfContents", " -- ".join(section_labels(work)))
    yield from _optional("classification", work.record.classification, displayLabel="四部分类")


def _identified(work: Work, context: RecordContext) -> Iterator[etree._Element]:
    yield _text("identifier", context.page(work), type="uri")
    yield from _optional("identifier", work.record.identifier, type="local")


def _located(work: Work, context: RecordContext) -> etree._Element:
    location = _M.location(*_optional("physicalLocation", work.record.holder))
    location.extend(_optional("shelfLocator", work.record.call_number))
    location.append(_text("url", context.page(work), usage="primary display", access="object in context"))
    return location


def _conditions(work: Work, context: RecordContext) -> Iterator[etree._Element]:
    for uri in _optional("accessCondition", work.rights.uri, type="use and reproduction"):
        uri.set(_HREF, uri.text)
        yield uri
    yield from _optional("accessCondition", _RESTRICTIONS.get(context.decision.verdict), type="restriction on access")


def _administered(work: Work, context: RecordContext) -> etree._Element:
    """Return what the record says of itself (MODS: recordInfo)."""
    return _M.recordInfo(
        *_optional("recordContentSource", context.provider or work.record.holder),
        *_optional("recordChangeDate", context.changed, encoding="w3cdtf"),
        _text("recordIdentifier", work.identifier),
    )
