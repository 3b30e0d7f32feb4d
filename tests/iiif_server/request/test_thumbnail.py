"""Thumbnails state the size that the image service returns for their address."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iiif_server.pyramid.grid import TileGrid
from iiif_server.request.geometry import plan
from iiif_server.request.grammar import parse
from iiif_server.request.limits import ImageLimits
from iiif_server.request.thumbnail import PictureRequest, cover, fitted, thumbnail

MAX_AREA = 64_000_000
OPEN = ImageLimits(MAX_AREA)
SIDES = st.one_of(st.integers(1, 5000), st.integers(1, 200_000))


def pictures(grid: TileGrid, limits: ImageLimits, side: int = 1600) -> list[PictureRequest]:
    """Every kind of picture of one image."""
    covers = [cover(grid, limits, from_right=from_right) for from_right in (True, False)]
    return [thumbnail(grid, limits), fitted(grid, side, limits), *covers]


@given(SIDES, SIDES, st.sampled_from([64, 256, 512, 1024]), st.none() | st.integers(1, 4000), st.integers(1, 4000))
@example(width=150, height=1000, tile_size=512, max_size=None, side=1600)
@example(width=1, height=5000, tile_size=512, max_size=None, side=1600)
@example(width=1, height=5000, tile_size=512, max_size=300, side=1600)
@example(width=120_000, height=1500, tile_size=512, max_size=None, side=1600)
@example(width=120_000, height=1500, tile_size=512, max_size=800, side=1600)
@example(width=1025, height=1025, tile_size=512, max_size=None, side=257)
def test_stated_size_is_the_size_of_the_planned_picture(
    width: int, height: int, tile_size: int, max_size: int | None, side: int
) -> None:
    grid, limits = TileGrid(width, height, tile_size), ImageLimits(MAX_AREA, max_size)
    for picture in pictures(grid, limits, side):
        task = plan(parse(picture.request), grid, limits)
        assert (task.width, task.height) == (picture.width, picture.height)
        assert task.canonical == picture.request


@given(SIDES, SIDES, st.integers(1, 10_000))
def test_picture_stays_within_a_small_maximum_area(width: int, height: int, max_area: int) -> None:
    grid, limits = TileGrid(width, height, 512), ImageLimits(max_area)
    for picture in pictures(grid, limits):
        task = plan(parse(picture.request), grid, limits)
        assert (task.width, task.height) == (picture.width, picture.height)
        assert picture.width * picture.height <= max_area


@given(SIDES, SIDES, st.sampled_from([64, 256, 512]))
def test_thumbnail_is_a_stored_tile(width: int, height: int, tile_size: int) -> None:
    grid = TileGrid(width, height, tile_size)
    picture = thumbnail(grid, OPEN)
    assert max(picture.width, picture.height) <= tile_size
    assert plan(parse(picture.request), grid, OPEN).tile is not None


@given(SIDES, SIDES, st.integers(1, 2000))
def test_reduced_access_is_never_exceeded(width: int, height: int, allowed: int) -> None:
    for picture in pictures(TileGrid(width, height, 512), ImageLimits(MAX_AREA, allowed)):
        assert 1 <= min(picture.width, picture.height) <= max(picture.width, picture.height) <= allowed


def test_thumbnail_of_a_small_image_is_the_image() -> None:
    assert thumbnail(TileGrid(60, 80, 512), OPEN) == ("full/max/0/default.jpg", 60, 80)


@pytest.mark.parametrize(("from_right", "left"), [(True, 30000 - 3000), (False, 0)])
def test_cover_of_a_scroll_is_a_detail_of_its_beginning(from_right: bool, left: int) -> None:
    picture = cover(TileGrid(30000, 1500, 512), OPEN, from_right=from_right)
    assert picture == (f"{left},0,3000,1500/400,200/0/default.jpg", 400, 200)


def test_cover_of_a_narrow_strip_is_not_enlarged() -> None:
    assert cover(TileGrid(150, 1000, 512), OPEN, from_right=True) == ("0,0,150,300/max/0/default.jpg", 150, 300)
