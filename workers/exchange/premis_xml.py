"""PREMIS 3 XML of a work: its masters as file objects, its events, and the software that caused them.

The elements and their order are those of the schema of the Library of Congress (premis-v3-0.xsd).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lxml import etree
from lxml.builder import ElementMaker

from iiif_server.records.xml_text import XSI, serialized, xml_text
from repository.model.work import Image
from workers.exchange.contents import BagContents, PositionedEvent
from workers.exchange.xml_values import SHA256, href, stated

NAMESPACE: Final = "http://www.loc.gov/premis/v3"
VERSION: Final = "3.0"
_TYPE: Final = f"{{{XSI}}}type"
_LOCAL: Final = "local"
_P: Final = ElementMaker(namespace=NAMESPACE, nsmap={"premis": NAMESPACE, "xsi": XSI})


def premis_document(contents: BagContents) -> bytes:
    """Return the PREMIS document of a work."""
    work = contents.work
    paths = contents.paths()
    root = _P.premis(version=VERSION)
    root.append(_entity(work.identifier, work.record.title))
    for image in work.images():
        root.append(_file(work.identifier, image, paths.get(image.master.sha256, ())))
    for logged in contents.events:
        root.append(_event(work.identifier, logged))
    for software in sorted(set(_software(contents.events))):
        root.append(_agent(software))
    return serialized(root)


def _entity(work: str, title: str) -> etree._Element:
    entity = _P.object(_identifier("object", work), _P.originalName(xml_text(title)))
    entity.set(_TYPE, "premis:intellectualEntity")
    return entity


def _file(work: str, image: Image, paths: Sequence[str]) -> etree._Element:
    """Return the object of a master; blank pages may share one, which is then at several `paths` of the bag."""
    master = image.master
    file = _P.object(
        _identifier("object", image.identifier),
        _P.objectCharacteristics(
            _P.compositionLevel("0"),
            _P.fixity(_P.messageDigestAlgorithm(SHA256), _P.messageDigest(master.sha256)),
            _P.size(str(master.bytes)),
            _P.format(_P.formatDesignation(_P.formatName(master.media_type))),
        ),
        _P.originalName(xml_text(master.path.rpartition("/")[2])),
    )
    file.set(_TYPE, "premis:file")
    for path in paths:
        location = _P.contentLocation(_P.contentLocationType("relative URI"), _P.contentLocationValue(href(path)))
        file.append(_P.storage(location))
    related = _identifier("relatedObject", work)
    file.append(
        _P.relationship(_P.relationshipType("structural"), _P.relationshipSubType("is part of"), related),
    )
    return file


def _event(work: str, logged: PositionedEvent) -> etree._Element:
    event = logged.event
    index = {} if logged.log_index is None else {"log index": str(logged.log_index)}
    element = _P.event(
        _P.eventIdentifier(_P.eventIdentifierType("sha256"), _P.eventIdentifierValue(event.identifier)),
        _P.eventType(event.type),
        _P.eventDateTime(event.time),
        _P.eventDetailInformation(_P.eventDetail(xml_text(stated({**event.detail, **index})))),
        _P.eventOutcomeInformation(_P.eventOutcome(event.outcome)),
    )
    if software := event.detail.get("software"):
        element.append(_identifier("linkingAgent", software))
    element.append(_identifier("linkingObject", event.image or event.work or work))
    return element


def _agent(software: str) -> etree._Element:
    name, _, version = software.partition(" ")
    agent = _P.agent(_identifier("agent", software), _P.agentName(xml_text(name)), _P.agentType("software"))
    if version:
        agent.append(_P.agentVersion(xml_text(version)))
    return agent


def _software(events: Sequence[PositionedEvent]) -> Iterator[str]:
    yield from filter(None, (logged.event.detail.get("software") for logged in events))


def _identifier(unit: str, value: str) -> etree._Element:
    """Return the identifier of a unit (``object``, ``linkingAgent``...): its type and value."""
    identifier = _P(f"{unit}Identifier", _P(f"{unit}IdentifierType", _LOCAL))
    identifier.append(_P(f"{unit}IdentifierValue", xml_text(value)))
    return identifier
