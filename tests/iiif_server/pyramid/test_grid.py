"""The tile grid against the tiles that libvips' dzsave writes."""

from __future__ import annotations

import io
import zipfile
from collections import Counter

import numpy
import pytest
import pyvips
from hypothesis import example, given
from hypothesis import strategies as st

from iiif_server.pyramid.grid import TileGrid

GRIDS = st.integers(1, 70).flatmap(
    lambda tile_size: st.builds(
        TileGrid, st.integers(1, 10 * tile_size), st.integers(1, 10 * tile_size), st.just(tile_size)
    )
)
NUMBERS = st.integers(-3, 1400)

REAL_SIZES = [
    *((width, height, 512) for width in (1, 511, 512, 513) for height in (1, 512, 513)),
    *((width, height, 512) for width in (1023, 1024, 1025) for height in (1023, 1024, 1025)),
    (2049, 2050, 512),
    (2050, 2051, 512),
    (4097, 1, 512),
    (1, 4097, 512),
    (1300, 7, 512),
    (5, 1300, 512),
    (3000, 17, 256),
    (300, 301, 64),
    (257, 129, 64),
    (131, 131, 65),
    (333, 777, 100),
]


def names_by_dzsave(width: int, height: int, tile_size: int) -> list[str]:
    image = pyvips.Image.black(width, height)
    written = image.dzsave_buffer(layout="iiif3", tile_size=tile_size, overlap=0, imagename="", suffix=".jpg")
    names = zipfile.ZipFile(io.BytesIO(written)).namelist()
    return [name for name in names if name.endswith("default.jpg")]


@pytest.mark.parametrize(("width", "height", "tile_size"), REAL_SIZES)
def test_grid_has_exactly_the_tiles_of_dzsave(width: int, height: int, tile_size: int) -> None:
    grid = TileGrid(width, height, tile_size)
    written = Counter(names_by_dzsave(width, height, tile_size))
    assert sorted(written) == sorted(grid.names())
    assert written.total() - len(written) == grid.repeats


@pytest.mark.parametrize(
    ("size", "scale_factors", "count"),
    [
        ((1, 1, 512), (1,), 1),
        ((512, 512, 512), (1,), 1),
        ((513, 512, 512), (1, 2), 3),
        ((1024, 1024, 512), (1, 2), 5),
        ((1025, 1024, 512), (1, 2, 4), 9),
        ((1025, 1025, 512), (1, 2, 4), 13),
        ((12000, 9000, 512), (1, 2, 4, 8, 16, 32), 584),
        (
            (6300, 224_490, 512),
            (1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
            5707 + 1540 + 440 + 110 + 28 + 14 + 7 + 4 + 2 + 1,
        ),
    ],
)
def test_grid_counts_levels_and_tiles(size: tuple[int, int, int], scale_factors: tuple[int, ...], count: int) -> None:
    grid = TileGrid(*size)
    assert grid.scale_factors == scale_factors
    assert grid.tiles == [{"width": 512, "height": 512, "scaleFactors": list(scale_factors)}]
    assert grid.count == count


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        ((0, 0, 512, 7, 512, 7), "0,0,512,7/512,7/0/default.jpg"),
        ((1024, 0, 276, 7, 276, 7), "1024,0,276,7/276,7/0/default.jpg"),
        ((1024, 0, 276, 7, 138, 4), "1024,0,276,7/138,4/0/default.jpg"),
        ((0, 0, 1300, 7, 325, 2), "full/325,2/0/default.jpg"),
    ],
)
def test_edge_tiles_have_their_exact_size_and_the_whole_image_is_full(request_: tuple[int, ...], name: str) -> None:
    grid = TileGrid(1300, 7, 512)
    ordinal = grid.ordinal_of(*request_)
    assert ordinal is not None
    assert grid.name_of(ordinal) == name


@given(GRIDS)
@example(TileGrid(129, 130, 32))
def test_names_and_ordinals_of_tiles_are_unique(grid: TileGrid) -> None:
    names = list(grid.names())
    assert len(set(names)) == len(names) == grid.count
    assert names == [grid.name_of(ordinal) for ordinal in range(grid.count)]
    assert [grid.ordinal_of(*grid.request_of(ordinal)) for ordinal in range(grid.count)] == list(range(grid.count))


@given(GRIDS)
def test_tiles_of_a_level_cover_it_without_gap_or_overlap(grid: TileGrid) -> None:
    for index, level in enumerate(grid.levels):
        last = grid.levels[index + 1].first if index + 1 < len(grid.levels) else grid.count
        painted = numpy.zeros((level.height, level.width), int)
        for ordinal in range(level.first, last):
            x, y, w, h, out_w, out_h = grid.request_of(ordinal)
            assert x % level.scale_factor == y % level.scale_factor == 0
            left, top = x // level.scale_factor, y // level.scale_factor
            painted[top : top + out_h, left : left + out_w] += 1
            assert -(-w // level.scale_factor) == out_w <= grid.tile_size
            assert -(-h // level.scale_factor) == out_h <= grid.tile_size
        if last - level.first < level.columns * level.rows:  # the corner pixel, which the level before names already
            painted[-1, -1] += 1
        assert (painted == 1).all()
    assert (grid.levels[-1].columns, grid.levels[-1].rows) == (1, 1)


@given(GRIDS, st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS))
def test_ordinal_of_is_the_inverse_of_request_of(grid: TileGrid, request_: tuple[int, ...]) -> None:
    ordinal = grid.ordinal_of(*request_)
    assert ordinal is None or grid.request_of(ordinal) == request_


@given(GRIDS, st.data())
def test_request_that_differs_by_one_pixel_is_not_a_tile(grid: TileGrid, data: st.DataObject) -> None:
    ordinal = data.draw(st.integers(0, grid.count - 1))
    numbers = list(grid.request_of(ordinal))
    numbers[data.draw(st.integers(0, 5))] += data.draw(st.sampled_from([-1, 1]))
    assert grid.ordinal_of(*numbers) != ordinal


def test_corner_of_two_levels_is_the_tile_of_the_smaller_factor() -> None:
    grid = TileGrid(1025, 1025, 512)
    assert grid.repeats == 1
    assert grid.ordinal_of(1024, 1024, 1, 1, 1, 1) == 8
    assert sum(name.startswith("1024,1024,1,1/") for name in grid.names()) == 1


@pytest.mark.parametrize("size", [(0, 1, 512), (1, 0, 512), (1, 1, 0), (-1, 1, 1)])
def test_grid_refuses_sides_below_one(size: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no grid"):
        TileGrid(*size)


@pytest.mark.parametrize("ordinal", [-1, 9])
def test_ordinal_beyond_the_grid_is_refused(ordinal: int) -> None:
    grid = TileGrid(1025, 1024, 512)
    with pytest.raises(IndexError):
        grid.name_of(ordinal)
