"""Combines the survey of a deposit and its examined pages into a work, or lists all faults of the deposit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from iiif_server.pyramid.file import PyramidSummary
from repository.errors import MasterUnreadable
from repository.faults import Fault
from repository.identifiers import Kind, mint
from repository.model import Image, Master, Page, Range, Volume, Work
from workers.deposit.consistency import (
    ExaminedPage,
    find_duplicates,
    find_missing_numbers,
    find_outside_redactions,
    group_by_volume,
    match_page_tables,
    page_keys,
)
from workers.deposit.naming import default_label, default_volume_label, natural_key
from workers.deposit.ranges import build_ranges
from workers.deposit.record import RECORD_FILE, Description, PageTable
from workers.deposit.survey import Survey
from workers.masters.examine import Examined
from workers.masters.ignored import MESSAGES

PageResult = Examined | Fault
"""The result of examining a page: its properties, or the fault of its master."""


@dataclass(frozen=True, slots=True)
class AssembledDeposit:
    """The result of an assembly. `work` is None if there are faults.

    `files` maps paths in the work's OCFL object to files of the deposit; `pyramids` maps image identifiers to the
    pyramids that the examiner wrote, and is empty after a dry run. `notices` say what a librarian should know of files
    that are no fault.
    """

    folder: Path
    work: Work | None
    files: Mapping[str, Path] = field(default_factory=dict)
    pyramids: Mapping[str, PyramidSummary] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    notices: tuple[Fault, ...] = ()


def assemble(deposit: Survey, results: Mapping[str, PageResult]) -> AssembledDeposit:
    """Return the work of a deposit, or all its faults. `results` has one of every readable page, by file name."""
    pages = [
        ExaminedPage(page, result)
        for page in deposit.readable_pages
        if isinstance(result := results[page.name], Examined)
    ]
    description = deposit.description
    tables, table_faults = match_page_tables(description.pages if description else (), deposit.pages)
    keys = page_keys(deposit.pages, tables)
    ranges, range_faults = build_ranges(description.ranges if description else (), keys)
    faults = [
        *deposit.faults,
        *(result for result in results.values() if isinstance(result, Fault)),
        *find_duplicates(pages),
        *table_faults,
        *find_missing_numbers(keys),
        *range_faults,
        *find_outside_redactions(pages, tables),
    ]
    notices = _in_order([notice for page in pages for notice in _notices(page)])
    if faults or description is None:
        return AssembledDeposit(deposit.folder, None, faults=_in_order(faults), notices=notices)
    work = _build_work(description, pages, tables, ranges)
    files, pyramids = _files(pages, deposit.documents), _pyramids(work, pages)
    return AssembledDeposit(deposit.folder, work, files, pyramids, notices=notices)


def work_identifier(description: Description, masters: Iterable[str]) -> str:
    """Return the identifier of a work: minted from the library's own identifier, else from the masters' sha256.

    The same deposit always gives the same identifier.
    """
    if description.record.identifier:
        return mint(Kind.WORK, "identifier", description.record.identifier)
    return mint(Kind.WORK, "masters", *sorted(masters))


def image_identifier(work: str, sha256: str) -> str:
    """Return the identifier of the image of a work whose master has this sha256."""
    return mint(Kind.IMAGE, work, sha256)


def master_path(page: str) -> str:
    """Return the path, in the work's OCFL object, of the master with the file name `page` in the deposit."""
    return f"masters/{page}"


def master_fault(page: str, error: MasterUnreadable) -> Fault:
    """Return the fault of a deposit whose file `page` cannot be used as a master."""
    return Fault(page, "", error.code, error.message)


def _notices(page: ExaminedPage) -> list[Fault]:
    """Return a notice for each part of the page's master that its image does not show."""
    return [Fault(page.file.name, "", f"master.{code}", MESSAGES[code]) for code in page.examined.ignored]


def _build_work(
    description: Description, pages: Sequence[ExaminedPage], tables: Mapping[str, PageTable], ranges: tuple[Range, ...]
) -> Work:
    identifier = work_identifier(description, (page.examined.sha256 for page in pages))
    behavior = description.behavior or _default_behavior(pages)
    images = {page.file.key: _image(identifier, page, tables.get(page.file.key)) for page in pages}
    volumes = []
    for ordinal, (folder, keys) in enumerate(group_by_volume(page_keys([page.file for page in pages], tables)), 1):
        contents = tuple(_page(key, images.get(key), tables.get(key), behavior) for key in keys)
        volumes.append(Volume(default_volume_label(folder, ordinal) if folder else "", contents))
    return Work(
        identifier=identifier,
        record=description.record,
        volumes=tuple(volumes),
        ranges=ranges,
        rights=description.rights,
        viewing_direction=description.viewing_direction,
        behavior=behavior,
    )


def _default_behavior(pages: Sequence[ExaminedPage]) -> str:
    """Return ``individuals`` if most images are wider than high, as images of whole openings are; else ``paged``."""
    wide = sum(page.examined.width > page.examined.height for page in pages)
    return "individuals" if 2 * wide > len(pages) else "paged"


def _image(work: str, page: ExaminedPage, table: PageTable | None) -> Image:
    examined = page.examined
    path = master_path(page.file.name)
    master = Master(path, examined.sha256, examined.bytes, examined.media_type, examined.ignored)
    identifier, redactions = image_identifier(work, examined.sha256), table.redactions if table else ()
    return Image(identifier, examined.width, examined.height, master, redactions)


def _page(key: str, image: Image | None, table: PageTable | None, work_behavior: str) -> Page:
    label = (table and table.label) or default_label(key.rpartition("/")[2])
    behavior = table.behavior if table and table.behavior != work_behavior else None
    return Page(key, label, (image,) if image else (), behavior, table.leaf if table else None)


def _files(pages: Sequence[ExaminedPage], documents: Mapping[str, Path]) -> dict[str, Path]:
    masters = {master_path(page.file.name): page.file.path for page in pages}
    others = {f"deposit/{name}" if name == RECORD_FILE else name: path for name, path in documents.items()}
    return {**masters, **others}


def _pyramids(work: Work, pages: Sequence[ExaminedPage]) -> dict[str, PyramidSummary]:
    return {
        image_identifier(work.identifier, page.examined.sha256): page.examined.pyramid
        for page in pages
        if page.examined.pyramid
    }


def _in_order(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """Sort faults: the record first, then files in natural order."""
    return tuple(
        sorted(faults, key=lambda fault: (fault.file != RECORD_FILE, natural_key(fault.file), natural_key(fault.place)))
    )
