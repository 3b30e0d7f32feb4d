"""Boxes of one level of a pyramid, assembled from the tiles they touch: whole, or strip by strip."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy

from iiif_server.pyramid.grid import Box, TileGrid
from iiif_server.render.codecs import Pixels, decode_tile
from iiif_server.render.decoded_cache import CachedTiles
from iiif_server.request.protection import Protection
from repository.errors import PyramidCorrupt

ReadTiles = Callable[[Sequence[int]], list[bytes]]
"""Returns the verified bytes of tiles, by their ordinals, in the given order."""


class _Placement(NamedTuple):
    """A tile, and the position of its upper left corner in a box."""

    ordinal: int
    x: int
    y: int


class Assembler(NamedTuple):
    """Assembles boxes of the level that is `factor` times smaller than the image; grey ones when `grey`.

    What `protection` hides is black in every box. Tiles in `cache` are not read again.
    """

    grid: TileGrid
    factor: int
    read_tiles: ReadTiles
    grey: bool
    protection: Protection = Protection()
    cache: CachedTiles | None = None

    def whole(self, box: Box) -> Pixels:
        """Return the pixels of a box. Memory: those pixels, one tile's, the tiles' bytes, and the cache.

        Raises `PyramidCorrupt` for a tile that does not have the shape that the grid demands, and what `read_tiles`
        raises.
        """
        side = self.grid.tile_size
        pieces = [
            _Placement(tile_of(self.factor, column, row, self.grid), column * side - box.x, row * side - box.y)
            for row in range(box.y // side, (box.y + box.height - 1) // side + 1)
            for column in range(box.x // side, (box.x + box.width - 1) // side + 1)
        ]
        canvas: Pixels | None = None
        for piece, tile in self._decoded(pieces, box.height):
            if canvas is None:
                canvas = numpy.empty((box.height, box.width, *tile.shape[2:]), numpy.uint8)
            _paste(tile, canvas, piece.x, piece.y)
        if canvas is None:
            raise PyramidCorrupt(key=f"1/{self.factor}", reason=str(box))
        for part in self.protection.parts(self.factor, box):
            canvas[part.y : part.y + part.height, part.x : part.x + part.width] = 0
        return canvas

    def _decoded(self, pieces: list[_Placement], bottom: int) -> Iterator[tuple[_Placement, Pixels]]:
        """Yield the tiles, decoded at least down to row `bottom` of the box. Use each before asking for the next."""
        missing: list[tuple[_Placement, int]] = []
        for piece in pieces:
            rows = bottom - piece.y
            height = self.grid.request_of(piece.ordinal)[-1]
            tile = self.cache.get(piece.ordinal, self.grey) if self.cache else None
            if tile is not None and len(tile) >= min(rows, height):
                yield piece, tile
            else:
                missing.append((piece, rows if tile is None else height))
        scratch: Pixels | None = None
        read = self.read_tiles([piece.ordinal for piece, _ in missing]) if missing else []
        for (piece, rows), data in zip(missing, read, strict=True):
            *_, width, height = self.grid.request_of(piece.ordinal)
            if self.cache and self.cache.admits(piece.ordinal, self.grey):
                tile = decode_tile(data, (height, width), self.grey, rows)
                self.cache.put(piece.ordinal, self.grey, tile)
            else:
                tile = scratch = decode_tile(data, (height, width), self.grey, rows, scratch)
            yield piece, tile

    def strips(self, box: Box, quarters: int, mirrored: bool) -> Iterator[Pixels]:
        """Yield strips of the box from the top, mirrored left to right, then rotated clockwise.

        `quarters` counts rotations by 90 degrees. Each strip is as high as the tiles it is made of. Memory is that of a
        few strips, never of the whole box.
        """
        for part in _parts(box, self.grid.tile_size, quarters, mirrored):
            pixels = self.whole(part)
            if mirrored:
                pixels = pixels[:, ::-1]
            yield numpy.ascontiguousarray(numpy.rot90(pixels, -quarters))


def tile_of(factor: int, column: int, row: int, grid: TileGrid) -> int:
    """Return the ordinal of the tile at a column and row of a level. Raises `PyramidCorrupt` when there is none."""
    step = grid.tile_size * factor
    x, y = column * step, row * step
    width, height = min(step, grid.width - x), min(step, grid.height - y)
    ordinal = grid.ordinal_of(x, y, width, height, -(-width // factor), -(-height // factor))
    if ordinal is None:
        raise PyramidCorrupt(key=f"1/{factor}", reason=f"{column}, {row}")
    return ordinal


def _paste(tile: Pixels, canvas: Pixels, x: int, y: int) -> None:
    """Copy a tile into the canvas with its upper left corner at a position, which may be outside."""
    left, top = max(0, -x), max(0, -y)
    right, bottom = min(tile.shape[1], canvas.shape[1] - x), min(tile.shape[0], canvas.shape[0] - y)
    canvas[y + top : y + bottom, x + left : x + right] = tile[top:bottom, left:right]


def _parts(box: Box, side: int, quarters: int, mirrored: bool) -> list[Box]:
    """Return the box cut along the edges of tiles into the parts that become strips after rotation, in their order."""
    if quarters % 2 == 0:
        cuts = _cuts(box.y, box.height, side)
        parts = [Box(box.x, start, box.width, length) for start, length in cuts]
        backwards = quarters == 2
    else:
        cuts = _cuts(box.x, box.width, side)
        parts = [Box(start, box.y, length, box.height) for start, length in cuts]
        backwards = (quarters == 3) != mirrored
    return parts[::-1] if backwards else parts


def _cuts(start: int, length: int, side: int) -> list[tuple[int, int]]:
    """Return start and length of each piece of a line, cut at the multiples of `side`."""
    end = start + length
    edges = [start, *range((start // side + 1) * side, end, side), end]
    return [(edges[index], edges[index + 1] - edges[index]) for index in range(len(edges) - 1)]
