"""The lines of a text beside the parts of the picture where they stand. (pure)"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from repository.model.text import PageText, TextLine
from repository.model.work import Image, Rectangle
from web.site.view_models import Picture, part_picture

_SIDE: Final = 640
"""The longest side in pixels of the picture of a line."""

_PAGE_SIDE: Final = 1000
_AROUND: Final = 0.25
"""How much of the page is shown around a line, in parts of its breadth."""

_TALL: Final = 1.5
"""A line that is so many times higher than it is wide is a column."""


@dataclass(frozen=True, slots=True)
class CorrectionView:
    """A line to correct: its number from 1, and its picture, None where its place is not known."""

    number: int
    line: TextLine
    picture: Picture | None


def correction_views(text: PageText, image: Image | None, max_size: int | None) -> tuple[CorrectionView, ...]:
    """Return the lines of a text; `max_size` is the longest side of the image that access allows, None for no limit."""
    return tuple(
        CorrectionView(number, line, _picture(line, image, max_size)) for number, line in enumerate(text.lines, start=1)
    )


def page_picture(text: PageText, image: Image | None, max_size: int | None) -> Picture | None:
    """Return the picture of the whole page if a line has no place on it."""
    if image is None or all(line.region for line in text.lines):
        return None
    whole = Rectangle(0, 0, image.width, image.height)
    return part_picture(image.identifier, (image.width, image.height), whole, _PAGE_SIDE, max_size)


def is_vertical(text: PageText) -> bool:
    """Return whether most of the lines whose places are known are columns."""
    regions = [line.region for line in text.lines if line.region]
    return 2 * sum(region.height > _TALL * region.width for region in regions) > len(regions)


def _picture(line: TextLine, image: Image | None, max_size: int | None) -> Picture | None:
    region = line.region
    if region is None or image is None:
        return None
    margin = round(_AROUND * min(region.width, region.height))
    left, top = max(0, region.x - margin), max(0, region.y - margin)
    right = min(image.width, region.x + region.width + margin)
    bottom = min(image.height, region.y + region.height + margin)
    if left >= right or top >= bottom:
        return None
    part = Rectangle(left, top, right - left, bottom - top)
    return part_picture(image.identifier, (image.width, image.height), part, _SIDE, max_size)
