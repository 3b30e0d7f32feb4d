"""Combines the survey of a deposit and its examined pages into a work, or lists all faults of the deposit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from iiif_server.pyramid.file import PyramidSummary
from repository.errors import MasterUnreadable
from repository.faults import Fault
from repository.identifiers import Kind, mint
from repository.localized import LocalizedText
from repository.model.work import Image, Master, Page, Range, Rectangle, Volume, Work
from workers.deposit.arrangement import ArrangedPage, ArrangedVolume, arrange_pages, match_volume_tables, skipped_leaves
from workers.deposit.capture import captured_digests, find_changed_files, find_unlisted_pages
from workers.deposit.checksums import checksum_algorithm
from workers.deposit.consistency import (
    ExaminedPage,
    find_duplicates,
    find_missing_numbers,
    find_outside_redactions,
    match_page_tables,
    other_photographs,
    page_keys,
)
from workers.deposit.naming import natural_key
from workers.deposit.page_texts import AssignedTexts, assign_texts
from workers.deposit.ranges import build_ranges
from workers.deposit.record import Description, PageTable
from workers.deposit.record_reader import RECORD_FILE
from workers.deposit.survey import Survey
from workers.masters.examine import Examined
from workers.masters.ignored import MESSAGES
from workers.text.statement import TextStatement

PageResult = Examined | Fault
"""The result of examining a page: its properties, or the fault of its master."""


@dataclass(frozen=True, slots=True)
class AssembledDeposit:
    """The result of an assembly. `work` is None if there are faults.

    `volumes` have the order and the labels of volumes and pages as they were understood; `ignored` are the paths of
    files that are left out.

    `files` maps paths in the work's OCFL object to files of the deposit; `pyramids` maps image identifiers to the
    pyramids that the examiner wrote, and is empty after a dry run. `notices` say what a librarian should know
    and is no fault. `captured` has the digests from checksum manifests, by the masters' SHA-256; `statements` say what
    the record states of the files of text.
    """

    folder: Path
    work: Work | None
    volumes: tuple[ArrangedVolume, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)
    pyramids: Mapping[str, PyramidSummary] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    notices: tuple[Fault, ...] = ()
    ignored: tuple[str, ...] = ()
    captured: Mapping[str, str] = field(default_factory=dict)
    statements: tuple[TextStatement, ...] = ()


def assemble(
    deposit: Survey,
    results: Mapping[str, PageResult],
    is_blank: Callable[[Path], bool],
    revised: Work | None = None,
) -> AssembledDeposit:
    """Return the work of a deposit, or all its faults.

    `results` has one of every readable page, by file name; `is_blank` returns whether a master is a blank bitonal image
    (`Examiner.is_blank`). A deposit that revises a work gets the identifiers of `revised`.
    """
    pages = [
        ExaminedPage(page, result)
        for page in deposit.readable_pages
        if isinstance(result := results[page.name], Examined)
    ]
    description = deposit.description
    tables, table_faults = match_page_tables(description.pages if description else (), deposit.pages)
    _, photograph_faults = other_photographs(deposit.pages, tables)
    volumes, order_faults = _arrange(deposit, tables)
    keys = [page.key for volume in volumes for page in volume.pages]
    ranges, range_faults = build_ranges(description.ranges if description else (), keys)
    texts = _assign_texts(deposit, pages, tables, volumes)
    faults = [
        *deposit.faults,
        *(result for result in results.values() if isinstance(result, Fault)),
        *find_changed_files(deposit, pages),
        *find_duplicates(pages, tables, is_blank),
        *table_faults,
        *photograph_faults,
        *order_faults,
        *find_missing_numbers(volumes),
        *range_faults,
        *find_outside_redactions(pages, tables),
        *texts.faults,
    ]
    notices = _in_order(
        [
            *(notice for page in pages for notice in _notices(page)),
            *skipped_leaves(volumes),
            *find_unlisted_pages(deposit),
            *texts.notices,
        ]
    )
    if faults or description is None:
        return AssembledDeposit(
            deposit.folder, None, volumes, faults=_in_order(faults), ignored=deposit.ignored, notices=notices
        )
    if revised:
        record = replace(description.record, identifier=revised.record.identifier)
        description = replace(description, record=record)
    identifier = revised.identifier if revised else None
    work = _build_work(description, pages, tables, volumes, ranges, identifier=identifier)
    files, pyramids = _files(pages, deposit.documents), _pyramids(work, pages)
    captured = captured_digests(deposit.checksums, pages)
    assembled = AssembledDeposit(deposit.folder, work, volumes, files, pyramids, ignored=deposit.ignored)
    return replace(assembled, notices=notices, captured=captured, statements=description.texts)


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


def _arrange(deposit: Survey, tables: Mapping[str, PageTable]) -> tuple[tuple[ArrangedVolume, ...], list[Fault]]:
    """Return the volumes in order, and the faults of their order and of the ``[[volume]]`` tables."""
    given = deposit.description.volumes if deposit.description else ()
    folders = {page.volume for page in deposit.pages if page.volume}
    volume_tables, problems = match_volume_tables(given, folders)
    volumes, faults = arrange_pages(page_keys(deposit.pages, tables), volume_tables, tables)
    return volumes, [
        *(Fault(RECORD_FILE, f"{table.place}.folder", "volume.folder", problem) for table, problem in problems),
        *faults,
    ]


def _assign_texts(
    deposit: Survey,
    pages: Sequence[ExaminedPage],
    tables: Mapping[str, PageTable],
    volumes: Sequence[ArrangedVolume],
) -> AssignedTexts:
    """Assign the files of text to the pages, of which some may have faults themselves."""
    images = _images("", pages, tables) if deposit.texts else {}
    arranged = [
        _page(page, _photographs((page.key,), images, tables), tables, "")
        for volume in volumes
        for page in volume.pages
    ]
    statements = deposit.description.texts if deposit.description else ()
    assigned = assign_texts(arranged, deposit.texts, statements)
    unknown = [each for each in statements if not any(map(each.covers, deposit.documents))]
    faults = (Fault(RECORD_FILE, f"text: {each.files}", "text.files", _no_files(each.files)) for each in unknown)
    return replace(assigned, faults=(*assigned.faults, *faults))


def _no_files(name: str) -> LocalizedText:
    return LocalizedText(f"没有 {name}；请核对 [[text]] 的 files", f"there is no {name}; check files in [[text]]")


def _build_work(
    description: Description,
    pages: Sequence[ExaminedPage],
    tables: Mapping[str, PageTable],
    arranged: Sequence[ArrangedVolume],
    ranges: tuple[Range, ...],
    *,
    identifier: str | None,
) -> Work:
    identifier = identifier or work_identifier(description, (page.examined.sha256 for page in pages))
    behavior = description.behavior or _default_behavior(pages)
    images = _images(identifier, pages, tables)
    others, _ = other_photographs([page.file for page in pages], tables)
    volumes = tuple(
        Volume(
            volume.label,
            tuple(
                _page(page, _photographs((page.key, *others.get(page.key, ())), images, tables), tables, behavior)
                for page in volume.pages
            ),
            volume.condition,
        )
        for volume in arranged
    )
    return Work(
        identifier=identifier,
        record=description.record,
        volumes=volumes,
        ranges=ranges,
        rights=description.rights,
        viewing_direction=description.viewing_direction,
        behavior=behavior,
        condition=description.condition,
    )


def _default_behavior(pages: Sequence[ExaminedPage]) -> str:
    """Return ``individuals`` if most images are wider than high, as images of whole openings are; else ``paged``."""
    wide = sum(page.examined.width > page.examined.height for page in pages)
    return "individuals" if 2 * wide > len(pages) else "paged"


def _images(work: str, pages: Sequence[ExaminedPage], tables: Mapping[str, PageTable]) -> dict[str, Image]:
    """Return the image of every page by key. Equal files are one image, with the redactions of all their pages."""
    sharing: dict[str, list[ExaminedPage]] = {}
    for page in pages:
        sharing.setdefault(page.examined.sha256, []).append(page)
    images: dict[str, Image] = {}
    for shared in sharing.values():
        given = (table.redactions for page in shared if (table := tables.get(page.file.key)))
        redactions = (area for areas in given for area in areas or ())
        image = _image(work, shared[0], tuple(dict.fromkeys(redactions)))
        images |= {page.file.key: image for page in shared}
    return images


def _image(work: str, page: ExaminedPage, redactions: tuple[Rectangle, ...]) -> Image:
    examined = page.examined
    path = master_path(page.file.name)
    master = Master(path, examined.sha256, examined.bytes, examined.media_type, examined.ignored, examined.puid)
    return Image(image_identifier(work, examined.sha256), examined.width, examined.height, master, redactions)


def _photographs(
    keys: Sequence[str], images: Mapping[str, Image], tables: Mapping[str, PageTable]
) -> tuple[Image, ...]:  # fmt: skip
    """Return the photographs of a page, labelled; none for a missing leaf."""
    labels = {key: tables[key].picture for key in keys if key in tables}
    found = [(images[key], labels.get(key)) for key in keys if key in images]
    return tuple(replace(image, label=label) if label else image for image, label in found)


def _page(page: ArrangedPage, images: tuple[Image, ...], tables: Mapping[str, PageTable], work_behavior: str) -> Page:
    table = tables.get(page.key)
    if table is None:
        return Page(page.key, page.label, images)
    behavior = table.behavior if table.behavior != work_behavior else None
    return Page(page.key, page.label, images, behavior, table.leaf, table.missing and table.blank)


def _files(pages: Sequence[ExaminedPage], documents: Mapping[str, Path]) -> dict[str, Path]:
    masters = {master_path(page.file.name): page.file.path for page in pages}
    others = {_document_path(name): path for name, path in documents.items()}
    return {**masters, **others}


def _document_path(name: str) -> str:
    return f"deposit/{name}" if name == RECORD_FILE or checksum_algorithm(name) else name


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
