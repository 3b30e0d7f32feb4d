"""The arithmetic of an image request: from a request and an image's dimensions to a frozen plan. (pure)

IIIF Image API 3.0, sections 4.1 to 4.3 and 4.8; 2.1.1, sections 4.1 to 4.3 and 4.7. Where they leave a choice:

- a square region is centred, rounded towards the upper left;
- percentages and proportional sides are rounded half up; a proportional side is at least one pixel if the other is.
  But when it (``w,`` ``,h`` ``!w,h`` ``pct:n``) belongs to the region of a stored tile, or to the whole image at the
  size of a level, it is rounded up as the level is, so that every spelling of a tile means that tile;
- ``!w,h`` with a box larger than the region on both sides returns the region at its own size;
- 2.1 enlarges without ``^`` (its `sizeAboveFull`), within the limits; ``full`` is refused where they forbid it;
- reduced access allows a *scale*: `max_size` over the longest side of the whole image. No region, however small, is
  rendered from more detail than the whole image shows at that size.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import ceil, cos, radians, sin
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
from iiif_server.request.limits import FORMAT_LIMITS, ImageLimits, exceeds_scale, largest, rounded
from iiif_server.request.protection import Protection
from repository.errors import AccessRefused, RequestInvalid
from repository.localized import LocalizedText


class RenderPlan(NamedTuple):
    """How to answer: `region` of the full image, scaled to `width` by `height`, mirrored, rotated and encoded.

    `canonical` is the canonical request in the version of the request; within one version, equal pixels have equal
    plans. `tile` is the ordinal of the stored tile that is the answer byte for byte, or None. `packet` is the XMP
    packet of a download, b"" for any other answer.
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
    packet: bytes = b""


def plan(request: ImageRequest, grid: TileGrid, limits: ImageLimits) -> RenderPlan:
    """Return the plan of a request to the image that `grid` describes.

    Raises `RequestInvalid` (an empty region, too large, too large for the format, enlarged without ``^``) and
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
    region_text = _canonical_region(region, grid)
    size = _canonical_size(request.version, region, (width, height), grid, limits)
    canonical = f"{region_text}/{size}/{spell_rotation(rotation)}/{quality.value}.{request.format.value}"
    return RenderPlan(region, width, height, rotation, quality, request.format, canonical, tile)


_UPRIGHT: Final = Rotation()


def _plain_rotation(rotation: Rotation) -> Rotation:
    """Return the rotation with 360 degrees as 0."""
    if rotation.degrees == 360:
        rotation = Rotation(Decimal(0), rotation.mirrored)
    return _UPRIGHT if rotation == _UPRIGHT else rotation


def _plain_quality(quality: Quality) -> Quality:
    """Return the quality with color as default, which has all the colour of the image."""
    return Quality.DEFAULT if quality is Quality.COLOR else quality


def locate_region(region: Region, grid: TileGrid) -> Box:
    """Return a region in pixels, clipped to the image (section 4.1). Raises `RequestInvalid` when it is empty."""
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
            reason=LocalizedText("位于图像（{w}×{h}）之外", "it is outside the image ({w} by {h})").format(
                w=grid.width, h=grid.height
            ),
        )
    return Box(x, y, min(width, grid.width - x), min(height, grid.height - y))


def _percent(number: Decimal | int, whole: int) -> int:
    return rounded(Fraction(number) * whole / 100)


def _scaled_size(size: Size, version: ApiVersion, region: Box, grid: TileGrid, limits: ImageLimits) -> tuple[int, int]:
    """Return the sides of the scaled region (section 4.2), checked against the region and the limits."""
    if size.form is SizeForm.MAX:
        return largest(region, size.upscale, grid, limits)
    width, height = _requested_size(size, region, grid)
    if not (width and height):
        raise RequestInvalid(
            part="size", reason=LocalizedText("宽高须至少一个像素", "it is less than a pixel wide or high")
        )
    if not size.upscale and version is ApiVersion.THREE and (width > region.width or height > region.height):
        raise RequestInvalid(part="size", reason=_UPSCALE.format(w=region.width, h=region.height))
    too_detailed = limits.max_size is not None and exceeds_scale(width, height, region, grid, limits.max_size)
    if not too_detailed and limits.permit(width, height):
        return width, height
    most = largest(region, size.upscale, grid, limits)
    if size.form is SizeForm.CONFINED or _has_side_of(size, most):
        return most
    if too_detailed:
        raise AccessRefused(what=_REDUCED.format(size=limits.max_size))
    raise RequestInvalid(part="size", reason=_TOO_LARGE.format(area=limits.max_area, side=limits.max_side))


_UPSCALE: Final = LocalizedText(
    "大于所取区域（{w}×{h}）；需放大时请在尺寸前加 ^",
    "it is larger than the region ({w} by {h}); to enlarge, write ^ first",
)
_REDUCED: Final = LocalizedText(
    "此图像最长边超过 {size} 像素的尺寸", "this image above {size} pixels on its longest side"
)
_TOO_LARGE: Final = LocalizedText(
    "超过上限：共 {area} 像素，每边 {side} 像素；最大可写作 max",
    "at most {area} pixels are allowed, and {side} along a side; for the largest size, write max",
)


def _requested_size(size: Size, region: Box, grid: TileGrid) -> tuple[int, int]:
    """Return both sides of a size, without regard to the limits."""
    if size.form is SizeForm.EXACT:
        return size.width, size.height
    fits = size.width >= region.width and size.height >= region.height
    if size.form is SizeForm.FULL or (size.form is SizeForm.CONFINED and fits and not size.upscale):
        return region.width, region.height
    return _in_proportion(size, region, grid)


def _in_proportion(size: Size, region: Box, grid: TileGrid) -> tuple[int, int]:
    """Return both sides of a proportional size: rounded, or those of the tile or level that it means."""
    scale = _scale(size, region)
    width, height = rounded(region.width * scale), rounded(region.height * scale)
    if size.form is not SizeForm.PERCENT:
        width, height = _with_fixed_side(size, width, height)
    if width or height:
        width, height = max(1, width), max(1, height)
    whole = _is_whole(region, grid)
    for factor in grid.scale_factors:
        tile = -(-region.width // factor), -(-region.height // factor)
        if _may_mean(size, scale, factor, tile) and (whole or grid.ordinal_of(*region, *tile) is not None):
            return tile
    return width, height


def _has_side_of(size: Size, most: tuple[int, int]) -> bool:
    """Return whether a size of one side means the largest size, whose other side was rounded down."""
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


def _with_fixed_side(size: Size, width: int, height: int) -> tuple[int, int]:
    """Return the sides with the one that the request states exactly as stated."""
    if size.form is SizeForm.WIDTH:
        return size.width, height
    if size.form is SizeForm.HEIGHT:
        return width, size.height
    return width, height


def _may_mean(size: Size, scale: Fraction, factor: int, tile: tuple[int, int]) -> bool:
    """Return whether a proportional size can mean a tile of these sides, reduced by `factor`."""
    if size.form is SizeForm.WIDTH:
        return tile[0] == size.width
    if size.form is SizeForm.HEIGHT:
        return tile[1] == size.height
    if size.form is SizeForm.PERCENT:
        return scale * factor == 1
    fits = tile[0] <= size.width and tile[1] <= size.height
    return fits and (tile[0] == size.width or tile[1] == size.height)


def _check_shape(width: int, height: int, rotation: Rotation, wanted: OutputFormat, limits: ImageLimits) -> None:
    """Raise `RequestInvalid` when the rotated picture exceeds the largest area or the limits of its format."""
    rotated_width, rotated_height = rotated_size(width, height, rotation.degrees)
    if rotated_width * rotated_height > limits.max_area and rotation.degrees % 90:
        raise RequestInvalid(part="rotation", reason=_TOO_LARGE_ROTATED.format(area=limits.max_area))
    limit = FORMAT_LIMITS.get(wanted)
    if limit and (max(rotated_width, rotated_height) > limit.side or rotated_width * rotated_height > limit.area):
        raise RequestInvalid(
            part="format", reason=_TOO_LARGE_FOR_FORMAT.format(format=wanted.value, w=rotated_width, h=rotated_height)
        )


_TOO_LARGE_ROTATED: Final = LocalizedText(
    "旋转后超过 {area} 像素的上限，请缩小尺寸",
    "rotated, the picture has more than the {area} pixels allowed; ask for a smaller size",
)
_TOO_LARGE_FOR_FORMAT: Final = LocalizedText(
    "{w}×{h} 像素超出 {format} 的容量，请缩小尺寸，或改用 jpg 或 png",
    "{w} by {h} pixels are too many for {format}; ask for a smaller size, or for jpg or png",
)


def rotated_size(width: int, height: int, degrees: Decimal) -> tuple[int, int]:
    """Return the sides of the bounding box of a rotated picture, rounded up (Implementation Notes, section 5)."""
    if degrees % 90 == 0:
        return (width, height) if degrees % 180 == 0 else (height, width)
    across, along = abs(cos(radians(degrees))), abs(sin(radians(degrees)))
    return ceil(width * across + height * along), ceil(width * along + height * across)


def _is_whole(region: Box, grid: TileGrid) -> bool:
    return region.width == grid.width and region.height == grid.height


def _canonical_region(region: Box, grid: TileGrid) -> str:
    """Return a region in its canonical form."""
    return "full" if _is_whole(region, grid) else f"{region.x},{region.y},{region.width},{region.height}"


def _canonical_size(
    version: ApiVersion, region: Box, size: tuple[int, int], grid: TileGrid, limits: ImageLimits
) -> str:
    """Return a size in its canonical form (3.0, section 4.8; 2.1.1, section 4.7)."""
    width, height = size
    if version is ApiVersion.TWO:
        if size == (region.width, region.height):
            return "full"
        proportional = _in_proportion(Size(SizeForm.WIDTH, width=width), region, grid) == size
        return f"{width}," if proportional else f"{width},{height}"
    enlarged = width > region.width or height > region.height
    if size == largest(region, enlarged, grid, limits):
        return "^max" if enlarged else "max"
    return f"{'^' if enlarged else ''}{width},{height}"


class Source(NamedTuple):
    """The pixels to decode: `box` of the level of the pyramid that is `factor` times smaller than the image.

    `reduced` is set when even the smallest level has more detail than access allows: the level is first scaled to that
    width and height, and `box` is in those pixels.
    """

    factor: int
    box: Box
    reduced: tuple[int, int] | None = None


def choose_source(task: RenderPlan, grid: TileGrid, limits: ImageLimits) -> Source:
    """Return the smallest level that has every pixel asked for and is allowed, within the memory bound.

    The bound is four times `max_area` pixels of a level for one answer. Only a picture squeezed much more along one
    side than along the other exceeds it; a smaller level is then stretched.
    """
    allowed = [factor for factor in grid.scale_factors if _allowed(factor, grid, limits.max_size)]
    if not allowed:
        return _reduced_source(task.region, grid, limits)
    box = _level_box(task.region, allowed[0], grid)
    chosen = Source(allowed[0], box)
    for factor in allowed[1:]:
        box = _level_box(task.region, factor, grid)
        across = _has_detail(task.width, task.region.x, task.region.width, grid.width, factor)
        along = _has_detail(task.height, task.region.y, task.region.height, grid.height, factor)
        if (across and along) or chosen.box.width * chosen.box.height > 4 * limits.max_area:
            chosen = Source(factor, box)
    return chosen


def _allowed(factor: int, grid: TileGrid, max_size: int | None) -> bool:
    return max_size is None or -(-max(grid.width, grid.height) // factor) <= max_size


def _has_detail(wanted: int, start: int, length: int, whole: int, factor: int) -> bool:
    """Return whether a level has `wanted` pixels along a side of a region that begins at `start`.

    `whole` is the length of that side of the image. Where both ends are edges of pixels of the level, a last pixel that
    is partly covered counts too.
    """
    end = start + length
    aligned = start % factor == 0 and (end % factor == 0 or end == whole)
    return wanted * factor <= length or (aligned and wanted <= -(-length // factor))


def _level_box(region: Box, factor: int, grid: TileGrid) -> Box:
    """Return a region in the pixels of a level: each edge at the nearest pixel, so that regions that meet still meet.

    No edge moves by more than half a pixel of the level, except in a region smaller than one pixel, which gets one.
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
