"""A deposit folder, checked: what is in it, what work it makes, and everything that is wrong with it.

Nothing is written here. Steps:

1. `survey`: list the folder (`deposit_folder`) and read the record (`record`);
2. every picture is examined: hash, full decoding (`check` does it here, an ingest by a job a page);
3. `assemble`: compare (the same picture twice, numbers skipped) and put pages, ranges and the record together into a
   `Work`, if nothing is wrong.

Every step's faults are gathered, so that a librarian mends a deposit once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from iiif_server.pyramid.file import PyramidSummary
from repository.config import Settings
from repository.errors import Fault, MasterUnreadable
from repository.identifiers import Kind, mint
from repository.localized import LocalizedText
from repository.model import Image, Master, Page, Range, Volume, Work
from workers.deposit.listing import PageFile, list_deposit
from workers.deposit.naming import default_label, default_volume_label, find_gaps, natural_key
from workers.deposit.ranges import build_ranges
from workers.deposit.record import RECORD_FILE, Description, PageTable, read_record
from workers.masters.examine import Examined, Examiner
from workers.progress import Progress


@dataclass(frozen=True, slots=True)
class Survey:
    """What lies in a deposit folder, by name and record: pictures in reading order, files kept as they are (path within
    the deposit -> file), the record, None when it cannot be read, and the faults seen so far.
    """

    folder: Path
    pages: tuple[PageFile, ...]
    kept: Mapping[str, Path]
    description: Description | None
    faults: tuple[Fault, ...]

    @property
    def readable(self) -> list[PageFile]:
        """The pictures that are worth examining: an empty file is a fault already."""
        return [page for page in self.pages if page.size]


@dataclass(frozen=True, slots=True)
class CheckedDeposit:
    """What came of a check. `work` is None when there are faults.

    `files`: logical path in the work's OCFL object -> file in the deposit. `pyramids`: image identifier -> its pyramid;
    empty when none were made.
    """

    folder: Path
    work: Work | None
    files: Mapping[str, Path] = field(default_factory=dict)
    pyramids: Mapping[str, PyramidSummary] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class _Read:
    """A picture that was read whole."""

    file: PageFile
    examined: Examined


def survey(folder: Path) -> Survey:
    """What lies in a folder; no picture is opened. Faults are told, never raised."""
    listing = list_deposit(folder)
    description, record_faults = _read_description(listing.kept)
    return Survey(folder, tuple(listing.pages), listing.kept, description, (*listing.faults, *record_faults))


def check(folder: Path, settings: Settings, examiner: Examiner, progress: Progress) -> CheckedDeposit:
    """Check the deposit in `folder`, every picture decoded whole; its faults are returned, never raised."""
    found = survey(folder)
    return assemble(found, _examine_all(found.readable, examiner, progress))


def assemble(found: Survey, outcomes: Mapping[str, Examined | Fault]) -> CheckedDeposit:
    """The work that a deposit makes, or all its faults; `outcomes` of its readable pictures by their names."""
    pages = found.readable
    reads = [_Read(page, outcome) for page in pages if isinstance(outcome := outcomes[page.name], Examined)]
    master_faults = [outcome for outcome in outcomes.values() if isinstance(outcome, Fault)]
    faults = [*found.faults, *master_faults, *_duplicates(reads)]
    description = found.description
    tables, table_faults = _match_tables(description, found.pages)
    keys = _page_keys(found.pages, tables)
    ranges, range_faults = build_ranges(description.ranges if description else (), keys)
    faults += [*table_faults, *_gaps(keys), *range_faults, *_misplaced(reads, tables)]
    if faults or description is None:
        return CheckedDeposit(found.folder, None, faults=_in_order(faults))
    work = _assemble(description, reads, tables, ranges)
    return CheckedDeposit(found.folder, work, _files(reads, found.kept), _pyramids(work, reads))


def work_identifier(description: Description, masters: Iterable[str]) -> str:
    """From the library's own identifier, else from the masters' sha256: the same deposit is always the same work."""
    if description.record.identifier:
        return mint(Kind.WORK, "identifier", description.record.identifier)
    return mint(Kind.WORK, "masters", *sorted(masters))


def image_identifier(work: str, sha256: str) -> str:
    """The image that a master is, in a work."""
    return mint(Kind.IMAGE, work, sha256)


def master_path(page: str) -> str:
    """Where the picture called `page` in its deposit lies in the work's OCFL object."""
    return f"masters/{page}"


def _read_description(kept: Mapping[str, Path]) -> tuple[Description | None, tuple[Fault, ...]]:
    if RECORD_FILE not in kept:
        return None, ()
    try:
        return read_record(kept[RECORD_FILE].read_bytes())
    except OSError as fault:
        message = LocalizedText(f"无法读取：{fault.strerror}", f"it cannot be read: {fault.strerror}")
        return None, (Fault(RECORD_FILE, "", "file.unreadable", message),)


def _examine_all(pages: Sequence[PageFile], examiner: Examiner, progress: Progress) -> dict[str, Examined | Fault]:
    """What each picture is, or the fault that it has."""
    progress.begin(LocalizedText("检查图像", "Checking images"), sum(page.size for page in pages))
    executor = ThreadPoolExecutor(examiner.concurrency)
    try:
        futures = {executor.submit(_examine, examiner, page): page for page in pages}
        for future in as_completed(futures):
            future.result()
            progress.advance(futures[future].size)
    finally:
        executor.shutdown(cancel_futures=True)
        progress.end()
    return {page.name: future.result() for future, page in futures.items()}


def _examine(examiner: Examiner, page: PageFile) -> Examined | Fault:
    try:
        return examiner(page.path, None)
    except MasterUnreadable as error:
        return master_fault(page.name, error)


def master_fault(page: str, error: MasterUnreadable) -> Fault:
    """The fault of a deposit whose picture called `page` cannot be taken."""
    return Fault(page, "", error.code, error.message)


def _duplicates(reads: Sequence[_Read]) -> list[Fault]:
    """Pictures that show, sample for sample, what an earlier one does: a page photographed once and filed twice."""
    seen: dict[str, str] = {}
    faults = []
    for read in reads:
        first = seen.setdefault(read.examined.pixels, read.file.name)
        if first != read.file.name:
            message = LocalizedText(
                f"与 {first} 画面完全相同；请核对是否重复",
                f"it shows exactly what {first} shows; check for a duplicate",
            )
            faults.append(Fault(read.file.name, "", "page.duplicate", message))
    return faults


def _match_tables(
    description: Description | None, pages: Sequence[PageFile]
) -> tuple[dict[str, PageTable], list[Fault]]:
    """``[[page]]`` tables by the key of their page."""
    keys = {name: page.key for page in pages for name in (page.name, page.key)}
    volumes = {page.volume for page in pages}
    tables: dict[str, PageTable] = {}
    faults = []
    for table in description.pages if description else ():
        key = keys.get(table.file)
        wrong = _table_fault(table, key, volumes)
        if wrong is None and (key or table.file) in tables:
            wrong = LocalizedText(f"{table.file} 已有说明", f"{table.file} is described already")
        if wrong is None:
            tables[key or table.file] = table
        else:
            faults.append(Fault(RECORD_FILE, f"{table.place}.file", "page.file", wrong))
    return tables, faults


def _table_fault(table: PageTable, key: str | None, volumes: set[str]) -> LocalizedText | None:
    if table.missing and key is not None:
        return LocalizedText(
            f"{table.file} 记为缺叶，却有图像", f"{table.file} is said to be missing, yet there is an image"
        )
    if table.missing:
        folder = table.file.rpartition("/")[0]
        unknown = LocalizedText(f"没有册 {folder!r}", f"there is no volume {folder!r}")
        return None if folder in volumes else unknown
    if key is None:
        return LocalizedText(f"没有书页 {table.file}", f"there is no page {table.file}")
    return None


def _misplaced(reads: Sequence[_Read], tables: Mapping[str, PageTable]) -> list[Fault]:
    """Redactions that cover nothing of their picture: what was to be hidden would be shown."""
    outside = LocalizedText("遮盖区域在图像之外；请核对像素坐标", "it covers nothing of the picture; check its pixels")
    return [
        Fault(RECORD_FILE, f"{table.place}.redact", "page.redact", outside)
        for read in reads
        if (table := tables.get(read.file.key))
        if any(part.x >= read.examined.width or part.y >= read.examined.height for part in table.redactions)
    ]


def _page_keys(pages: Sequence[PageFile], tables: Mapping[str, PageTable]) -> list[str]:
    """The key of every page, those declared missing too, in reading order."""
    keys = {page.key for page in pages} | {key for key, table in tables.items() if table.missing}
    return sorted(keys, key=lambda key: tuple(map(natural_key, key.rpartition("/")[::2])))


def _by_volume(keys: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Volumes in order, each with its pages' keys in order."""
    return [(volume, list(group)) for volume, group in groupby(keys, key=lambda key: key.rpartition("/")[0])]


def _gaps(keys: Sequence[str]) -> list[Fault]:
    """Numbers skipped in each volume that the record does not declare missing."""
    faults = []
    for volume, group in _by_volume(keys):
        for gap in find_gaps(key.rpartition("/")[2] for key in group):
            message = LocalizedText(
                f"页码不连续：缺 {gap}；请补齐，或在 work.toml 中以 [[page]] missing = true 说明",
                f"page numbers skip {gap}; add the images, or say so in work.toml by [[page]] missing = true",
            )
            faults.append(Fault(volume, gap, "page.gap", message))
    return faults


def _assemble(
    description: Description, reads: Sequence[_Read], tables: Mapping[str, PageTable], ranges: tuple[Range, ...]
) -> Work:
    """The work that record and pictures make together."""
    identifier = work_identifier(description, (read.examined.sha256 for read in reads))
    behavior = description.behavior or _default_behavior(reads)
    images = {read.file.key: _image(identifier, read, tables.get(read.file.key)) for read in reads}
    volumes = []
    for ordinal, (folder, keys) in enumerate(_by_volume(_page_keys([read.file for read in reads], tables)), start=1):
        pages = tuple(_page(key, images.get(key), tables.get(key), behavior) for key in keys)
        volumes.append(Volume(default_volume_label(folder, ordinal) if folder else "", pages))
    return Work(
        identifier=identifier,
        record=description.record,
        volumes=tuple(volumes),
        ranges=ranges,
        rights=description.rights,
        viewing_direction=description.viewing_direction,
        behavior=behavior,
    )


def _default_behavior(reads: Sequence[_Read]) -> str:
    """``individuals`` when most pictures are wider than high, as openings are; else ``paged``."""
    wide = sum(read.examined.width > read.examined.height for read in reads)
    return "individuals" if 2 * wide > len(reads) else "paged"


def _image(work: str, read: _Read, table: PageTable | None) -> Image:
    examined = read.examined
    master = Master(master_path(read.file.name), examined.sha256, examined.bytes, examined.media_type)
    identifier, redactions = image_identifier(work, examined.sha256), table.redactions if table else ()
    return Image(identifier, examined.width, examined.height, master, redactions)


def _page(key: str, image: Image | None, table: PageTable | None, behavior: str) -> Page:
    label = (table and table.label) or default_label(key.rpartition("/")[2])
    own = table.behavior if table and table.behavior != behavior else None
    return Page(key, label, (image,) if image else (), own, table.leaf if table else None)


def _files(reads: Sequence[_Read], kept: Mapping[str, Path]) -> dict[str, Path]:
    masters = {master_path(read.file.name): read.file.path for read in reads}
    others = {f"deposit/{name}" if name == RECORD_FILE else name: path for name, path in kept.items()}
    return {**masters, **others}


def _pyramids(work: Work, reads: Sequence[_Read]) -> dict[str, PyramidSummary]:
    return {
        image_identifier(work.identifier, read.examined.sha256): read.examined.pyramid
        for read in reads
        if read.examined.pyramid
    }


def _in_order(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """The record's faults first, then files as people count them."""
    return tuple(
        sorted(faults, key=lambda fault: (fault.file != RECORD_FILE, natural_key(fault.file), natural_key(fault.place)))
    )
