"""The library's watermark over a picture, anchored in the whole image and rotated with the picture.

A layer of the watermark is a texture, the mark in the upper left quarter of a transparent rectangle, that is repeated
over the whole image. The part of it that an answer shows is scaled to the answer's pixels: first by a power of two,
with the mean of the pixels, then by interpolation. Colours are multiplied by their opacity before, so that transparent
pixels add none.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor, log2
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyvips

from iiif_server.pyramid.grid import Box, TileGrid
from iiif_server.request.geometry import RenderPlan
from iiif_server.request.protection import Placement, Protection, layers, placement
from repository.errors import DependencyMissing, SettingInvalid
from repository.localized import LocalizedText
from repository.model.work import HeldImage

LARGEST_WATERMARK: Final = 1 << 20
"""The largest file of a watermark, in bytes."""

_LARGEST_SIDE: Final = 4096
_LARGEST_TEXTURE: Final = 512
_MARGIN: Final = 2
"""The pixels of a texture that interpolation may need beyond the edge of an answer."""

_ROTATIONS: Final = {90: "rot90", 180: "rot180", 270: "rot270"}


def read_watermark(path: str) -> bytes | None:
    """Read the watermark from the file of the setting; None when the setting is empty. Raises `SettingInvalid`."""
    if not path:
        return None
    try:
        content = Path(path).read_bytes()
        image = pyvips.Image.pngload_buffer(content) if len(content) <= LARGEST_WATERMARK else None
    except OSError as fault:
        raise SettingInvalid(name="watermark", reason=f"{path}: {fault.strerror}") from fault
    except pyvips.Error:
        image = None
    if image is None or not image.hasalpha() or max(image.width, image.height) > _LARGEST_SIDE:
        raise SettingInvalid(
            name="watermark",
            reason=LocalizedText(
                f"须为带透明通道的 PNG，至多 1 MiB、每边 {_LARGEST_SIDE} 像素",
                f"it must be a PNG with transparency, at most 1 MiB and {_LARGEST_SIDE} pixels a side",
            ),
        )
    return content


def protection_of(image: HeldImage, mark: bytes | None) -> Protection:
    """Return the protection of an image.

    Raises `DependencyMissing` when its rights demand a watermark and there is none.
    """
    if image.rights.watermark and mark is None:
        remedy = LocalizedText("请设置 SHANBEN_WATERMARK", "set SHANBEN_WATERMARK")
        raise DependencyMissing(what=LocalizedText("本馆水印", "the library's watermark"), remedy=remedy)
    hidden = tuple(Box(part.x, part.y, part.width, part.height) for part in image.redactions)
    return Protection(hidden, mark if image.rights.watermark else None)


def apply_protection(task: RenderPlan, protection: Protection, grid: TileGrid) -> RenderPlan:
    """Return the plan with the protection; a stored tile that it does not change remains a stored tile."""
    if protection == Protection():
        return task
    region, size = task.region, (task.width, task.height)
    factors = [
        factor for factor in grid.scale_factors if (-(-region.width // factor), -(-region.height // factor)) == size
    ]
    if task.tile is not None and not any(protection.touches(region, factor) for factor in factors):
        return task
    return task._replace(tile=None, protection=protection)


def apply_watermark(picture: Any, task: RenderPlan, grid: TileGrid) -> Any:
    """Return `picture`, already scaled and rotated by a multiple of 90 degrees, with the watermark of its plan."""
    content = task.protection.mark
    if content is None:
        return picture
    mark = pyvips.Image.pngload_buffer(content).colourspace("srgb")
    texture = _texture(mark, grey=picture.bands == 1)
    size = task.width, task.height
    for layer in layers((mark.width, mark.height), (grid.width, grid.height)):
        over = _scaled(texture, placement(layer, task.region, size), size)
        picture = _over(picture, _rotated(over, task))
    return picture


def _texture(mark: Any, *, grey: bool) -> Any:
    """Return one period of a mark: the mark in the upper left quarter, its colours multiplied by its opacity.

    Its sides are powers of two, so that halves of it repeat exactly.
    """
    width, height = (min(_LARGEST_TEXTURE, 1 << (side - 1).bit_length()) for side in (mark.width, mark.height))
    if grey:
        mark = mark[0:3].colourspace("b-w")[0].bandjoin(mark[3])
    small = mark.thumbnail_image(width, height=height, size="force").premultiply().rint().cast("uchar")
    return small.embed(0, 0, 2 * width, 2 * height).copy_memory()


def _scaled(texture: Any, place: Placement, size: tuple[int, int]) -> Any:
    """Return the part of a repeated texture that an answer of this size shows, in its pixels."""
    halves = [_halves(texture.width, place.across), _halves(texture.height, place.along)]
    small = texture.shrink(*halves).copy_memory()
    across = _Axis.of(small.width, place.x, place.across, size[0])
    along = _Axis.of(small.height, place.y, place.along, size[1])
    return small.replicate(across.periods, along.periods).affine(
        [across.scale, 0, 0, along.scale],
        interpolate=pyvips.Interpolate.new("bilinear"),
        oarea=[0, 0, *size],
        odx=across.offset,
        ody=along.offset,
        extend="copy",
    )


def _halves(side: int, periods: float) -> int:
    """Return the power of two by which a texture is shrunk for pixels that go so many periods far; at most its side."""
    return min(side, 1 << max(0, floor(log2(periods * side))))


class _Axis(NamedTuple):
    """One direction of `affine`: how often the texture is repeated, its scale, and the offset of its first pixel."""

    periods: int
    scale: float
    offset: float

    @classmethod
    def of(cls, side: int, start: float, step: float, length: int) -> _Axis:
        """Return the axis of a texture of `side` pixels; the first of `length` pixels is at `start`, in periods.

        Each pixel goes `step` periods far. The pixel of a texture that is one pixel long is the mean of it everywhere.
        """
        scale = 1.0 if side == 1 else 1 / (step * side)
        before = -(-_MARGIN // side)
        begin = (before + start % 1) * side
        periods = ceil((begin + length / scale + _MARGIN) / side)
        # The centre of a pixel of the answer is at (its number + 1/2) / scale + begin of the texture.
        return cls(periods, scale, scale * (0.5 - begin) - 0.5)


def _rotated(over: Any, task: RenderPlan) -> Any:
    if task.rotation.mirrored:
        over = over.fliphor()
    degrees = task.rotation.degrees
    rotate: Callable[[], Any] | None = getattr(over, _ROTATIONS[int(degrees)]) if degrees in _ROTATIONS else None
    return rotate() if rotate else over


def _over(picture: Any, over: Any) -> Any:
    """Return a picture under one whose last band is opacity and whose colours are multiplied by it."""
    bands = picture.bands
    mixed = picture * (1.0 - over[bands] / 255.0) + over[0:bands]
    return mixed.rint().cast("uchar").copy(interpretation=picture.interpretation)
