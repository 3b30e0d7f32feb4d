"""A box of one level of a pyramid, put together from the tiles it touches: at once, or strip by strip."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy

from iiif_server.pyramid.grid import Box, TileGrid
from iiif_server.render.codecs import Pixels, decode_tile
from iiif_server.render.decoded_cache import KeptTiles
from iiif_server.request.protection import Protection
from repository.errors import PyramidCorrupt

ReadTiles = Callable[[Sequence[int]], list[bytes]]
"""The verified bytes of tiles, by their ordinals, in the order asked."""


class _Piece(NamedTuple):
    """A tile, and where its upper left corner lies in a box."""

    ordinal: int
    x: int
    y: int


class Assembler(NamedTuple):
    """Puts together boxes of the level that is `factor` times smaller than the image; grey ones when `grey`.

    What `protection` hides of the image is black in every box. Tiles that are `kept` are not read again.
    """

    grid: TileGrid
    factor: int
    read_tiles: ReadTiles
    grey: bool
    protection: Protection = Protection()
    kept: KeptTiles | None = None

    def whole(self, box: Box) -> Pixels:
        """The pixels of a box. Memory: those pixels, one tile's, and the tiles' bytes; and what `kept` keeps.

        Raises `PyramidCorrupt` for a tile that is not what the grid says, and what `read_tiles` raises.
        """
        side = self.grid.tile_size
        pieces = [
            _Piece(tile_of(self.factor, column, row, self.grid), column * side - box.x, row * side - box.y)
            for row in range(box.y // side, (box.y + box.height - 1) // side + 1)
            for column in range(box.x // side, (box.x + box.width - 1) // side + 1)
        ]
        canvas: Pixels | None = None
        for piece, tile in self._decoded(pieces, box.height):
            if canvas is None:
                canvas = numpy.empty((box.height, box.width, *tile.shape[2:]), numpy.uint8)
            _lay(tile, canvas, piece.x, piece.y)
        if canvas is None:
            raise PyramidCorrupt(key=f"1/{self.factor}", reason=str(box))
        for part in self.protection.parts(self.factor, box):
            canvas[part.y : part.y + part.height, part.x : part.x + part.width] = 0
        return canvas

    def _decoded(self, pieces: list[_Piece], bottom: int) -> Iterator[tuple[_Piece, Pixels]]:
        """Tiles that lie above `bottom`, at least as far down as that; each to be used before the next."""
        missing: list[tuple[_Piece, int]] = []
        for piece in pieces:
            rows = bottom - piece.y
            height = self.grid.request_of(piece.ordinal)[-1]
            tile = self.kept.get(piece.ordinal, self.grey) if self.kept else None
            if tile is not None and len(tile) >= min(rows, height):
                yield piece, tile
            else:
                missing.append((piece, rows if tile is None else height))
        scratch: Pixels | None = None
        read = self.read_tiles([piece.ordinal for piece, _ in missing]) if missing else []
        for (piece, rows), data in zip(missing, read, strict=True):
            *_, width, height = self.grid.request_of(piece.ordinal)
            if self.kept and self.kept.admits(piece.ordinal, self.grey):
                tile = decode_tile(data, (height, width), self.grey, rows)
                self.kept.put(piece.ordinal, self.grey, tile)
            else:
                tile = scratch = decode_tile(data, (height, width), self.grey, rows, scratch)
            yield piece, tile

    def strips(self, box: Box, quarters: int, mirrored: bool) -> Iterator[Pixels]:
        """The box mirrored left to right, then turned clockwise by `quarters` of a turn, from its top to its bottom.

        Each strip is as high as the tiles it is made of; memory is a few strips', never the box's.
        """
        for part in _parts(box, self.grid.tile_size, quarters, mirrored):
            pixels = self.whole(part)
            if mirrored:
                pixels = pixels[:, ::-1]
            yield numpy.ascontiguousarray(numpy.rot90(pixels, -quarters))


def tile_of(factor: int, column: int, row: int, grid: TileGrid) -> int:
    """The ordinal of the tile at a place of a level. Raises `PyramidCorrupt` when the grid has no such tile."""
    step = grid.tile_size * factor
    x, y = column * step, row * step
    width, height = min(step, grid.width - x), min(step, grid.height - y)
    ordinal = grid.ordinal_of(x, y, width, height, -(-width // factor), -(-height // factor))
    if ordinal is None:
        raise PyramidCorrupt(key=f"1/{factor}", reason=f"{column}, {row}")
    return ordinal


def _lay(tile: Pixels, canvas: Pixels, x: int, y: int) -> None:
    """Copy a tile onto the canvas with its upper left corner at a place, which may lie outside."""
    left, top = max(0, -x), max(0, -y)
    right, bottom = min(tile.shape[1], canvas.shape[1] - x), min(tile.shape[0], canvas.shape[0] - y)
    canvas[y + top : y + bottom, x + left : x + right] = tile[top:bottom, left:right]


def _parts(box: Box, side: int, quarters: int, mirrored: bool) -> list[Box]:
    """The box cut along the tiles' edges, into what becomes its strips once it is turned, in their order."""
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
    """Start and length of each piece of a line between multiples of `side`."""
    end = start + length
    edges = [start, *range((start // side + 1) * side, end, side), end]
    return [(edges[index], edges[index + 1] - edges[index]) for index in range(len(edges) - 1)]
