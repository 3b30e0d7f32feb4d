"""Scales the boxes of a file to the pixels of a picture. (pure)"""

from __future__ import annotations

import math
from typing import Final

from repository.model.work import Image, Page, Rectangle
from workers.text.source import Box

_TOLERANCE: Final = 0.1
"""By what share the ratio of width and height may differ: sizes in millimetres are rounded."""


def has_shape_of(size: tuple[float, float] | None, image: Image) -> bool:
    """Return whether a page with this size, in the units of its file, may be the page that an image shows."""
    if size is None:
        return True
    ratio = (size[0] / size[1]) / (image.width / image.height)
    return abs(math.log(ratio)) <= _TOLERANCE


def placed(box: Box, size: tuple[float, float] | None, image: Image) -> Rectangle | None:
    """Return a box in pixels of an image, clipped to it and at least one pixel wide and high; None outside of it.

    `size` is that of the page in the units of the box, None if these are pixels of the image.
    """
    across, down = (image.width / size[0], image.height / size[1]) if size else (1.0, 1.0)
    left, right = _clipped(box[0] * across, box[2] * across, image.width)
    top, bottom = _clipped(box[1] * down, box[3] * down, image.height)
    if left is None or top is None:
        return None
    return Rectangle(left, top, right - left, bottom - top)


def is_on(image: Image, region: Rectangle) -> bool:
    """Return whether a region has pixels, and all of them are on an image."""
    return (
        min(region.x, region.y) >= 0
        and min(region.width, region.height) >= 1
        and region.x + region.width <= image.width
        and region.y + region.height <= image.height
    )


def is_visible(region: Rectangle | None, page: Page) -> bool:
    """Return whether no redaction of any photograph of a page hides a part of a region of its first one.

    A region is scaled to the other photographs. Text without a region may be anywhere on the page, and so may a region
    be on a photograph of another shape: any redaction hides them.
    """
    return all(
        region is not None
        and has_shape_of((page.images[0].width, page.images[0].height), image)
        and not any(_overlap(region, page.images[0], area, image) for area in image.redactions)
        for image in page.images
        if image.redactions
    )


def _overlap(region: Rectangle, first: Image, area: Rectangle, image: Image) -> bool:
    """Return whether a region of the first image and an area of another image have a part of the page in common.

    The coordinates are multiplied by the size of the other image, so that they are compared without rounding.
    """
    return (
        region.x * image.width < (area.x + area.width) * first.width
        and area.x * first.width < (region.x + region.width) * image.width
        and region.y * image.height < (area.y + area.height) * first.height
        and area.y * first.height < (region.y + region.height) * image.height
    )


def _clipped(start: float, end: float, limit: int) -> tuple[int | None, int]:
    """Return the pixels from `start` to `end` that are in the image; None for none."""
    if end < 0 or start > limit or end < start:
        return None, 0
    first = min(max(math.floor(start + 1e-6), 0), limit - 1)
    return first, max(min(math.ceil(end - 1e-6), limit), first + 1)
