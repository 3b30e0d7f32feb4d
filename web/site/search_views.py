"""What the pages of search show of hits: the part of the picture with the line, and the hit marked in it. (pure)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from iiif_server.search.matching import Hit
from iiif_server.urls import reader_path
from repository.model.access import Decision
from repository.model.work import HeldImage, Rectangle, WorkSummary
from web.site.view_models import Picture, part_picture

_SIDE: Final = 360
"""The longest side in pixels of the picture of a hit."""

_AROUND: Final = 1.2
"""How much of the page is shown around a hit, in parts of the breadth of its line."""

_FEWEST: Final = 5
"""The shown part is at least so many times as long as the line is broad."""


@dataclass(frozen=True, slots=True)
class MarkedPicture:
    """A part of a page's picture, and the parts of it that are marked, in its pixels."""

    picture: Picture
    marks: tuple[Rectangle, ...]


@dataclass(frozen=True, slots=True)
class HitView:
    """A hit as it is shown. `ends_on` is the number of the page on which it ends, None if it ends where it begins."""

    hit: Hit
    path: str
    picture: MarkedPicture | None
    ends_on: int | None


@dataclass(frozen=True, slots=True)
class WorkView:
    """A work of a result: its summary and cover, the tier as in the result, and its first hits."""

    summary: WorkSummary
    cover: Picture | None
    tier: str | None
    in_record: bool
    has_text_hits: bool
    hits: tuple[HitView, ...]


def hit_view(work: str, hit: Hit, image: HeldImage | None, decision: Decision | None) -> HitView:
    """Return a hit as it is shown; without a picture if access or the text's source allow none."""
    last = hit.parts[-1].page.number
    picture = None
    if image is not None and decision is not None and decision.shows_pixels and hit.regions:
        picture = _marked(image, decision.max_size, hit.regions)
    ends_on = last if last != hit.page.number else None
    return HitView(hit, reader_path(work, hit.page.number), picture, ends_on)


def _marked(image: HeldImage, max_size: int | None, regions: Sequence[Rectangle]) -> MarkedPicture | None:
    """Return the part of an image around some regions; None if these are not in it."""
    left = max(0, min(each.x for each in regions))
    top = max(0, min(each.y for each in regions))
    right = min(image.width, max(each.x + each.width for each in regions))
    bottom = min(image.height, max(each.y + each.height for each in regions))
    if left >= right or top >= bottom:
        return None
    breadth = min(min(each.width, each.height) for each in regions)
    around = round(_AROUND * breadth)
    shown = (
        _around(left, right, around, _FEWEST * breadth, image.width),
        _around(top, bottom, around, _FEWEST * breadth, image.height),
    )
    (x, width), (y, height) = shown
    part = Rectangle(x, y, width, height)
    picture = part_picture(image.identifier, (image.width, image.height), part, _SIDE, max_size)
    scale = picture.width / width
    marks = tuple(
        Rectangle(
            round((each.x - x) * scale),
            round((each.y - y) * scale),
            max(2, round(each.width * scale)),
            max(2, round(each.height * scale)),
        )
        for each in regions
    )
    return MarkedPicture(picture, marks)


def _around(start: int, end: int, margin: int, least: int, limit: int) -> tuple[int, int]:
    """Return the start and the length of a span with a margin, at least so long if there is space."""
    margin = max(margin, (least - (end - start)) // 2)
    first, last = max(0, start - margin), min(limit, end + margin)
    return first, last - first
