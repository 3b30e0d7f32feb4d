"""Render answers that are not stored tiles: decode the fewest tiles, crop, scale, rotate and encode.

There are two ways, and the plan alone decides which, so that equal plans give equal bytes:

- a picture of fewer than `SMALL_PIXELS`, decoded and encoded, is rendered in memory: 25 MB measured for a JPEG at that
  bound, 115 MB for AVIF, the most (`codecs.encode`);
- a larger one is rendered in strips as high as a tile. They are rotated first; libvips scales and encodes them as they
  arrive, so memory grows with the width, not with the area (86 MB measured for 108 megapixels, 12,000 across). Only a
  picture rotated by other than a multiple of 90 degrees is held whole, with at most four bytes a pixel.

Level and box are those of `geometry.choose_source`. Grey is the luma that the JPEG of a tile stores (ITU-R BT.601);
bitonal is grey, scaled, with one threshold for the whole image (`render/otsu.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import cos, radians, sin
from typing import Any, Final

import pyvips

from iiif_server.pyramid.grid import Box, TileGrid
from iiif_server.render import codecs
from iiif_server.render.assemble import Assembler, ReadTiles
from iiif_server.render.codecs import MEDIA_TYPES, STREAMED, Pixels
from iiif_server.render.decoded_cache import CachedTiles
from iiif_server.render.otsu import otsu_threshold
from iiif_server.render.strips import Sink, StripImage
from iiif_server.render.watermark import apply_watermark
from iiif_server.render.xmp import JpegPacketWriter
from iiif_server.request.geometry import RenderPlan, Source, rotated_size
from iiif_server.request.grammar import OutputFormat, Quality
from repository.errors import PyramidCorrupt

__all__ = ["MEDIA_TYPES", "STREAMED", "ReadTiles", "Sink", "render", "renderer_version", "use_little_memory", "write"]

VERSION: Final = 4
"""A part of the ETag of every rendered answer. Increase it when the same plan gives other bytes."""

SMALL_PIXELS: Final = 4_000_000
"""The number of pixels, decoded or encoded, below which an answer is rendered in memory."""

_WHITE: Final = 255
_GREY: Final = frozenset({Quality.GRAY, Quality.BITONAL})


def renderer_version() -> str:
    """Return the versions of this code and its libraries, which with the plan decide the bytes of a rendered answer."""
    return f"{VERSION} {codecs.versions()}"


def use_little_memory() -> None:
    """Switch off libvips' cache of operations, as no two answers share any. A serving process calls this once."""
    pyvips.cache_set_max(0)


def render(  # noqa: PLR0917 - the parameters of `write`
    task: RenderPlan,
    source: Source,
    grid: TileGrid,
    read_tiles: ReadTiles,
    jpeg_quality: int,
    cache: CachedTiles | None = None,
) -> bytes:
    """Return the encoded picture of a plan, from tiles in `cache` and tiles that are read.

    Raises `PyramidCorrupt` for tiles that do not decode, and what `read_tiles` raises.
    """
    encoded: list[bytes] = []
    write(task, source, grid, read_tiles, jpeg_quality, encoded.append, cache)
    return b"".join(encoded)


def write(  # noqa: PLR0917 - the parameters of `render`, and the sink
    task: RenderPlan,
    source: Source,
    grid: TileGrid,
    read_tiles: ReadTiles,
    jpeg_quality: int,
    sink: Sink,
    cache: CachedTiles | None = None,
) -> None:
    """Write the same to `sink` while it is encoded. After an error, what was written is not a picture."""
    if task.packet and task.format is OutputFormat.JPG:
        sink = JpegPacketWriter(sink, task.packet)
    assembler = Assembler(grid, source.factor, read_tiles, task.quality in _GREY, task.protection, cache)
    try:
        if is_small(task, source):
            scaled = _scaled(_decoded(assembler, source), task.width, task.height)
            picture = _finished(apply_watermark(_rotated_by_quarters(scaled, task), task, grid), task, assembler)
            codecs.encode(picture, task.format, jpeg_quality, task.quality is Quality.BITONAL, sink, task.packet)
        else:
            _stream(task, source, assembler, jpeg_quality, sink)
    except pyvips.Error as fault:
        raise PyramidCorrupt(key=task.canonical, reason=str(fault).strip()) from fault


def is_small(task: RenderPlan, source: Source) -> bool:
    """Return whether a picture is rendered in memory, in this thread."""
    return max(source.box.width * source.box.height, task.width * task.height) < SMALL_PIXELS


def _decoded(assembler: Assembler, source: Source) -> Any:
    """Return the box of a level, in memory."""
    if source.reduced is None:
        return _image(assembler.whole(source.box))
    level = assembler.grid.levels[-1]
    whole = _image(assembler.whole(Box(0, 0, level.width, level.height)))
    return _scaled(whole, *source.reduced).copy_memory().crop(*source.box)


def _image(pixels: Pixels) -> Any:
    height, width = pixels.shape[:2]
    bands = pixels.shape[2] if pixels.ndim > 2 else 1
    image = pyvips.Image.new_from_memory(pixels.data, width, height, bands, "uchar")
    return image.copy(interpretation="b-w" if bands == 1 else "srgb")


def _stream(task: RenderPlan, source: Source, assembler: Assembler, jpeg_quality: int, sink: Sink) -> None:
    quarters = _quarters(task)
    width, height = source.box.width, source.box.height
    wide, high = task.width, task.height
    if quarters % 2:
        width, height, wide, high = height, width, high, wide

    def checked(data: bytes) -> None:
        strips.check()
        sink(data)

    strips = StripImage(width, height, assembler.strips(source.box, quarters, task.rotation.mirrored))
    try:
        picture = _finished(apply_watermark(_scaled(strips.image, wide, high), task, assembler.grid), task, assembler)
        codecs.stream(picture, task.format, jpeg_quality, task.quality is Quality.BITONAL, checked, task.packet)
    finally:
        strips.check()


def _quarters(task: RenderPlan) -> int:
    """Return the clockwise rotation in units of 90 degrees; 0 for any other angle."""
    degrees = task.rotation.degrees
    return int(degrees) // 90 % 4 if degrees % 90 == 0 else 0


def _scaled(image: Any, width: int, height: int) -> Any:
    """Return an image at another size: Lanczos 3 where it shrinks, bicubic where it grows."""
    across, along = width / image.width, height / image.height
    if across < 1 or along < 1:
        image = image.resize(min(across, 1), vscale=min(along, 1))
    return _enlarged(image, width, height) if across > 1 or along > 1 else image


def _enlarged(image: Any, width: int, height: int) -> Any:
    """Return an image enlarged about the centres of pixels: libvips' `resize` is half a pixel off here (8.18.7)."""
    across, along = width / image.width, height / image.height
    return image.affine(
        [across, 0, 0, along],
        interpolate=pyvips.Interpolate.new("bicubic"),
        oarea=[0, 0, width, height],
        odx=(across - 1) / 2,
        ody=(along - 1) / 2,
        extend="copy",
    )


def _rotated_by_quarters(image: Any, task: RenderPlan) -> Any:
    """Return an image mirrored left to right, then rotated clockwise by a multiple of 90 degrees."""
    if task.rotation.mirrored:
        image = image.fliphor()
    rotations: dict[int, Callable[[], Any]] = {1: image.rot90, 2: image.rot180, 3: image.rot270}
    quarters = _quarters(task)
    return rotations[quarters]() if quarters else image


def _finished(image: Any, task: RenderPlan, assembler: Assembler) -> Any:
    """Return a picture of the right size with the last steps applied: rotation by any angle, and the threshold."""
    if task.rotation.degrees % 90:
        image = _rotated_by_any_angle(image.copy_memory(), task.rotation.degrees, task.format not in codecs.OPAQUE)
    if task.quality is not Quality.BITONAL:
        return image
    bitonal = (image[0] >= _threshold(assembler)).copy(interpretation="b-w")
    return bitonal if image.bands == 1 else bitonal.bandjoin((image[1] >= _OPAQUE_ENOUGH).copy(interpretation="b-w"))


_OPAQUE_ENOUGH: Final = 128


def _threshold(assembler: Assembler) -> int:
    """Return the grey level from which pixels of this image are white."""
    grid = assembler.grid
    level = grid.levels[-1]
    smallest = assembler._replace(factor=level.scale_factor, grey=True)
    return otsu_threshold(smallest.whole(Box(0, 0, level.width, level.height)))


def _rotated_by_any_angle(image: Any, degrees: Decimal, transparent: bool) -> Any:
    """Return an image rotated clockwise about its middle, with transparent or white corners."""
    width, height = rotated_size(image.width, image.height, degrees)
    if transparent:
        image = image.addalpha()
    empty = [0] * image.bands if transparent else [_WHITE] * image.bands
    angle = radians(degrees)
    across, along = cos(angle), sin(angle)
    middle_x, middle_y = (image.width - 1) / 2, (image.height - 1) / 2
    return image.affine(
        [across, -along, along, across],
        interpolate=pyvips.Interpolate.new("bicubic"),
        oarea=[0, 0, width, height],
        odx=(width - 1) / 2 - across * middle_x + along * middle_y,
        ody=(height - 1) / 2 - along * middle_x - across * middle_y,
        background=empty,
    )
