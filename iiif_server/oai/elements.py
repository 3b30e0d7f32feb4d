"""The elements of responses (OAI-PMH 2.0, OAI-PMH.xsd): small ones as trees, lists one record at a time. (pure)"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Final

from lxml import etree
from lxml.builder import ElementMaker

from iiif_server.records.xml_text import XSI, xml_text
from repository.model.changes import FeedRecord

NAMESPACE: Final = "http://www.openarchives.org/OAI/2.0/"
SCHEMA: Final = "http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd"
PMH: Final = ElementMaker(namespace=NAMESPACE, nsmap={None: NAMESPACE})


class ResponseWriter:
    """Writes a response; only one element at a time is in memory beside the bytes."""

    def __init__(self, buffer: BytesIO, file: Any) -> None:
        self._buffer = buffer
        self._file = file

    def write(self, element: etree._Element) -> None:
        """Write an element."""
        self._file.write(element)

    @contextmanager
    def open(self, name: str) -> Iterator[None]:
        """Write an element around what is written meanwhile."""
        with self._file.element(f"{{{NAMESPACE}}}{name}"):
            yield

    def size(self) -> int:
        """Return how many bytes are written."""
        self._file.flush()
        return self._buffer.tell()


@contextmanager
def response(buffer: BytesIO, base: str, date: str, arguments: Mapping[str, str]) -> Iterator[ResponseWriter]:
    """Write a response of the time `date` to a request at the address `base` into a buffer.

    `arguments` are those of a request that the protocol allows; none for any other (section 3.2).
    """
    schema = {f"{{{XSI}}}schemaLocation": f"{NAMESPACE} {SCHEMA}"}
    with etree.xmlfile(buffer, encoding="utf-8") as file:
        file.write_declaration()
        with file.element(f"{{{NAMESPACE}}}OAI-PMH", schema, nsmap={None: NAMESPACE, "xsi": XSI}):
            file.write(PMH.responseDate(date))
            file.write(PMH.request(base, **arguments))
            yield ResponseWriter(buffer, file)


def header(record: FeedRecord, identifier: str) -> etree._Element:
    """Return the header of a record (section 2.5)."""
    made = PMH.header(PMH.identifier(identifier), PMH.datestamp(record.time), *map(PMH.setSpec, record.sets))
    if record.is_deleted:
        made.set("status", "deleted")
    return made


def named_set(spec: str, name: str) -> etree._Element:
    """Return a set (section 4.6)."""
    return PMH.set(PMH.setSpec(spec), PMH.setName(xml_text(name)))


def token_element(token: str, *, total: int, delivered: int, expires: str | None) -> etree._Element:
    """Return a resumption token (section 3.5); the last page of a list has an empty one, without an expiry."""
    made = PMH.resumptionToken(token, completeListSize=str(total), cursor=str(delivered))
    if expires:
        made.set("expirationDate", expires)
    return made
