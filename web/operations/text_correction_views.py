"""The lines of a text beside the parts of the picture where they stand. (pure)"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from repository.model.text import PageText
from repository.model.work import Image, Rectangle
from web.operations.text_correction_form import ChangedDraft, Draft, DraftLine, LineChange, region_of
from web.site.view_models import Picture, part_picture
from workers.text.correction import CorrectionInvalid
from workers.text.places import is_on

_SIDE: Final = 640
"""The longest side in pixels of the picture of a line."""

_PAGE_SIDE: Final = 1000
_AROUND: Final = 0.25
"""How much of the page is shown around a line, in parts of its breadth."""

_TALL: Final = 1.5
"""A line that is so many times higher than it is wide is a column."""


@dataclass(frozen=True, slots=True)
class CorrectionView:
    """A line to correct: its number from 1, and its picture, None where its place is not known.

    `focus` is the change after which the work goes on at this line, None at the others.
    """

    number: int
    line: DraftLine
    picture: Picture | None
    focus: LineChange | None


def correction_views(
    draft: Draft, image: Image | None, max_size: int | None, changed: ChangedDraft | None = None
) -> tuple[CorrectionView, ...]:
    """Return lines as the form shows them, perhaps `changed` by a button just now.

    `max_size` is the longest side of the image that access allows, None for no limit.
    """
    return tuple(
        CorrectionView(
            index + 1,
            line,
            _picture(_known_region(line, image), image, max_size),
            changed.change if changed and changed.focus == index else None,
        )
        for index, line in enumerate(draft)
    )


def page_picture(image: Image | None, max_size: int | None) -> Picture | None:
    """Return the picture of the whole page, on which places are drawn."""
    if image is None:
        return None
    whole = Rectangle(0, 0, image.width, image.height)
    return part_picture(image.identifier, (image.width, image.height), whole, _PAGE_SIDE, max_size)


def has_unplaced(draft: Draft) -> bool:
    """Return whether a line has no place."""
    return any(not any(line.place) for line in draft)


def is_vertical(text: PageText) -> bool:
    """Return whether most of the lines whose places are known are columns."""
    regions = [line.region for line in text.lines if line.region]
    return 2 * sum(region.height > _TALL * region.width for region in regions) > len(regions)


def _known_region(line: DraftLine, image: Image | None) -> Rectangle | None:
    """Return the place of a line, None without one on the image: it may be mistyped."""
    try:
        region = region_of(0, line)
    except CorrectionInvalid:
        return None
    return region if region and image and is_on(image, region) else None


def _picture(region: Rectangle | None, image: Image | None, max_size: int | None) -> Picture | None:
    if region is None or image is None:
        return None
    margin = round(_AROUND * min(region.width, region.height))
    left, top = max(0, region.x - margin), max(0, region.y - margin)
    right = min(image.width, region.x + region.width + margin)
    bottom = min(image.height, region.y + region.height + margin)
    part = Rectangle(left, top, right - left, bottom - top)
    return part_picture(image.identifier, (image.width, image.height), part, _SIDE, max_size)
