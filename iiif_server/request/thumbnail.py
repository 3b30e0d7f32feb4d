"""Image requests for thumbnails and other small pictures, with the exact size that the service returns. (pure)

The size stated in a page or a manifest is that of `geometry.plan`, and the request is the canonical one, so a picture
that is a stored tile is named as that tile.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from iiif_server.pyramid.grid import Box, TileGrid
from iiif_server.request.geometry import plan
from iiif_server.request.grammar import parse
from iiif_server.request.limits import ImageLimits, largest

_LONG_RATIO: Final = 3
"""The ratio of the sides beyond which a cover shows a detail: the whole would be too narrow to recognise."""

_DETAIL_SIDE: Final = 400


class PictureRequest(NamedTuple):
    """A canonical Image API 3.0 request, ``{region}/{size}/0/default.jpg``, and the size of its picture in pixels."""

    request: str
    width: int
    height: int


def thumbnail(grid: TileGrid, limits: ImageLimits) -> PictureRequest:
    """Return the smallest level of the pyramid: one stored tile, so the server renders nothing.

    Reduced access to fewer pixels than that level has gives the whole image at the size allowed.
    """
    smallest = grid.levels[-1]
    return fitted(grid, max(smallest.width, smallest.height), limits)


def cover(grid: TileGrid, limits: ImageLimits, *, from_right: bool) -> PictureRequest:
    """Return the thumbnail, or for a long scroll or strip a detail of its beginning, at the right when `from_right`."""
    width, height = grid.width, grid.height
    if limits.max_size or max(width, height) <= _LONG_RATIO * min(width, height):
        return thumbnail(grid, limits)
    across, down = min(width, height * 2), min(height, width * 2)
    return _scaled(grid, Box(width - across if from_right else 0, 0, across, down), _DETAIL_SIDE, limits)


def fitted(grid: TileGrid, side: int, limits: ImageLimits) -> PictureRequest:
    """Return the whole image within a square of `side` pixels and within the limits, never enlarged."""
    return _scaled(grid, Box(0, 0, grid.width, grid.height), min(side, limits.max_size or side), limits)


def _scaled(grid: TileGrid, region: Box, side: int, limits: ImageLimits) -> PictureRequest:
    """Return a region with its longest side at most `side`, in proportion but at least one pixel wide and high."""
    longest = max(region.width, region.height)
    side = min(side, longest)
    level = next((level for level in grid.levels if max(level.width, level.height) == side), None)
    if level and (region.width, region.height) == (grid.width, grid.height):
        width, height = level.width, level.height
    else:
        width, height = (max(1, _divided(length * side, longest)) for length in (region.width, region.height))
    if not limits.permit(width, height):
        width, height = largest(region, False, grid, limits)
    box = ",".join(map(str, region))
    task = plan(parse(f"{box}/{width},{height}/0/default.jpg"), grid, limits)
    return PictureRequest(task.canonical, task.width, task.height)


def _divided(number: int, divisor: int) -> int:
    """Return the nearest integer, halves rounded up, as `geometry` rounds proportional sizes."""
    return (2 * number + divisor) // (2 * divisor)
