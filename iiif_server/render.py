"""Pixels for requests that no stored tile answers: decode the fewest tiles, crop, scale, turn, encode.

The only user of libvips when serving. Memory for one answer is bounded by its plan (`geometry.choose_source`): the
compressed tiles it needs, at most ``4 * max_area`` pixels of them, are decoded in strips as they are consumed; only an
answer that is mirrored or turned is held whole, at most ``max_area`` pixels of up to four bytes. JPEG and PNG
are given as they are encoded; the others when they are whole, and WebP and GIF hold their whole input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import pyvips

from iiif_server.geometry import Box, RenderPlan, Source, turned
from iiif_server.image_request import Format, Quality
from iiif_server.tile_grid import TileGrid
from repository.errors import PyramidCorrupt

VERSION: Final = 1
"""Goes into every ETag of a rendered answer: to be raised when the same plan gives other bytes."""

MEDIA_TYPES: Final[Mapping[Format, str]] = MappingProxyType(
    {
        Format.JPG: "image/jpeg",
        Format.PNG: "image/png",
        Format.WEBP: "image/webp",
        Format.TIF: "image/tiff",
        Format.GIF: "image/gif",
    }
)

STREAMED: Final = frozenset({Format.JPG, Format.PNG})
"""Encoded as they come; of the others, the whole encoded picture is held, and for WebP and GIF all its pixels."""

_BLACK_OR_WHITE: Final = 128
"""Bitonal threshold: the same for every region, so that neighbouring regions fit together."""

_WHITE: Final = 255

ReadTile = Callable[[int], bytes]
"""The verified bytes of a tile, by its ordinal."""

Sink = Callable[[bytes], object]
"""Takes the encoded picture part by part."""


def edition() -> str:
    """What decides the bytes of a rendered answer besides its plan: this code's version and libvips'."""
    return f"{VERSION} {pyvips.version(0)}.{pyvips.version(1)}.{pyvips.version(2)}"


def use_little_memory() -> None:
    """Switch off libvips' cache of operations: no two answers share any. Called once by a process that serves."""
    pyvips.cache_set_max(0)


def render(task: RenderPlan, source: Source, grid: TileGrid, read_tile: ReadTile, jpeg_quality: int) -> bytes:
    """The encoded picture that `task` describes. Raises `PyramidCorrupt` for tiles that do not decode."""
    encoded = bytearray()
    write(task, source, grid, read_tile, jpeg_quality, encoded.extend)
    return bytes(encoded)


def write(  # noqa: PLR0917 - what `render` takes, and where to
    task: RenderPlan, source: Source, grid: TileGrid, read_tile: ReadTile, jpeg_quality: int, sink: Sink
) -> None:
    """The same, given to `sink` as it is encoded: what comes before an error is no picture."""
    try:
        image = _scaled(_assemble(source, grid, read_tile), task)
        if task.quality in {Quality.GRAY, Quality.BITONAL}:
            image = image.colourspace("b-w")
        image = _turn(image, task)
        if task.quality is Quality.BITONAL:
            image = (image >= _BLACK_OR_WHITE).copy(interpretation=image.interpretation)
        _encode(image, task, jpeg_quality, sink)
    except pyvips.Error as fault:
        raise PyramidCorrupt(key=task.canonical, reason=str(fault).strip()) from fault


def _assemble(source: Source, grid: TileGrid, read_tile: ReadTile) -> Any:
    """The box of a level, joined from the tiles it touches."""
    if source.reduced is None:
        return _from_tiles(source.factor, source.box, grid, read_tile)
    level = grid.levels[-1]
    whole = _from_tiles(source.factor, Box(0, 0, level.width, level.height), grid, read_tile)
    width, height = source.reduced
    return whole.thumbnail_image(width, height=height, size="force").copy_memory().crop(*source.box)


def _from_tiles(factor: int, box: Box, grid: TileGrid, read_tile: ReadTile) -> Any:
    side = grid.tile_size
    columns = range(box.x // side, (box.x + box.width - 1) // side + 1)
    rows = range(box.y // side, (box.y + box.height - 1) // side + 1)
    tiles = [
        pyvips.Image.jpegload_buffer(read_tile(tile_of(factor, column, row, grid)), access="sequential")
        for row in rows
        for column in columns
    ]
    joined = tiles[0]
    if len(tiles) > 1:
        joined = pyvips.Image.arrayjoin(tiles, across=len(columns), hspacing=side, vspacing=side)
    return joined.crop(box.x - columns[0] * side, box.y - rows[0] * side, box.width, box.height)


def tile_of(factor: int, column: int, row: int, grid: TileGrid) -> int:
    """The ordinal of the tile at a place of a level. Raises `PyramidCorrupt` when the grid has no such tile."""
    step = grid.tile_size * factor
    x, y = column * step, row * step
    width, height = min(step, grid.width - x), min(step, grid.height - y)
    ordinal = grid.ordinal_of(x, y, width, height, -(-width // factor), -(-height // factor))
    if ordinal is None:
        raise PyramidCorrupt(key=f"1/{factor}", reason=f"{column}, {row}")
    return ordinal


def _scaled(image: Any, task: RenderPlan) -> Any:
    if (image.width, image.height) == (task.width, task.height):
        return image
    return image.thumbnail_image(task.width, height=task.height, size="force")


def _turn(image: Any, task: RenderPlan) -> Any:
    """Mirrored, then turned clockwise; corners left empty are transparent, or white where they cannot be."""
    degrees, mirrored = task.rotation.degrees, task.rotation.mirrored
    if not mirrored and degrees == 0:
        return image
    image = image.copy_memory()
    if mirrored:
        image = image.fliphor()
    if degrees % 90 == 0:
        quarter: dict[Decimal, str] = {Decimal(90): "rot90", Decimal(180): "rot180", Decimal(270): "rot270"}
        return getattr(image, quarter[degrees])() if degrees else image
    return _slant(image, degrees, task.format is not Format.JPG)


def _slant(image: Any, degrees: Decimal, transparent: bool) -> Any:
    width, height = turned(image.width, image.height, degrees)
    if transparent:
        image = image.addalpha()
    empty = [0] * image.bands if transparent else [_WHITE] * image.bands
    slanted = image.similarity(angle=float(degrees), background=empty)
    return slanted.gravity("centre", width, height, extend="background", background=empty)


def _encode(image: Any, task: RenderPlan, jpeg_quality: int, sink: Sink) -> None:
    two_tone = task.quality is Quality.BITONAL and image.bands == 1
    options: dict[Format, dict[str, object]] = {
        Format.JPG: {"Q": jpeg_quality},
        Format.PNG: {"compression": 4, "bitdepth": 1 if two_tone else 8},
        Format.WEBP: {"Q": jpeg_quality, "effort": 2},
        Format.TIF: {"compression": "deflate", "predictor": "none", "bitdepth": 1 if two_tone else 0},
        Format.GIF: {"effort": 3},
    }
    suffix = f".{task.format.value}"
    if task.format not in STREAMED:
        sink(image.write_to_buffer(suffix, keep="none", **options[task.format]))
        return

    def take(data: Any) -> int:
        sink(data)
        return len(data)

    target = pyvips.TargetCustom()
    target.on_write(take)
    image.write_to_target(target, suffix, keep="none", **options[task.format])
