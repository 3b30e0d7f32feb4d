"""The limits of an image and of the output formats, and the largest size within them. (pure)

IIIF Image API 3.0 and 2.1.1, section 5: ``maxWidth``, ``maxHeight`` and ``maxArea``, by which ``max`` is defined.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import floor, isqrt
from types import MappingProxyType
from typing import Final, NamedTuple

from iiif_server.pyramid.grid import Box, TileGrid
from iiif_server.request.grammar import OutputFormat


class FormatLimits(NamedTuple):
    """The largest picture of a format: pixels along one side, and pixels in all."""

    side: int
    area: int


_MILLION: Final = 1_000_000
FORMAT_LIMITS: Final[Mapping[OutputFormat, FormatLimits]] = MappingProxyType(
    {
        OutputFormat.JPG: FormatLimits(65_500, 4_000 * _MILLION),
        OutputFormat.PDF: FormatLimits(60_000, 4_000 * _MILLION),  # 14,400 units of 1/72 inch (ISO 32000-1, annex C)
        OutputFormat.GIF: FormatLimits(65_535, 16 * _MILLION),
        OutputFormat.WEBP: FormatLimits(16_383, 24 * _MILLION),
        OutputFormat.AVIF: FormatLimits(32_768, 12 * _MILLION),
        OutputFormat.JP2: FormatLimits(1_000_000, 12 * _MILLION),
    }
)
"""Sides are limits of the format or of its usual readers. Areas were measured: the encoders hold the whole picture and
its transparency, within the memory of a rendering process (`render.pool.MEMORY`). Formats not listed have no limit.
"""

MAX_SIDE: Final = FORMAT_LIMITS[OutputFormat.JPG].side
"""The longest side of any answer: that of JPEG, which every client asks for. ``max`` is the same in every format."""


class ImageLimits(NamedTuple):
    """`max_area` bounds the pixels of any answer and `max_side` each of its sides, before rotation.

    `max_size` is the longest side of the whole image (reduced access).
    """

    max_area: int
    max_size: int | None = None
    max_side: int = MAX_SIDE

    def permit(self, width: int, height: int) -> bool:
        """Return whether an answer may have these sides, reduced access apart."""
        return width * height <= self.max_area and width <= self.max_side and height <= self.max_side


def largest(region: Box, upscale: bool, grid: TileGrid, limits: ImageLimits) -> tuple[int, int]:
    """Return the largest size of a region within the limits, at least one pixel: ``max``, or ``^max`` if `upscale`."""
    width, height = region.width, region.height
    if not upscale and limits.max_size is None and limits.permit(width, height):
        return width, height
    scale = Fraction(limits.max_side, max(width, height))
    if not upscale:
        scale = min(scale, Fraction(1))
    if limits.max_size is not None:
        scale = min(scale, Fraction(limits.max_size, max(grid.width, grid.height)))
    width, height = max(1, rounded(width * scale)), max(1, rounded(height * scale))
    if width * height > limits.max_area:
        width = max(1, min(width, limits.max_area, isqrt(limits.max_area * region.width // region.height)))
        height = max(1, min(height, limits.max_area // width, width * region.height // region.width))
    return width, height


def exceeds_scale(width: int, height: int, region: Box, grid: TileGrid, max_size: int) -> bool:
    """Return whether a region of these sides has more detail than the whole image at `max_size`."""
    longest = max(grid.width, grid.height)
    return width > -(-region.width * max_size // longest) or height > -(-region.height * max_size // longest)


def rounded(number: Fraction) -> int:
    """Return the nearest integer, halves rounded up."""
    return floor(number + Fraction(1, 2))
