"""What METS documents of partners and of bags have in common: the elements, and the structure of a work. (pure)

Written by METS 1.12.1. Volumes and pages are the physical structure, ranges the logical one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from lxml import etree
from lxml.builder import ElementMaker

from iiif_server.records.xml_text import XLINK, XSI, xml_text
from repository.model.work import Page, Range, Work

NAMESPACE: Final = "http://www.loc.gov/METS/"
HREF: Final = f"{{{XLINK}}}href"
METS: Final = ElementMaker(namespace=NAMESPACE, nsmap={"mets": NAMESPACE, "xlink": XLINK, "xsi": XSI})
DESCRIPTION: Final = "DMD1"
"""The ID of the section that describes the work."""

Files = Mapping[str, str]
"""The IDs of files by the identifiers of images; empty where no files are named."""


def name_work(root: etree._Element, work: Work) -> None:
    """State which work a METS document is about."""
    root.set("OBJID", work.identifier)
    root.set("LABEL", xml_text(work.record.title))
    root.set("TYPE", "book")


def structures(work: Work, files: Files, **attributes: str) -> Iterator[etree._Element]:
    """Yield the structures of a work; `attributes` are of the whole in the physical one."""
    yield _physical(work, files, attributes)
    if work.ranges:
        yield _logical(work, files)


def _physical(work: Work, files: Files, attributes: Mapping[str, str]) -> etree._Element:
    """Return the volumes and pages in order."""
    book = METS.div(TYPE="work", LABEL=xml_text(work.record.title), DMDID=DESCRIPTION, **attributes)
    number = 0
    for order, volume in enumerate(work.volumes, start=1):
        part = _labelled("volume", order, volume.label)
        for page in volume.pages:
            number += 1
            part.append(_page(page, number, files))
        book.append(part)
    return METS.structMap(book, TYPE="physical")


def _page(page: Page, number: int, files: Files) -> etree._Element:
    element = _labelled("page", number, page.label)
    for image in page.images if files else ():
        element.append(METS.fptr(FILEID=files[image.identifier]))
    return element


def _logical(work: Work, files: Files) -> etree._Element:
    pages = {page.key: (number, page) for number, page in enumerate(work.pages(), start=1)}
    book = METS.div(TYPE="work", LABEL=xml_text(work.record.title), DMDID=DESCRIPTION)
    for order, section in enumerate(work.ranges, start=1):
        book.append(_range(section, order, pages, files))
    return METS.structMap(book, TYPE="logical")


def _range(section: Range, order: int, pages: Mapping[str, tuple[int, Page]], files: Files) -> etree._Element:
    element = _labelled("section", order, section.label)
    for key in section.pages:
        number, page = pages[key]
        element.append(_page(page, number, files))
    for position, part in enumerate(section.ranges, start=1):
        element.append(_range(part, position, pages, files))
    return element


def _labelled(kind: str, order: int, label: str) -> etree._Element:
    element = METS.div(TYPE=kind, ORDER=str(order))
    if label:
        element.set("LABEL", xml_text(label))
    return element
