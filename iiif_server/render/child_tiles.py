"""Gives a child process the tiles of one stored image: verified, and of its grid only."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from isal import isal_zlib

from iiif_server.pyramid.file import read_directory
from iiif_server.pyramid.grid import TileGrid
from repository.errors import PyramidCorrupt
from repository.model.work import Pyramid
from repository.sandbox.frames import FrameInvalid
from repository.storage.store import ObjectStore

if TYPE_CHECKING:
    from iiif_server.render.assemble import ReadTiles  # which loads NumPy


def open_tiles(store: ObjectStore, pyramid: Pyramid) -> tuple[TileGrid, ReadTiles]:
    """Return the grid of a pyramid, and a function that reads its tiles. Raises `PyramidCorrupt`, `StoreFault`."""
    directory = read_directory(partial(store.read_range, pyramid.key), pyramid.key)
    if directory.fingerprint != pyramid.fingerprint:
        raise PyramidCorrupt(key=pyramid.key, reason=f"{directory.fingerprint} ≠ {pyramid.fingerprint}")

    def read(ordinals: Sequence[int]) -> list[bytes]:
        return [read_tile(*directory.locate(ordinal)) for ordinal in ordinals]

    def read_tile(offset: int, length: int, crc: int) -> bytes:
        tile = store.read_range(pyramid.key, offset, length)
        if isal_zlib.crc32(tile) != crc:
            raise PyramidCorrupt(key=pyramid.key, reason=f"CRC-32, {offset} + {length}")
        return tile

    return directory.grid, read_of_grid(read, directory.grid)


def read_of_grid(read: ReadTiles, grid: TileGrid) -> ReadTiles:
    """Return `read` for a child, which is not believed: it may ask for tiles of the grid only."""

    def checked(ordinals: Sequence[int]) -> list[bytes]:
        if len(ordinals) > grid.count or not all(0 <= ordinal < grid.count for ordinal in ordinals):
            raise FrameInvalid("tiles that the image does not have")
        return read(ordinals)

    return checked
