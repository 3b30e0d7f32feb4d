"""Describes a part of a stored page in a child process."""

from __future__ import annotations

from collections.abc import Sequence

from iiif_server.pyramid.grid import TileGrid
from iiif_server.render.assemble import ReadTiles
from iiif_server.similarity.functions import DESCRIBE_PAGE
from iiif_server.similarity.records import DescribedPicture
from repository.model.work import Rectangle
from repository.sandbox.pool import SandboxPool

Part = tuple[int, int, int, int]
"""A rectangle: x, y, width and height in pixels of the whole image."""


def describe(
    pool: SandboxPool, grid: TileGrid, read: ReadTiles, box: Part, redactions: Sequence[Rectangle]
) -> DescribedPicture:
    """Return the features of a part of a page. Raises `SandboxFailed`, `PyramidCorrupt`, `StoreFault`."""
    return pool.call(DESCRIBE_PAGE, grid.sides, box, parts_of(redactions), respond=read)


def parts_of(redactions: Sequence[Rectangle]) -> list[Part]:
    """Return redactions as a child takes them."""
    return [(each.x, each.y, each.width, each.height) for each in redactions]
