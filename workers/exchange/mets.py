"""METS of a work: its record as Dublin Core, its files with digests, and its volumes, pages and ranges.

Written by METS 1.12.1. The masters' events are in the PREMIS document beside it, which the METS document refers to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lxml import etree
from lxml.builder import ElementMaker

from repository.model.work import Page, Range, Record, Rights, Work
from workers.exchange.contents import PREMIS_DOCUMENT, BagContents, PayloadFile
from workers.exchange.xml_values import SHA256, href, serialized, xml_text

NAMESPACE: Final = "http://www.loc.gov/METS/"
_XLINK: Final = "http://www.w3.org/1999/xlink"
_DC: Final = "http://purl.org/dc/elements/1.1/"
_HREF: Final = f"{{{_XLINK}}}href"
_M: Final = ElementMaker(namespace=NAMESPACE, nsmap={"mets": NAMESPACE, "xlink": _XLINK})
_D: Final = ElementMaker(namespace=_DC, nsmap={"dc": _DC})
_DESCRIPTION: Final = "DMD1"
_ADMINISTRATION: Final = "AMD1"
_PROVENANCE: Final = "DIGIPROV1"
_RIGHTS: Final = "RIGHTS1"


@dataclass(frozen=True, slots=True)
class _FileEntry:
    """A file of the METS document: its ID, SHA-256, size, media type and its paths in the bag, from the bag's root."""

    identifier: str
    sha256: str
    bytes: int
    media_type: str | None
    paths: tuple[str, ...]


def mets_document(contents: BagContents, premis: bytes, premis_sha256: str) -> bytes:
    """Return the METS document of a work; `premis` is its PREMIS document, with its digest in hexadecimal."""
    work = contents.work
    masters, others = _masters(contents), _others(contents)
    root = _M.mets(
        _M.metsHdr(CREATEDATE=contents.created),
        _described(work),
        _administered(work.rights, premis, premis_sha256),
        _M.fileSec(_group("master", masters.values())),
    )
    root.set("OBJID", work.identifier)
    root.set("LABEL", xml_text(work.record.title))
    root.set("TYPE", "book")
    if others:
        root[-1].append(_group("deposit", others))
    files = {image.identifier: masters[image.master.sha256].identifier for image in work.images()}
    root.append(_physical(work, files))
    if work.ranges:
        root.append(_logical(work, files))
    return serialized(root)


def dublin_core(record: Record, rights: Rights) -> Iterator[etree._Element]:
    """Yield the elements of a record in simple Dublin Core (DCMES 1.1)."""
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


def _described(work: Work) -> etree._Element:
    data = _M.xmlData(*dublin_core(work.record, work.rights))
    return _M.dmdSec(_M.mdWrap(data, MDTYPE="DC", MIMETYPE="text/xml"), ID=_DESCRIPTION)


def _administered(rights: Rights, premis: bytes, premis_sha256: str) -> etree._Element:
    section = _M.amdSec(ID=_ADMINISTRATION)
    if rights.uri:
        data = _M.xmlData(_D.rights(xml_text(rights.uri)))
        section.append(_M.rightsMD(_M.mdWrap(data, MDTYPE="DC", MIMETYPE="text/xml"), ID=_RIGHTS))
    reference = _M.mdRef(
        LOCTYPE="URL",
        MDTYPE="PREMIS",
        MIMETYPE="text/xml",
        SIZE=str(len(premis)),
        CHECKSUM=premis_sha256,
        CHECKSUMTYPE=SHA256,
    )
    reference.set(_HREF, _relative(PREMIS_DOCUMENT))
    section.append(_M.digiprovMD(reference, ID=_PROVENANCE))
    return section


def _masters(contents: BagContents) -> dict[str, _FileEntry]:
    """Return the files of the images by SHA-256; equal files are one, at several paths."""
    paths = contents.paths()
    masters: dict[str, _FileEntry] = {}
    for image in contents.work.images():
        master = image.master
        if master.sha256 not in masters:
            identifier = f"MASTER{len(masters) + 1:06d}"
            found = tuple(paths.get(master.sha256, ()))
            masters[master.sha256] = _FileEntry(identifier, master.sha256, master.bytes, master.media_type, found)
    return masters


def _others(contents: BagContents) -> list[_FileEntry]:
    """Return the files of the deposit that are no masters."""
    masters = {image.master.sha256 for image in contents.work.images()}
    others: Iterator[PayloadFile] = (file for file in contents.payload if file.sha256 not in masters)
    return [
        _FileEntry(f"DEPOSIT{number:06d}", file.sha256, file.bytes, None, (file.path,))
        for number, file in enumerate(others, start=1)
    ]


def _group(use: str, files: Iterable[_FileEntry]) -> etree._Element:
    group = _M.fileGrp(USE=use)
    for entry in files:
        file = _M.file(ID=entry.identifier, SIZE=str(entry.bytes), CHECKSUM=entry.sha256, CHECKSUMTYPE=SHA256)
        if entry.media_type:
            file.set("MIMETYPE", entry.media_type)
        for path in entry.paths:
            location = _M.FLocat(LOCTYPE="URL")
            location.set(_HREF, _relative(path))
            file.append(location)
        group.append(file)
    return group


def _relative(path: str) -> str:
    """Return the reference to a file of the bag from the folder of the METS document."""
    return f"../{href(path)}"


def _physical(work: Work, files: Mapping[str, str]) -> etree._Element:
    """Return the volumes and pages in order; `files` has the ID of each image's file."""
    book = _M.div(TYPE="work", LABEL=xml_text(work.record.title), DMDID=_DESCRIPTION, ADMID=_PROVENANCE)
    number = 0
    for order, volume in enumerate(work.volumes, start=1):
        part = _labelled("volume", order, volume.label)
        for page in volume.pages:
            number += 1
            part.append(_page(page, number, files))
        book.append(part)
    return _M.structMap(book, TYPE="physical")


def _page(page: Page, number: int, files: Mapping[str, str]) -> etree._Element:
    element = _labelled("page", number, page.label)
    for image in page.images:
        element.append(_M.fptr(FILEID=files[image.identifier]))
    return element


def _logical(work: Work, files: Mapping[str, str]) -> etree._Element:
    pages = {page.key: (number, page) for number, page in enumerate(work.pages(), start=1)}
    book = _M.div(TYPE="work", LABEL=xml_text(work.record.title), DMDID=_DESCRIPTION)
    for order, section in enumerate(work.ranges, start=1):
        book.append(_range(section, order, pages, files))
    return _M.structMap(book, TYPE="logical")


def _range(
    section: Range, order: int, pages: Mapping[str, tuple[int, Page]], files: Mapping[str, str]
) -> etree._Element:
    element = _labelled("section", order, section.label)
    for key in section.pages:
        number, page = pages[key]
        element.append(_page(page, number, files))
    for position, part in enumerate(section.ranges, start=1):
        element.append(_range(part, position, pages, files))
    return element


def _labelled(kind: str, order: int, label: str) -> etree._Element:
    element = _M.div(TYPE=kind, ORDER=str(order))
    if label:
        element.set("LABEL", xml_text(label))
    return element
