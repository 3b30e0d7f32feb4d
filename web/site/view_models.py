"""What the pages show of a work: catalogued values in the order and form of a catalogue card. (pure)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from iiif_server.pyramid.grid import TileGrid
from iiif_server.request import thumbnail
from iiif_server.request.limits import ImageLimits
from iiif_server.request.thumbnail import PictureRequest
from iiif_server.urls import image_path
from repository.database.fixity_values import WorkVerification
from repository.localized import Language, LocalizedText
from repository.model.condition import CAUSES, DAMAGE_GRADES, GRADES, Condition
from repository.model.work import Image, Page, Pyramid, Range, Record, Rectangle, Volume, Work

STILL_SIDE: Final = 1600
"""The longest side in pixels of the reader's picture without JavaScript."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture: its path, as in `iiif_server.urls`, and its size in pixels."""

    path: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class PageView:
    """A page in a list. `picture` is None for a missing leaf, and where access allows no pictures."""

    number: int
    label: str
    picture: Picture | None
    missing: bool
    unphotographed: bool = False


@dataclass(frozen=True, slots=True)
class VolumeView:
    """A volume's pages in reading order."""

    label: str
    pages: tuple[PageView, ...]


@dataclass(frozen=True, slots=True)
class RangeView:
    """A range as a link to its first page; `page` is None for a range without pages."""

    label: str
    page: int | None
    ranges: tuple[RangeView, ...]


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A row of the catalogue record: `heading` is a key of `MESSAGES`."""

    heading: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PreservationView:
    """How many stores hold a work verified, how many are behind, and the date of the oldest verification."""

    held: int
    behind: int
    date: str


def preservation_view(held: int, stores: int, verified: Sequence[str | None]) -> PreservationView:
    """Return how a work is preserved; `verified` has the RFC 3339 time of each store's verification, if any."""
    oldest = min((time[:10] for time in verified if time), default="")
    return PreservationView(held, stores - held, oldest)


@dataclass(frozen=True, slots=True)
class WorkFixityView:
    """What to say of the stored files of a work: a key of `MESSAGES` and its numbers."""

    message: str
    verified: int
    stores: int
    date: str
    findings: int


def work_fixity_view(found: Sequence[WorkVerification], version: int, stores: int) -> WorkFixityView:
    """Return what to say of a work whose newest version is `version`, and which `stores` stores should hold."""
    verified = [each for each in found if each.is_verified and each.version == version]
    findings = sum(each.findings for each in found)
    if findings:
        message = "work.fixity-damaged"
    elif verified:
        message = "work.fixity-verified"
    else:
        message = "work.fixity-never"
    date = min(((each.oldest or "")[:10] for each in verified), default="")
    return WorkFixityView(message, len(verified), stores, date, findings)


def cover_picture(image: str, grid: TileGrid, limits: ImageLimits, *, from_right: bool) -> Picture:
    """Return the picture by which a work or page is recognised in a list."""
    return _picture(image, thumbnail.cover(grid, limits, from_right=from_right))


def still_picture(image: Image, pyramid: Pyramid, limits: ImageLimits) -> Picture:
    """Return the whole image as the reader shows it without JavaScript."""
    grid = TileGrid(image.width, image.height, pyramid.tile_size)
    return _picture(image.identifier, thumbnail.fitted(grid, STILL_SIDE, limits))


def part_picture(image: str, size: tuple[int, int], part: Rectangle, side: int, max_size: int | None) -> Picture:
    """Return a part of an image of some `size`, at most `side` pixels long, with no more detail than access allows."""
    scale = min(1.0, side / max(part.width, part.height))
    if max_size is not None:
        scale = min(scale, max_size / max(size))
    width, height = (max(1, int(length * scale)) for length in (part.width, part.height))
    request = f"{part.xywh}/{width},{height}/0/default.jpg"
    return Picture(image_path(image, request), width, height)


def _picture(image: str, picture: PictureRequest) -> Picture:
    return Picture(image_path(image, picture.request), picture.width, picture.height)


def volume_views(work: Work, pyramids: Mapping[str, Pyramid], limits: ImageLimits | None) -> list[VolumeView]:
    """Return every volume with its pages, numbered from 1 over the whole work.

    `limits` is None where access allows no pictures.
    """
    views: list[VolumeView] = []
    number = 0
    for volume in work.volumes:
        pages = tuple(
            PageView(
                number + index,
                page.label,
                _page_picture(page, work, pyramids, limits),
                missing=not page.images,
                unphotographed=page.unphotographed,
            )
            for index, page in enumerate(volume.pages, start=1)
        )
        number += len(pages)
        views.append(VolumeView(volume.label, pages))
    return views


def _page_picture(
    page: Page, work: Work, pyramids: Mapping[str, Pyramid], limits: ImageLimits | None
) -> Picture | None:
    if limits is None or not page.images:
        return None
    image = page.images[0]
    grid = TileGrid(image.width, image.height, pyramids[image.identifier].tile_size)
    return cover_picture(image.identifier, grid, limits, from_right=reads_from_right(work))


def reads_from_right(work: Work) -> bool:
    """Return whether the work is read from right to left."""
    return work.viewing_direction.value == "right-to-left"


def range_views(work: Work) -> tuple[RangeView, ...]:
    """Return the contents of a work, each range with the number of its first page; other orders are none."""
    numbers = {page.key: number for number, page in enumerate(work.pages(), start=1)}
    return tuple(_range_view(item, numbers) for item in work.ranges if not item.sequence)


def _range_view(item: Range, numbers: Mapping[str, int]) -> RangeView:
    inner = tuple(_range_view(nested, numbers) for nested in item.ranges)
    pages = [numbers[key] for key in item.pages if key in numbers]
    pages += [nested.page for nested in inner if nested.page is not None]
    return RangeView(item.label, min(pages, default=None), inner)


def volume_of(work: Work, number: int) -> Volume:
    """Return the volume that holds the page with this number. Raises `IndexError` beyond the last page."""
    for volume in work.volumes:
        if number <= len(volume.pages):
            return volume
        number -= len(volume.pages)
    raise IndexError(number)


def record_rows(record: Record) -> list[RecordRow]:
    """Return the rows of the catalogue record that have a value, in the order of a catalogue card."""
    rows = [
        ("record.creator", record.creator),
        ("record.date", (record.date.text,) if record.date else ()),
        ("record.edition", (record.edition,)),
        ("record.place", record.place),
        ("record.classification", (record.classification,)),
        ("record.dimensions", (record.dimensions,)),
        ("record.holder", (record.holder,)),
        ("record.call-number", (record.call_number,)),
        ("record.identifier", (record.identifier,)),
    ]
    present = [(heading, tuple(value for value in values if value)) for heading, values in rows]
    return [RecordRow(heading, values) for heading, values in present if values]


def condition_rows(work: Work, language: Language) -> list[RecordRow]:
    """Return what readers see of the condition of the original and of its volumes: grade, damage and repairs."""
    recorded = [("", work.condition), *((volume.label, volume.condition) for volume in work.volumes)]
    named = [(f"{label}：" if label else "", condition) for label, condition in recorded if condition]
    rows = [
        ("record.grade", [name + GRADES[item.grade].in_language(language) for name, item in named if item.grade]),
        ("record.damage", [name + _damage(item, language) for name, item in named if item.damage]),
        ("record.repairs", [f"{name}{part.date} {part.what}" for name, item in named for part in item.repairs]),
    ]
    return [RecordRow(heading, tuple(values)) for heading, values in rows if values]


def _damage(condition: Condition, language: Language) -> str:
    """Return the grade of damage, its causes and the date of the assessment."""
    grade = DAMAGE_GRADES[condition.damage or ""].in_language(language)
    causes = [CAUSES[cause].in_language(language) if cause in CAUSES else cause for cause in condition.causes]
    parts = LocalizedText("、".join(causes), ", ".join(causes)).in_language(language), condition.assessed
    detail = LocalizedText("；", "; ").in_language(language).join(filter(None, parts))
    return LocalizedText(f"{grade}（{detail}）", f"{grade} ({detail})").in_language(language) if detail else grade


def page_numbers(current: int, last: int) -> Sequence[int | None]:
    """Return the numbers of a pager: both ends and the neighbours of `current`, None where numbers are left out."""
    shown = sorted({1, last, *range(max(1, current - 1), min(last, current + 1) + 1)})
    numbers: list[int | None] = []
    for previous, number in zip([0, *shown], shown, strict=False):
        numbers += [number] if number == previous + 1 else [None, number]
    return numbers
