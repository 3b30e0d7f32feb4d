"""Pixels for requests that no stored tile answers: decode the fewest tiles, crop, scale, turn, encode.

Two ways lead there, and the plan alone decides which, so that equal plans give equal bytes:

- a picture of fewer than `SMALL_PIXELS` read and made is held in memory with what its encoder holds (`codecs.encode`):
  25 MB measured for a JPEG at that bound, 115 MB for AVIF, the most;
- a larger one flows through in strips as high as a tile, already turned, into libvips, which scales and encodes them as
  they come: memory grows with the width, not the area (86 MB measured for 108 megapixels, 12,000 across). Only a
  picture turned by other than quarters is held whole, at most four bytes a pixel made, and what its encoder holds.

Level and box are those of `geometry.choose_source`. Grey is the brightness that the JPEG of a tile holds (ITU-R
BT.601); bitonal is grey, scaled, and split at one level for the whole image (`render/otsu.py`).
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
from iiif_server.render.decoded_cache import KeptTiles
from iiif_server.render.otsu import otsu_threshold
from iiif_server.render.strips import Sink, StripImage
from iiif_server.render.watermark import apply_watermark
from iiif_server.request.geometry import RenderPlan, Source, rotated_size
from iiif_server.request.grammar import Quality
from repository.errors import PyramidCorrupt

__all__ = ["MEDIA_TYPES", "STREAMED", "ReadTiles", "Sink", "render", "renderer_version", "use_little_memory", "write"]

VERSION: Final = 3
"""Goes into every ETag of a rendered answer: to be raised when the same plan gives other bytes."""

SMALL_PIXELS: Final = 4_000_000
"""Pixels read or made below which an answer is made in memory."""

_WHITE: Final = 255
_GREY: Final = frozenset({Quality.GRAY, Quality.BITONAL})


def renderer_version() -> str:
    """What decides the bytes of a rendered answer besides its plan: this code's version and the libraries'."""
    return f"{VERSION} {codecs.versions()}"


def use_little_memory() -> None:
    """Switch off libvips' cache of operations: no two answers share any. Called once by a process that serves."""
    pyvips.cache_set_max(0)


def render(  # noqa: PLR0917 - what `write` takes
    task: RenderPlan,
    source: Source,
    grid: TileGrid,
    read_tiles: ReadTiles,
    jpeg_quality: int,
    kept: KeptTiles | None = None,
) -> bytes:
    """The encoded picture that `task` describes, of tiles that are `kept` or read.

    Raises `PyramidCorrupt` for tiles that do not decode, and what `read_tiles` raises.
    """
    encoded: list[bytes] = []
    write(task, source, grid, read_tiles, jpeg_quality, encoded.append, kept)
    return b"".join(encoded)


def write(  # noqa: PLR0917 - what `render` takes, and where to
    task: RenderPlan,
    source: Source,
    grid: TileGrid,
    read_tiles: ReadTiles,
    jpeg_quality: int,
    sink: Sink,
    kept: KeptTiles | None = None,
) -> None:
    """The same, given to `sink` as it is encoded: what comes before an error is no picture."""
    assembler = Assembler(grid, source.factor, read_tiles, task.quality in _GREY, task.protection, kept)
    try:
        if is_small(task, source):
            scaled = _scaled(_held(assembler, source), task.width, task.height)
            picture = _finished(apply_watermark(_turned(scaled, task), task, grid), task, assembler)
            codecs.encode(picture, task.format, jpeg_quality, task.quality is Quality.BITONAL, sink)
        else:
            _stream(task, source, assembler, jpeg_quality, sink)
    except pyvips.Error as fault:
        raise PyramidCorrupt(key=task.canonical, reason=str(fault).strip()) from fault


def is_small(task: RenderPlan, source: Source) -> bool:
    """Whether a picture is made in memory, in this thread, and quickly."""
    return max(source.box.width * source.box.height, task.width * task.height) < SMALL_PIXELS


def _held(assembler: Assembler, source: Source) -> Any:
    """The box of a level, in memory."""
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
        codecs.stream(picture, task.format, jpeg_quality, task.quality is Quality.BITONAL, checked)
    finally:
        strips.check()


def _quarters(task: RenderPlan) -> int:
    """The quarters of a turn, clockwise; none for a turn by other than quarters."""
    degrees = task.rotation.degrees
    return int(degrees) // 90 % 4 if degrees % 90 == 0 else 0


def _scaled(image: Any, width: int, height: int) -> Any:
    """The whole of an image at another size: by the kernel Lanczos 3 where it shrinks, bicubic where it grows."""
    across, along = width / image.width, height / image.height
    if across < 1 or along < 1:
        image = image.resize(min(across, 1), vscale=min(along, 1))
    return _enlarged(image, width, height) if across > 1 or along > 1 else image


def _enlarged(image: Any, width: int, height: int) -> Any:
    """Grown about the middles of pixels: libvips' own `resize` is half a pixel off when it enlarges (8.18.7)."""
    across, along = width / image.width, height / image.height
    return image.affine(
        [across, 0, 0, along],
        interpolate=pyvips.Interpolate.new("bicubic"),
        oarea=[0, 0, width, height],
        odx=(across - 1) / 2,
        ody=(along - 1) / 2,
        extend="copy",
    )


def _turned(image: Any, task: RenderPlan) -> Any:
    """Mirrored left to right, then turned clockwise by quarters."""
    if task.rotation.mirrored:
        image = image.fliphor()
    turns: dict[int, Callable[[], Any]] = {1: image.rot90, 2: image.rot180, 3: image.rot270}
    quarters = _quarters(task)
    return turns[quarters]() if quarters else image


def _finished(image: Any, task: RenderPlan, assembler: Assembler) -> Any:
    """What is left to do when size and quarters are right: a slant, and black or white."""
    if task.rotation.degrees % 90:
        image = _slant(image.copy_memory(), task.rotation.degrees, task.format not in codecs.OPAQUE)
    if task.quality is not Quality.BITONAL:
        return image
    split = (image[0] >= _threshold(assembler)).copy(interpretation="b-w")
    return split if image.bands == 1 else split.bandjoin((image[1] >= _OPAQUE_ENOUGH).copy(interpretation="b-w"))


_OPAQUE_ENOUGH: Final = 128


def _threshold(assembler: Assembler) -> int:
    """The level from which this image's pixels are white."""
    grid = assembler.grid
    level = grid.levels[-1]
    smallest = assembler._replace(factor=level.scale_factor, grey=True)
    return otsu_threshold(smallest.whole(Box(0, 0, level.width, level.height)))


def _slant(image: Any, degrees: Decimal, transparent: bool) -> Any:
    """Turned clockwise by any angle; the corners left empty are transparent, or white where they cannot be."""
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
