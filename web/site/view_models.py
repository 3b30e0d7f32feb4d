"""What the pages show of a work: catalogued values put in the order and form in which people read them. (pure)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from iiif_server.pyramid.grid import TileGrid
from repository.access import Decision
from repository.model import Page, Pyramid, Range, Record, Volume, Work

STILL_SIDE: Final = 1600
_SLIVER: Final = 3
"""How many times longer than wide a picture may be and still be known by a thumbnail of the whole."""
_DETAIL_SIDE: Final = 400


class Photograph(Protocol):
    """An image as far as showing it needs: its identifier, and its size in pixels."""

    @property
    def identifier(self) -> str:
        """The identifier of the image."""

    @property
    def width(self) -> int:
        """Pixels across, upright."""

    @property
    def height(self) -> int:
        """Pixels down, upright."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to show: its path in the Image API below the service's root, and its size in pixels."""

    path: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class PageView:
    """A page in a list. `picture` is None for a missing leaf, and where pictures are not shown."""

    number: int
    label: str
    picture: Picture | None
    missing: bool


@dataclass(frozen=True, slots=True)
class VolumeView:
    """A volume's pages in reading order."""

    label: str
    pages: tuple[PageView, ...]


@dataclass(frozen=True, slots=True)
class RangeView:
    """A range as a link to its first page; `page` is None when it holds none."""

    label: str
    page: int | None
    ranges: tuple[RangeView, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the catalogue record: `word` names its heading in `words.WORDS`."""

    word: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """In how many stores a work is kept, in how many more it is to be, and since which day all of that is verified."""

    held: int
    behind: int
    date: str


def kept(held: int, stores: int, verified: Sequence[str | None]) -> Kept:
    """Where a work is kept. The day is that of the verification longest ago: since then nothing was found wrong."""
    return Kept(held, stores - held, min((time[:10] for time in verified if time), default=""))


def thumbnail(image: Photograph, tile_size: int, decision: Decision, *, from_right: bool) -> Picture | None:
    """A small picture of an image; None where access allows none.

    It is the smallest level of the pyramid, which is one stored tile and costs no pixel work. A scroll is known by a
    detail of its beginning instead: the whole would be a sliver.
    """
    if not decision.shows_pixels:
        return None
    if max(image.width, image.height) > _SLIVER * min(image.width, image.height) and not decision.max_size:
        return _detail(image, from_right=from_right)
    grid = TileGrid(image.width, image.height, tile_size)
    width, height = grid.levels[-1].width, grid.levels[-1].height
    if decision.max_size and max(width, height) > decision.max_size:
        return fitted(image, decision.max_size, decision)
    size = "max" if (width, height) == (image.width, image.height) else f"{width},{height}"
    return Picture(f"{image.identifier}/full/{size}/0/default.jpg", width, height)


def fitted(image: Photograph, side: int, decision: Decision) -> Picture | None:
    """The whole image within a square of `side` pixels, and within what access allows; None where it allows none."""
    if not decision.shows_pixels:
        return None
    side = min(side, decision.max_size or side, max(image.width, image.height))
    width, height = _scaled(image.width, image.height, side)
    return Picture(f"{image.identifier}/full/!{side},{side}/0/default.jpg", width, height)


def _detail(image: Photograph, *, from_right: bool) -> Picture:
    across = min(image.width, image.height * 2) if image.width > image.height else image.width
    down = min(image.height, image.width * 2)
    left = image.width - across if from_right else 0
    width, height = _scaled(across, down, _DETAIL_SIDE)
    box = f"{left},0,{across},{down}/!{_DETAIL_SIDE},{_DETAIL_SIDE}"
    return Picture(f"{image.identifier}/{box}/0/default.jpg", width, height)


def _scaled(width: int, height: int, side: int) -> tuple[int, int]:
    longest = max(width, height)
    if longest <= side:
        return width, height
    return max(1, round(width * side / longest)), max(1, round(height * side / longest))


def volume_views(work: Work, pyramids: Mapping[str, Pyramid], decision: Decision) -> list[VolumeView]:
    """Every volume with its pages, which are numbered from 1 over the whole work."""
    views: list[VolumeView] = []
    number = 0
    for volume in work.volumes:
        pages = tuple(
            _page_view(number + place, page, work, pyramids, decision)
            for place, page in enumerate(volume.pages, start=1)
        )
        number += len(pages)
        views.append(VolumeView(volume.label, pages))
    return views


def _page_view(number: int, page: Page, work: Work, pyramids: Mapping[str, Pyramid], decision: Decision) -> PageView:
    picture = None
    if page.images:
        image = page.images[0]
        picture = thumbnail(image, pyramids[image.identifier].tile_size, decision, from_right=from_right(work))
    return PageView(number, page.label, picture, missing=not page.images)


def from_right(work: Work) -> bool:
    """Whether the work is read from right to left."""
    return work.viewing_direction.value == "right-to-left"


def range_views(work: Work) -> tuple[RangeView, ...]:
    """The ranges of a work, each with the number of its first page."""
    numbers = {page.key: number for number, page in enumerate(work.pages(), start=1)}
    return tuple(_range_view(part, numbers) for part in work.ranges)


def _range_view(part: Range, numbers: Mapping[str, int]) -> RangeView:
    inner = tuple(_range_view(below, numbers) for below in part.ranges)
    pages = [numbers[key] for key in part.pages if key in numbers]
    pages += [below.page for below in inner if below.page is not None]
    return RangeView(part.label, min(pages, default=None), inner)


def volume_of(work: Work, number: int) -> Volume:
    """The volume that holds the page with this number."""
    for volume in work.volumes:
        if number <= len(volume.pages):
            return volume
        number -= len(volume.pages)
    raise IndexError(number)


def record_rows(record: Record) -> list[Row]:
    """The catalogue record's rows that have something to say, in the order of a catalogue card."""
    rows = [
        ("record.creator", record.creator),
        ("record.date", (record.date.text,) if record.date else ()),
        ("record.edition", (record.edition,)),
        ("record.classification", (record.classification,)),
        ("record.dimensions", (record.dimensions,)),
        ("record.holder", (record.holder,)),
        ("record.call-number", (record.call_number,)),
        ("record.identifier", (record.identifier,)),
    ]
    told = [(word, tuple(value for value in values if value)) for word, values in rows]
    return [Row(word, values) for word, values in told if values]


def page_numbers(current: int, last: int) -> Sequence[int | None]:
    """The numbers a pager shows: the ends and the neighbours of the current one, None where some are left out."""
    shown = sorted({1, last, *range(max(1, current - 1), min(last, current + 1) + 1)})
    gaps: list[int | None] = []
    for before, number in zip([0, *shown], shown, strict=False):
        gaps += [number] if number == before + 1 else [None, number]
    return gaps
