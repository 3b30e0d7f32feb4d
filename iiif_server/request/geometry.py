"""All the arithmetic of an image request: what it asks of one image, as a frozen plan. (pure)

IIIF Image API 3.0, sections 4.1 to 4.3 and 4.8; 2.1.1, sections 4.1 to 4.3 and 4.7. Where they leave a choice:

- a square region is centred, rounding towards the upper left;
- percentages and free sides are rounded half up, except that a free side (``w,`` ``,h`` ``!w,h`` ``pct:n``) of a stored
  tile's region, or of the whole image at the size of a level, is rounded as the level was (up), so that every spelling
  of a tile means that tile;
- ``!w,h`` with a box larger than the region on both sides asks in 3.0 for more than there is, and is refused as ``w,h``
  is (the official validator holds servers to that); in 2.1 it is the region as large as it is;
- 2.1 enlarges without ``^`` (its `sizeAboveFull`), within the limits; its ``full`` is refused where they forbid it;
- reduced access allows a *scale*: `max_size` over the longest side of the whole image. No region, however small, is
  drawn from more detail than the whole image shows at that size.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from math import ceil, cos, floor, isqrt, radians, sin
from types import MappingProxyType
from typing import Final, NamedTuple

from iiif_server.pyramid.grid import Box, TileGrid
from iiif_server.request.grammar import (
    ApiVersion,
    ImageRequest,
    OutputFormat,
    Quality,
    Region,
    RegionForm,
    Rotation,
    Size,
    SizeForm,
    spell_rotation,
)
from iiif_server.request.protection import Protection
from repository.errors import AccessRefused, RequestInvalid
from repository.localized import LocalizedText


class Room(NamedTuple):
    """What a format can hold, in pixels of one side and of the whole."""

    side: int
    area: int


_MILLION: Final = 1_000_000
ROOM: Final[Mapping[OutputFormat, Room]] = MappingProxyType(
    {
        OutputFormat.JPG: Room(65_500, 4_000 * _MILLION),
        OutputFormat.PDF: Room(60_000, 4_000 * _MILLION),
        OutputFormat.GIF: Room(65_535, 16 * _MILLION),
        OutputFormat.WEBP: Room(16_383, 24 * _MILLION),
        OutputFormat.AVIF: Room(32_768, 12 * _MILLION),
        OutputFormat.JP2: Room(1_000_000, 12 * _MILLION),
    }
)
"""Sides: what the format, or usual readers of it, can hold. Areas: what their encoders, which hold the whole picture
and its transparency, were seen to write within the memory of the lane of slow pictures (`render_pool.MEMORY`). Formats
not named hold whatever may be asked for.
"""


class ImageLimits(NamedTuple):
    """`max_area` bounds the pixels of any answer; `max_size` the longest side of the whole image (reduced access)."""

    max_area: int
    max_size: int | None = None


class RenderPlan(NamedTuple):
    """What to make: `region` of the full image, scaled to `width` by `height`, then mirrored, turned, and encoded.

    `canonical` is the canonical request in the version asked in; equal pixels have equal plans in one version. `tile`
    is the ordinal of the stored tile that is this very answer, when there is one.
    """

    region: Box
    width: int
    height: int
    rotation: Rotation
    quality: Quality
    format: OutputFormat
    canonical: str
    tile: int | None
    protection: Protection = Protection()


def plan(request: ImageRequest, grid: TileGrid, limits: ImageLimits) -> RenderPlan:
    """What `request` asks of the image that `grid` describes.

    Raises `RequestInvalid` (nothing to show, too large, more than the format can hold, upscaling not asked for) and
    `AccessRefused` (more detail than `limits` allow).
    """
    region = locate_region(request.region, grid)
    width, height = _scaled_size(request.size, request.version, region, grid, limits)
    rotation, quality = _plain_rotation(request.rotation), _plain_quality(request.quality)
    if rotation is _UPRIGHT and quality is Quality.DEFAULT and request.format is OutputFormat.JPG:
        tile = grid.ordinal_of(*region, width, height)
    else:
        tile = None
    if tile is None:
        _check_shape(width, height, rotation, request.format, limits)
    place = _canonical_place(region, grid)
    size = _canonical_size(request.version, region, (width, height), grid, limits)
    canonical = f"{place}/{size}/{spell_rotation(rotation)}/{quality.value}.{request.format.value}"
    return RenderPlan(region, width, height, rotation, quality, request.format, canonical, tile)


_UPRIGHT: Final = Rotation()


def _plain_rotation(rotation: Rotation) -> Rotation:
    """A full turn is no turn."""
    if rotation.degrees == 360:
        rotation = Rotation(Decimal(0), rotation.mirrored)
    return _UPRIGHT if rotation == _UPRIGHT else rotation


def _plain_quality(quality: Quality) -> Quality:
    """The default quality is all the colour there is."""
    return Quality.DEFAULT if quality is Quality.COLOR else quality


def locate_region(region: Region, grid: TileGrid) -> Box:
    """Where a region lies, clipped to the image. Raises `RequestInvalid` when nothing of it does (section 4.1)."""
    if region.form is RegionForm.FULL:
        return Box(0, 0, grid.width, grid.height)
    if region.form is RegionForm.SQUARE:
        side = min(grid.width, grid.height)
        return Box((grid.width - side) // 2, (grid.height - side) // 2, side, side)
    if region.form is RegionForm.PERCENT:
        x, width = (_percent(number, grid.width) for number in (region.x, region.width))
        y, height = (_percent(number, grid.height) for number in (region.y, region.height))
    else:
        x, y, width, height = int(region.x), int(region.y), int(region.width), int(region.height)
    if not (width and height):
        raise RequestInvalid(
            part="region", reason=LocalizedText("宽高须至少一个像素", "it is less than a pixel wide or high")
        )
    if x >= grid.width or y >= grid.height:
        raise RequestInvalid(
            part="region",
            reason=LocalizedText("位于图像（{w}×{h}）之外", "it lies outside the image ({w} by {h})").format(
                w=grid.width, h=grid.height
            ),
        )
    return Box(x, y, min(width, grid.width - x), min(height, grid.height - y))


def _percent(number: Decimal | int, whole: int) -> int:
    return _round(Fraction(number) * whole / 100)


def _round(number: Fraction) -> int:
    """To the nearest integer, halves up."""
    return floor(number + Fraction(1, 2))


def _scaled_size(size: Size, version: ApiVersion, region: Box, grid: TileGrid, limits: ImageLimits) -> tuple[int, int]:
    """The pixels of the scaled region (section 4.2), checked against the region and the limits."""
    if size.form is SizeForm.MAX:
        return largest(region, size.upscale, grid, limits)
    width, height = _asked_size(size, version, region, grid)
    if not (width and height):
        raise RequestInvalid(
            part="size", reason=LocalizedText("宽高须至少一个像素", "it is less than a pixel wide or high")
        )
    if not size.upscale and version is ApiVersion.THREE and (width > region.width or height > region.height):
        raise RequestInvalid(part="size", reason=_UPSCALE.format(w=region.width, h=region.height))
    too_detailed = limits.max_size is not None and _too_detailed(width, height, region, grid, limits.max_size)
    if not too_detailed and width * height <= limits.max_area:
        return width, height
    most = largest(region, size.upscale, grid, limits)
    if size.form is SizeForm.CONFINED or _names(size, most):
        return most
    if too_detailed:
        raise AccessRefused(what=_REDUCED.format(size=limits.max_size))
    raise RequestInvalid(part="size", reason=_TOO_LARGE.format(area=limits.max_area))


_UPSCALE: Final = LocalizedText(
    "大于所取区域（{w}×{h}）；需放大时请在尺寸前加 ^",
    "it is larger than the region ({w} by {h}); to enlarge, write ^ first",
)
_REDUCED: Final = LocalizedText(
    "此图像最长边超过 {size} 像素的尺寸", "this image above {size} pixels on its longest side"
)
_TOO_LARGE: Final = LocalizedText("超过 {area} 像素的上限", "it is more than the {area} pixels allowed")


def _asked_size(size: Size, version: ApiVersion, region: Box, grid: TileGrid) -> tuple[int, int]:
    """Both sides of a size, whether or not they are allowed."""
    if size.form is SizeForm.EXACT:
        return size.width, size.height
    fits = size.width >= region.width and size.height >= region.height
    if size.form is SizeForm.FULL or (size.form is SizeForm.CONFINED and fits and version is ApiVersion.TWO):
        return region.width, region.height
    return _in_proportion(size, region, grid)


def _in_proportion(size: Size, region: Box, grid: TileGrid) -> tuple[int, int]:
    """Both sides of a size that gives fewer than two: rounded, or those of the tile or level that it must mean."""
    scale = _scale(size, region)
    width, height = _round(region.width * scale), _round(region.height * scale)
    if size.form is not SizeForm.PERCENT:
        width, height = _given(size, width, height)
    whole = _is_whole(region, grid)
    for factor in grid.scale_factors:
        tile = -(-region.width // factor), -(-region.height // factor)
        if _means(size, scale, factor, tile) and (whole or grid.ordinal_of(*region, *tile) is not None):
            return tile
    return width, height


def _names(size: Size, most: tuple[int, int]) -> bool:
    """Whether a size of one side means the largest there is, whose other side was rounded down."""
    by_width = size.form is SizeForm.WIDTH and size.width == most[0]
    return by_width or (size.form is SizeForm.HEIGHT and size.height == most[1])


def _scale(size: Size, region: Box) -> Fraction:
    if size.form is SizeForm.PERCENT:
        return Fraction(size.percent) / 100
    if size.form is SizeForm.WIDTH:
        return Fraction(size.width, region.width)
    if size.form is SizeForm.HEIGHT:
        return Fraction(size.height, region.height)
    return min(Fraction(size.width, region.width), Fraction(size.height, region.height))


def _given(size: Size, width: int, height: int) -> tuple[int, int]:
    """The side that the size fixes, exactly as given."""
    if size.form is SizeForm.WIDTH:
        return size.width, height
    if size.form is SizeForm.HEIGHT:
        return width, size.height
    return width, height


def _means(size: Size, scale: Fraction, factor: int, tile: tuple[int, int]) -> bool:
    """Whether a proportional size can mean a tile of these sides, reduced by `factor`."""
    if size.form is SizeForm.WIDTH:
        return tile[0] == size.width
    if size.form is SizeForm.HEIGHT:
        return tile[1] == size.height
    if size.form is SizeForm.PERCENT:
        return scale * factor == 1
    fits = tile[0] <= size.width and tile[1] <= size.height
    return fits and (tile[0] == size.width or tile[1] == size.height)


def largest(region: Box, upscale: bool, grid: TileGrid, limits: ImageLimits) -> tuple[int, int]:
    """The largest size of a region within the limits: ``max``, or ``^max``. Never below one pixel."""
    width, height = region.width, region.height
    if not upscale and limits.max_size is None and width * height <= limits.max_area:
        return width, height
    scale = None if upscale else Fraction(1)
    if limits.max_size is not None:
        allowed = Fraction(limits.max_size, max(grid.width, grid.height))
        scale = allowed if scale is None else min(scale, allowed)
    if scale is not None:
        width, height = max(1, _round(width * scale)), max(1, _round(height * scale))
    if scale is None or width * height > limits.max_area:
        width = max(1, min(limits.max_area, isqrt(limits.max_area * region.width // region.height)))
        height = max(1, min(limits.max_area // width, width * region.height // region.width))
    return width, height


def _too_detailed(width: int, height: int, region: Box, grid: TileGrid, max_size: int) -> bool:
    longest = max(grid.width, grid.height)
    return width > -(-region.width * max_size // longest) or height > -(-region.height * max_size // longest)


def _check_shape(width: int, height: int, rotation: Rotation, wanted: OutputFormat, limits: ImageLimits) -> None:
    """Refuse what no answer can hold: a turned bounding box beyond the area, more than the format's room."""
    turned_width, turned_height = rotated_size(width, height, rotation.degrees)
    if turned_width * turned_height > limits.max_area and rotation.degrees % 90:
        raise RequestInvalid(part="rotation", reason=_TOO_LARGE.format(area=limits.max_area))
    room = ROOM.get(wanted)
    if room and (max(turned_width, turned_height) > room.side or turned_width * turned_height > room.area):
        raise RequestInvalid(
            part="format", reason=_NO_ROOM.format(format=wanted.value, w=turned_width, h=turned_height)
        )


_NO_ROOM: Final = LocalizedText(
    "{w}×{h} 像素超出 {format} 的容量，请缩小尺寸，或改用 jpg 或 png",
    "{w} by {h} pixels are too many for {format}; ask for a smaller size, or for jpg or png",
)


def rotated_size(width: int, height: int, degrees: Decimal) -> tuple[int, int]:
    """The sides of the box around a turned picture, rounded up (Implementation Notes, section 5)."""
    if degrees % 90 == 0:
        return (width, height) if degrees % 180 == 0 else (height, width)
    across, along = abs(cos(radians(degrees))), abs(sin(radians(degrees)))
    return ceil(width * across + height * along), ceil(width * along + height * across)


def _is_whole(region: Box, grid: TileGrid) -> bool:
    return region.width == grid.width and region.height == grid.height


def _canonical_place(region: Box, grid: TileGrid) -> str:
    """A region in its canonical form."""
    return "full" if _is_whole(region, grid) else f"{region.x},{region.y},{region.width},{region.height}"


def _canonical_size(
    version: ApiVersion, region: Box, size: tuple[int, int], grid: TileGrid, limits: ImageLimits
) -> str:
    """A size in its canonical form (3.0, section 4.8; 2.1.1, section 4.7)."""
    width, height = size
    if version is ApiVersion.TWO:
        if size == (region.width, region.height):
            return "full"
        kept = _in_proportion(Size(SizeForm.WIDTH, width=width), region, grid) == size
        return f"{width}," if kept else f"{width},{height}"
    enlarged = width > region.width or height > region.height
    if size == largest(region, enlarged, grid, limits):
        return "^max" if enlarged else "max"
    return f"{'^' if enlarged else ''}{width},{height}"


class Source(NamedTuple):
    """Where pixels come from: `box` of one level of the pyramid, which is `factor` times smaller than the image.

    `reduced` is set when even the smallest level holds more detail than access allows: the level is first scaled to
    that width and height, and `box` counts in those pixels.
    """

    factor: int
    box: Box
    reduced: tuple[int, int] | None = None


def choose_source(task: RenderPlan, grid: TileGrid, limits: ImageLimits) -> Source:
    """The smallest level that still has every pixel asked for, and is both allowed and not beyond the memory bound.

    The bound: at most four times `max_area` pixels of a level are read for one answer. Only a picture squeezed much
    more one way than the other comes to it; then a smaller level is taken, and stretched.
    """
    allowed = [factor for factor in grid.scale_factors if _allowed(factor, grid, limits.max_size)]
    if not allowed:
        return _reduced_source(task.region, grid, limits)
    box = _shrunk(task.region, allowed[0], grid)
    chosen = Source(allowed[0], box)
    for factor in allowed[1:]:
        box = _shrunk(task.region, factor, grid)
        across = _has_detail(task.width, task.region.x, task.region.width, grid.width, factor)
        along = _has_detail(task.height, task.region.y, task.region.height, grid.height, factor)
        if (across and along) or chosen.box.width * chosen.box.height > 4 * limits.max_area:
            chosen = Source(factor, box)
    return chosen


def _allowed(factor: int, grid: TileGrid, max_size: int | None) -> bool:
    return max_size is None or -(-max(grid.width, grid.height) // factor) <= max_size


def _has_detail(wanted: int, start: int, length: int, whole: int, factor: int) -> bool:
    """Whether a side of a region has the wanted pixels in a level: true ones, or the level's own if it lies on them."""
    end = start + length
    aligned = start % factor == 0 and (end % factor == 0 or end == whole)
    return wanted * factor <= length or (aligned and wanted <= -(-length // factor))


def _shrunk(region: Box, factor: int, grid: TileGrid) -> Box:
    """Return a region in the pixels of a level: each edge at the nearest pixel, so that regions that meet still meet.

    No edge moves by more than half a pixel of the level, but for a region smaller than one, which gets one.
    """
    x, right = _nearest(region.x, region.width, grid.width, factor)
    y, bottom = _nearest(region.y, region.height, grid.height, factor)
    return Box(x, y, right - x, bottom - y)


def _nearest(start: int, length: int, whole: int, factor: int) -> tuple[int, int]:
    """Return the edges of a side in the pixels of a level; the edge of the image is the edge of the level."""
    end = start + length
    far = -(-whole // factor) if end == whole else max(1, (end + factor // 2) // factor)
    return min((start + factor // 2) // factor, far - 1), far


def _reduced_source(region: Box, grid: TileGrid, limits: ImageLimits) -> Source:
    whole = Box(0, 0, grid.width, grid.height)
    width, height = largest(whole, False, grid, limits)
    x, y = region.x * width // grid.width, region.y * height // grid.height
    right = -(-(region.x + region.width) * width // grid.width)
    bottom = -(-(region.y + region.height) * height // grid.height)
    return Source(grid.scale_factors[-1], Box(x, y, right - x, bottom - y), (width, height))
