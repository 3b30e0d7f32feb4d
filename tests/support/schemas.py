"""XML schemas of partners' formats, whose imports are files beside them."""

from __future__ import annotations

import re
from pathlib import Path

from lxml import etree

OF_PARTNERS = {
    "http://www.openarchives.org/OAI/2.0/": "OAI-PMH.xsd",
    "http://www.openarchives.org/OAI/2.0/oai_dc/": "oai_dc.xsd",
    "http://www.loc.gov/mods/v3": "mods-3-8.xsd",
    "http://www.loc.gov/MARC21/slim": "MARC21slim.xsd",
    "http://www.loc.gov/METS/": "mets-1.12.1.xsd",
}

TWICE = re.compile(r'<xs:complexType name="accessConditionDefinition".*?</xs:complexType>', re.DOTALL)


def schema(shared: Path, name: str, folder: Path) -> etree.XMLSchema:
    """Return the schema `name` of the shared folder, which is copied into `folder` with what it imports."""
    schemas = _copied(shared, folder, name)
    return etree.XMLSchema(etree.parse(schemas / name, etree.XMLParser(no_network=True)))


def partners_schema(shared: Path, folder: Path) -> etree.XMLSchema:
    """Return one schema of OAI-PMH and of all its formats: metadata is validated strictly."""
    schemas = _copied(shared, folder, *OF_PARTNERS.values(), "dc.xsd")
    imports = "".join(
        f'<xs:import namespace="{space}" schemaLocation="{name}"/>' for space, name in OF_PARTNERS.items()
    )
    all_of_them = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>'
    (schemas / "all.xsd").write_text(all_of_them, "utf-8")
    return etree.XMLSchema(etree.parse(schemas / "all.xsd", etree.XMLParser(no_network=True)))


def _copied(shared: Path, folder: Path, *names: str) -> Path:
    """Copy schemas, and correct what libxml2 rejects in them.

    METS and MODS name the groups of XLink's attributes as an older schema did: ``simpleLink`` is ``simpleAttrs`` of
    XLink 1.1. MODS 3.8 gives the attributes of ``accessCondition`` twice, by its base and by itself.
    """
    folder.mkdir(exist_ok=True)
    for each in (*names, "xlink.xsd", "xml.xsd"):
        text = (shared / "conformance/schemas" / each).read_text("utf-8")
        text = re.sub(r'schemaLocation="https?://[^"]*/', 'schemaLocation="', text)
        text = re.sub(r'ref="xlink:(\w+)Link"', r'ref="xlink:\1Attrs"', text)
        (folder / each).write_text(TWICE.sub(_without_repetition, text), "utf-8")
    return folder


def _without_repetition(found: re.Match[str]) -> str:
    return found[0].replace('<xs:attributeGroup ref="IDAttributeGroup"/>', "")
