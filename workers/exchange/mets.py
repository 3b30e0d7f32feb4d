"""METS of a work: its record as Dublin Core, its files with digests, and its volumes, pages and ranges.

The masters' events are in the PREMIS document beside it, which the METS document refers to. What a bag's document has
in common with that for partners is in `iiif_server/records/mets_structure.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from lxml import etree

from iiif_server.records.dublin_core import elements, rights_element
from iiif_server.records.mets_structure import DESCRIPTION, HREF, METS, name_work, structures
from iiif_server.records.xml_text import serialized
from repository.model.work import Rights, Work
from workers.exchange.contents import PREMIS_DOCUMENT, BagContents, PayloadFile
from workers.exchange.xml_values import SHA256, href

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
    root = METS.mets(
        METS.metsHdr(CREATEDATE=contents.created),
        _described(work),
        _administered(work.rights, premis, premis_sha256),
        METS.fileSec(_group("master", masters.values())),
    )
    name_work(root, work)
    if others:
        root[-1].append(_group("deposit", others))
    files = {image.identifier: masters[image.master.sha256].identifier for image in work.images()}
    root.extend(structures(work, files, ADMID=_PROVENANCE))
    return serialized(root)


def _described(work: Work) -> etree._Element:
    data = METS.xmlData(*elements(work.record, work.rights))
    return METS.dmdSec(METS.mdWrap(data, MDTYPE="DC", MIMETYPE="text/xml"), ID=DESCRIPTION)


def _administered(rights: Rights, premis: bytes, premis_sha256: str) -> etree._Element:
    section = METS.amdSec(ID=_ADMINISTRATION)
    if (stated := rights_element(rights)) is not None:
        data = METS.xmlData(stated)
        section.append(METS.rightsMD(METS.mdWrap(data, MDTYPE="DC", MIMETYPE="text/xml"), ID=_RIGHTS))
    reference = METS.mdRef(
        LOCTYPE="URL",
        MDTYPE="PREMIS",
        MIMETYPE="text/xml",
        SIZE=str(len(premis)),
        CHECKSUM=premis_sha256,
        CHECKSUMTYPE=SHA256,
    )
    reference.set(HREF, _relative(PREMIS_DOCUMENT))
    section.append(METS.digiprovMD(reference, ID=_PROVENANCE))
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
    group = METS.fileGrp(USE=use)
    for entry in files:
        file = METS.file(ID=entry.identifier, SIZE=str(entry.bytes), CHECKSUM=entry.sha256, CHECKSUMTYPE=SHA256)
        if entry.media_type:
            file.set("MIMETYPE", entry.media_type)
        for path in entry.paths:
            location = METS.FLocat(LOCTYPE="URL")
            location.set(HREF, _relative(path))
            file.append(location)
        group.append(file)
    return group


def _relative(path: str) -> str:
    """Return the reference to a file of the bag from the folder of the METS document."""
    return f"../{href(path)}"
