"""Compares the pages of a deposit with each other and with its record, and finds the faults of their combination."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from repository.faults import Fault
from repository.localized import LocalizedText
from workers.deposit.arrangement import ArrangedVolume
from workers.deposit.listing import PageFile
from workers.deposit.naming import find_gaps
from workers.deposit.ordering import tokens
from workers.deposit.record import PageTable
from workers.deposit.record_reader import RECORD_FILE
from workers.masters.examine import Examined


@dataclass(frozen=True, slots=True)
class ExaminedPage:
    """An image file of a deposit that was decoded completely."""

    file: PageFile
    examined: Examined


def page_keys(pages: Sequence[PageFile], tables: Mapping[str, PageTable]) -> set[str]:
    """Return the keys of all pages, without other photographs of them, and with those that are declared missing."""
    others = {key for key, table in tables.items() if table.of}
    return ({page.key for page in pages} - others) | {key for key, table in tables.items() if table.missing}


def other_photographs(
    pages: Sequence[PageFile], tables: Mapping[str, PageTable]
) -> tuple[dict[str, list[str]], list[Fault]]:
    """Return the keys of the other photographs of each page by its key, and the faults of their tables.

    `tables` are by the keys of pages, and the photographs are in their order.
    """
    names = {name: page.key for page in pages for name in (page.name, page.key)}
    found: dict[str, list[str]] = {}
    faults = []
    for key, table in tables.items():
        if table.of is None:
            continue
        page = names.get(table.of)
        if page is None or page == key or (page in tables and tables[page].of) or table.missing:
            problem = LocalizedText(
                f"of 应为另有图像的书页，不能是 {table.of}；请核对",
                f"of must be a page that has an image of its own, not {table.of}; check it",
            )
            faults.append(Fault(RECORD_FILE, f"{table.place}.of", "page.of", problem))
        else:
            found.setdefault(page, []).append(key)
    return found, faults


def match_page_tables(
    tables: Sequence[PageTable], pages: Sequence[PageFile]
) -> tuple[dict[str, PageTable], list[Fault]]:
    """Match the ``[[page]]`` tables of the record with pages. Return them by page key, and the faults of the others."""
    keys = {name: page.key for page in pages for name in (page.name, page.key)}
    same = {tokens(page.key): page.key for page in pages}
    volumes = {page.volume for page in pages}
    matches: dict[str, PageTable] = {}
    faults = []
    for table in tables:
        key = keys.get(table.file) or (same.get(tokens(table.file)) if table.missing else None)
        problem = _table_problem(table, key, volumes)
        if problem is None and (key or table.file) in matches:
            problem = LocalizedText(
                f"书页 {table.file} 重复说明；请删去一处", f"{table.file} is described twice; remove one table"
            )
        if problem is None:
            matches[key or table.file] = table
        else:
            faults.append(Fault(RECORD_FILE, f"{table.place}.file", "page.file", problem))
    return matches, faults


def find_duplicates(
    pages: Sequence[ExaminedPage], tables: Mapping[str, PageTable], is_blank: Callable[[Path], bool]
) -> list[Fault]:
    """Return a fault for each image whose pixels equal those of an earlier one: one page filed twice.

    Pages that the record declares blank, and bitonal images for which `is_blank` holds, may be equal. `is_blank` is
    called only for an equal image.
    """
    first_names: dict[str, str] = {}
    faults = []
    for page in pages:
        table = tables.get(page.file.key)
        if table and table.blank:
            continue
        first = first_names.setdefault(page.examined.pixels, page.file.name)
        if first != page.file.name and not is_blank(page.file.path):
            message = LocalizedText(
                f"与 {first} 画面完全相同；如系重复，请删去一幅；如同为空白页，请在 work.toml 中"
                "以 [[page]] blank = true 注明",
                f"the image is identical to {first}; remove one of them, or, if both pages are blank, declare it in "
                f"work.toml by [[page]] blank = true",
            )
            faults.append(Fault(page.file.name, "", "page.duplicate", message))
    return faults


def find_missing_numbers(volumes: Sequence[ArrangedVolume]) -> list[Fault]:
    """Return a fault for each gap in the page numbers of a volume that the record does not declare missing."""
    faults = []
    for volume in volumes:
        for gap in find_gaps(page.key.rpartition("/")[2] for page in volume.pages):
            message = LocalizedText(
                f"页码不连续，缺 {gap}；请补齐图像，或在 work.toml 中以 [[page]] missing = true 注明缺叶",
                f"the page numbers skip {gap}; add the images, or declare the pages missing in work.toml by "
                f"[[page]] missing = true",
            )
            faults.append(Fault(volume.folder, gap, "page.gap", message))
    return faults


def find_outside_redactions(pages: Sequence[ExaminedPage], tables: Mapping[str, PageTable]) -> list[Fault]:
    """Return a fault for each page with a redaction outside its image: what it was meant to hide would be shown."""
    message = LocalizedText(
        "遮盖区域在图像之外；请核对像素坐标", "the redaction is outside the image; check its coordinates in pixels"
    )
    return [
        Fault(RECORD_FILE, f"{table.place}.redact", "page.redact", message)
        for page in pages
        if (table := tables.get(page.file.key))
        if any(area.x >= page.examined.width or area.y >= page.examined.height for area in table.redactions or ())
    ]


def _table_problem(table: PageTable, key: str | None, volumes: set[str]) -> LocalizedText | None:
    if table.missing and key is not None:
        return LocalizedText(
            f"{table.file} 注明缺叶，却有图像；请删去 missing",
            f"{table.file} is declared missing, but there is an image of it; remove missing",
        )
    if table.missing:
        folder = table.file.rpartition("/")[0]
        unknown = LocalizedText(
            f"没有名为 {folder!r} 的册文件夹；请核对", f"there is no volume folder {folder!r}; check it"
        )
        return None if folder in volumes else unknown
    if key is None:
        return LocalizedText(f"没有书页 {table.file}；请核对", f"there is no page {table.file}; check the name")
    return None
