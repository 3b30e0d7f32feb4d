"""A deposit folder, checked: what is in it, what work it makes, and everything that is wrong with it.

Nothing is written but the pyramids, and those only where a folder for them is named. Steps:

1. list the folder (`deposit_folder`) and read the record (`record`);
2. examine every picture, several at a time: hash, full decoding, pyramid;
3. compare: the same picture twice, numbers skipped;
4. put pages, ranges and the record together into a `Work`, if nothing is wrong.

Every step's faults are gathered, so that a librarian mends a deposit once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Protocol

from iiif_server.pyramid import PyramidSummary
from repository.config import Settings
from repository.errors import Fault, MasterUnreadable
from repository.identifiers import Kind, mint
from repository.model import Image, Master, Page, Range, Volume, Work
from repository.text import Text
from workers.deposit_folder import PageFile, list_deposit
from workers.deposit_pages import build_ranges, default_label, default_volume_label, find_gaps, natural_key
from workers.progress import Progress
from workers.record import RECORD_FILE, Description, PageTable, read_record
from workers.tiling import Examined


class Examiner(Protocol):
    """Reads one master whole: `tiling.ChildExaminer`. May be called from `concurrency` threads at once."""

    concurrency: int

    def __call__(self, path: Path, pyramid: Path | None) -> Examined:
        """What is known of it. Raises `MasterUnreadable`, `StagingFault`."""


@dataclass(frozen=True, slots=True)
class CheckedDeposit:
    """What came of a check. `work` is None when there are faults.

    `files`: logical path in the work's OCFL object -> file in the deposit. `pyramids`: image identifier -> pyramid file
    and its summary; empty when none were asked for.
    """

    folder: Path
    work: Work | None
    files: Mapping[str, Path] = field(default_factory=dict)
    pyramids: Mapping[str, tuple[Path, PyramidSummary]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class _Read:
    """A picture that was read whole."""

    file: PageFile
    examined: Examined
    pyramid: Path | None


def check(
    folder: Path, settings: Settings, examiner: Examiner, progress: Progress, pyramids: Path | None = None
) -> CheckedDeposit:
    """Check the deposit in `folder`; with `pyramids`, an empty folder, pyramids are made there in the same pass.

    Raises `StagingFault` when pyramids cannot be written; faults of the deposit are returned, never raised.
    """
    if not folder.is_dir():
        absent = Fault("", "", "deposit.absent", Text("没有这个文件夹", "there is no such folder"))
        return CheckedDeposit(folder, None, faults=(absent,))
    listing = list_deposit(folder)
    description, record_faults = _read_description(listing.kept)
    reads, master_faults = _examine_all(listing.pages, examiner, progress, pyramids)
    faults = [*listing.faults, *record_faults, *master_faults, *_duplicates(reads)]
    tables, table_faults = _match_tables(description, listing.pages)
    keys = _page_keys(listing.pages, tables)
    ranges, range_faults = build_ranges(description.ranges if description else (), keys)
    faults += [*table_faults, *_gaps(keys), *range_faults]
    if faults or description is None:
        return CheckedDeposit(folder, None, faults=_in_order(faults))
    work = _assemble(description, reads, tables, ranges)
    return CheckedDeposit(folder, work, _files(reads, listing.kept), _pyramids(work, reads))


def _read_description(kept: Mapping[str, Path]) -> tuple[Description | None, tuple[Fault, ...]]:
    if RECORD_FILE not in kept:
        return None, ()
    try:
        return read_record(kept[RECORD_FILE].read_bytes())
    except OSError as fault:
        message = Text(f"无法读取：{fault.strerror}", f"it cannot be read: {fault.strerror}")
        return None, (Fault(RECORD_FILE, "", "file.unreadable", message),)


def _examine_all(
    pages: Sequence[PageFile], examiner: Examiner, progress: Progress, pyramids: Path | None
) -> tuple[list[_Read], list[Fault]]:
    """Every picture read, in order, and a fault for each that could not be. Empty files are faults already."""
    pages = [page for page in pages if page.size]
    progress.begin(Text("检查图像", "Checking images"), sum(page.size for page in pages))
    targets = [pyramids / f"{number:06d}.zip" if pyramids else None for number in range(len(pages))]
    executor = ThreadPoolExecutor(examiner.concurrency)
    try:
        futures = {
            executor.submit(examiner, page.path, target): page for page, target in zip(pages, targets, strict=True)
        }
        for future in as_completed(futures):
            if not isinstance(error := future.exception(), MasterUnreadable | None):
                raise error
            progress.advance(futures[future].size)
    finally:
        executor.shutdown(cancel_futures=True)
        progress.end()
    return _sort_out(futures, targets)


def _sort_out(
    futures: Mapping[Future[Examined], PageFile], targets: Sequence[Path | None]
) -> tuple[list[_Read], list[Fault]]:
    reads: list[_Read] = []
    faults: list[Fault] = []
    for (future, page), target in zip(futures.items(), targets, strict=True):
        try:
            reads.append(_Read(page, future.result(), target))
        except MasterUnreadable as error:
            faults.append(Fault(page.name, "", error.code, error.message))
    return reads, faults


def _duplicates(reads: Sequence[_Read]) -> list[Fault]:
    """Pictures that show, sample for sample, what an earlier one does: a page photographed once and filed twice."""
    seen: dict[str, str] = {}
    faults = []
    for read in reads:
        first = seen.setdefault(read.examined.pixels, read.file.name)
        if first != read.file.name:
            message = Text(
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
            wrong = Text(f"{table.file} 已有说明", f"{table.file} is described already")
        if wrong is None:
            tables[key or table.file] = table
        else:
            faults.append(Fault(RECORD_FILE, f"{table.place}.file", "page.file", wrong))
    return tables, faults


def _table_fault(table: PageTable, key: str | None, volumes: set[str]) -> Text | None:
    if table.missing and key is not None:
        return Text(f"{table.file} 记为缺叶，却有图像", f"{table.file} is said to be missing, yet there is an image")
    if table.missing:
        folder = table.file.rpartition("/")[0]
        unknown = Text(f"没有册 {folder!r}", f"there is no volume {folder!r}")
        return None if folder in volumes else unknown
    if key is None:
        return Text(f"没有书页 {table.file}", f"there is no page {table.file}")
    return None


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
            message = Text(
                f"页码不连续：缺 {gap}；请补齐，或在 work.toml 中以 [[page]] missing = true 说明",
                f"page numbers skip {gap}; add the images, or say so in work.toml by [[page]] missing = true",
            )
            faults.append(Fault(volume, gap, "page.gap", message))
    return faults


def _assemble(
    description: Description, reads: Sequence[_Read], tables: Mapping[str, PageTable], ranges: tuple[Range, ...]
) -> Work:
    """The work that record and pictures make together."""
    identifier = _work_identifier(description, reads)
    behavior = description.behavior or _default_behavior(reads)
    images = {read.file.key: _image(identifier, read) for read in reads}
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


def _work_identifier(description: Description, reads: Sequence[_Read]) -> str:
    """From the library's own identifier, else from the masters: the same deposit is always the same work."""
    if description.record.identifier:
        return mint(Kind.WORK, "identifier", description.record.identifier)
    return mint(Kind.WORK, "masters", *sorted(read.examined.sha256 for read in reads))


def _default_behavior(reads: Sequence[_Read]) -> str:
    """``individuals`` when most pictures are wider than high, as openings are; else ``paged``."""
    wide = sum(read.examined.width > read.examined.height for read in reads)
    return "individuals" if 2 * wide > len(reads) else "paged"


def _image(work: str, read: _Read) -> Image:
    examined = read.examined
    master = Master(f"masters/{read.file.name}", examined.sha256, examined.bytes, examined.media_type)
    return Image(mint(Kind.IMAGE, work, examined.sha256), examined.width, examined.height, master)


def _page(key: str, image: Image | None, table: PageTable | None, behavior: str) -> Page:
    label = (table and table.label) or default_label(key.rpartition("/")[2])
    own = table.behavior if table and table.behavior != behavior else None
    return Page(key, label, (image,) if image else (), own, table.leaf if table else None)


def _files(reads: Sequence[_Read], kept: Mapping[str, Path]) -> dict[str, Path]:
    masters = {f"masters/{read.file.name}": read.file.path for read in reads}
    others = {f"deposit/{name}" if name == RECORD_FILE else name: path for name, path in kept.items()}
    return {**masters, **others}


def _pyramids(work: Work, reads: Sequence[_Read]) -> dict[str, tuple[Path, PyramidSummary]]:
    images = {image.master.path: image.identifier for image in work.images()}
    return {
        images[f"masters/{read.file.name}"]: (read.pyramid, read.examined.pyramid)
        for read in reads
        if read.pyramid and read.examined.pyramid
    }


def _in_order(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """The record's faults first, then files as people count them."""
    return tuple(
        sorted(faults, key=lambda fault: (fault.file != RECORD_FILE, natural_key(fault.file), natural_key(fault.place)))
    )
