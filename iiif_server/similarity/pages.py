"""Reads what the search needs of a stored page: verified tiles, for a child that asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from isal import isal_zlib

from iiif_server.pyramid.file import read_directory
from iiif_server.pyramid.grid import TileGrid
from iiif_server.render.assemble import ReadTiles
from iiif_server.similarity.functions import DESCRIBE_PAGE
from iiif_server.similarity.records import DescribedPicture
from repository.errors import PyramidCorrupt
from repository.model.work import Pyramid, Rectangle
from repository.sandbox.frames import FrameInvalid
from repository.sandbox.functions import Result, SandboxFunction
from repository.sandbox.pool import SandboxPool
from repository.storage.store import ObjectStore

Part = tuple[int, int, int, int]
"""A rectangle: x, y, width and height in pixels of the whole image."""


def open_tiles(store: ObjectStore, pyramid: Pyramid) -> tuple[TileGrid, ReadTiles]:
    """Return the grid of a pyramid, and a function that reads its tiles. Raises `PyramidCorrupt`, `StoreFault`."""
    directory = read_directory(partial(store.read_range, pyramid.key), pyramid.key)
    if directory.fingerprint != pyramid.fingerprint:
        raise PyramidCorrupt(key=pyramid.key, reason=f"{directory.fingerprint} ≠ {pyramid.fingerprint}")

    def read(ordinals: Sequence[int]) -> list[bytes]:
        if len(ordinals) > directory.grid.count or not all(0 <= each < directory.grid.count for each in ordinals):
            raise FrameInvalid("tiles that the image does not have")
        return [read_tile(*directory.locate(ordinal)) for ordinal in ordinals]

    def read_tile(offset: int, length: int, crc: int) -> bytes:
        tile = store.read_range(pyramid.key, offset, length)
        if isal_zlib.crc32(tile) != crc:
            raise PyramidCorrupt(key=pyramid.key, reason=f"CRC-32, {offset} + {length}")
        return tile

    return directory.grid, read


def describe(
    pool: SandboxPool, grid: TileGrid, read: ReadTiles, box: Part, redactions: Sequence[Rectangle]
) -> DescribedPicture:
    """Return the features of a part of a page. Raises `SandboxFailed`, `PyramidCorrupt`, `StoreFault`."""
    return run(pool, DESCRIBE_PAGE, sides_of(grid), box, parts_of(redactions), respond=read)


def run(pool: SandboxPool, function: SandboxFunction[Result], *arguments: object, respond: ReadTiles) -> Result:
    """Return the result of a session that sends no chunks. Raises as `SandboxPool.open_session` does."""
    with pool.open_session(function, *arguments, respond=respond) as session:
        for _ in session:
            raise FrameInvalid("a chunk")
    result: Result = session.result
    return result


def sides_of(grid: TileGrid) -> Part | tuple[int, int, int]:
    """Return the sides that define a grid: width, height and tile size."""
    return grid.width, grid.height, grid.tile_size


def parts_of(redactions: Sequence[Rectangle]) -> list[Part]:
    """Return redactions as a child takes them."""
    return [(each.x, each.y, each.width, each.height) for each in redactions]
