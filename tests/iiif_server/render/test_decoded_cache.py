"""The cache of decoded tiles changes what is read and decoded, never an answer."""

from __future__ import annotations

from dataclasses import replace

import numpy
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from tiled_picture import OPEN, TiledPicture

from iiif_server.pyramid.grid import Box
from iiif_server.render.assemble import Assembler
from iiif_server.render.decoded_cache import CachedTiles, DecodedTiles
from iiif_server.render.pipeline import render
from iiif_server.request.geometry import choose_source, plan
from iiif_server.request.grammar import parse
from iiif_server.request.protection import Protection
from repository.model.work import Pyramid

pytestmark = pytest.mark.slow

PYRAMID = Pyramid("pyramids/1.zip", "0" * 64, 1, 128)
ALL = 1 << 30


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> TiledPicture:
    noise = pyvips.Image.gaussnoise(700, 500, mean=150, sigma=40, seed=3)
    colours = noise.bandjoin([noise.rot180(), noise.fliphor()]).cast("uchar").copy(interpretation="srgb")
    return TiledPicture.of(colours, tmp_path_factory.mktemp("noise"))


def answered(held: TiledPicture, text: str, cache: CachedTiles | None) -> bytes:
    task = plan(parse(text), held.grid, OPEN)
    return render(task, choose_source(task, held.grid, OPEN), held.grid, held.tiles, 80, cache)


regions = st.tuples(st.integers(0, 600), st.integers(0, 400), st.integers(20, 700), st.integers(20, 500))


@settings(deadline=None, max_examples=15)
@given(
    boxes=st.lists(regions, min_size=4, max_size=12),
    qualities=st.lists(st.sampled_from(["default", "gray", "bitonal"]), min_size=12, max_size=12),
    budget=st.sampled_from([0, 200_000, ALL]),
)
def test_rendering_does_not_depend_on_the_cache(
    held: TiledPicture, boxes: list[tuple[int, int, int, int]], qualities: list[str], budget: int
) -> None:
    cache = DecodedTiles(budget).of(PYRAMID)
    for (x, y, w, h), quality in zip(boxes, qualities, strict=False):
        text = f"{x},{y},{w},{h}/^90,80/0/{quality}.png"
        assert answered(held, text, cache) == answered(held, text, None)


def test_tile_is_decoded_again_only_when_more_rows_are_needed(held: TiledPicture) -> None:
    cache = DecodedTiles().of(PYRAMID)
    reads = []
    for rows in (30, 20, 100, 128, 128):
        held.read.clear()
        answered(held, f"0,0,100,{rows}/50,10/0/default.png", cache)
        reads.append(len(held.read))
    assert reads[0] == 1
    assert reads[1] == 0
    assert sum(reads[2:]) == 1


def test_cache_is_independent_of_redactions(held: TiledPicture) -> None:
    cache = DecodedTiles().of(PYRAMID)
    box, hidden = Box(0, 0, 200, 200), Protection((Box(50, 50, 60, 60),))
    plain = Assembler(held.grid, 1, held.tiles, False)
    for _ in range(2):
        shown = plain._replace(cache=cache, protection=hidden).whole(box)
        assert not shown[50:110, 50:110].any()
        assert numpy.array_equal(plain._replace(cache=cache).whole(box), plain.whole(box))


def test_cache_distinguishes_pyramids_and_fingerprints() -> None:
    tiles = DecodedTiles()
    tiles.of(PYRAMID).put(3, False, numpy.ones((8, 8, 3), numpy.uint8))
    assert tiles.of(PYRAMID).get(3, False) is not None
    assert tiles.of(PYRAMID).get(3, True) is None
    for other in (replace(PYRAMID, fingerprint="1" * 64), replace(PYRAMID, key="pyramids/2.zip")):
        assert tiles.of(other).get(3, False) is None


def test_cache_stays_within_its_budget_and_its_tiles_are_read_only() -> None:
    tiles = DecodedTiles(10_000)
    for ordinal in range(50):
        tiles.of(PYRAMID).put(ordinal, False, numpy.zeros((30, 30, 3), numpy.uint8))
    found = [tile for ordinal in range(50) if (tile := tiles.of(PYRAMID).get(ordinal, False)) is not None]
    assert 2 <= len(found) <= 3
    with pytest.raises(ValueError, match="read-only"):
        found[0][0, 0] = 1


def test_tiles_requested_once_evict_little(held: TiledPicture) -> None:
    picture = Box(0, 0, 700, 500)
    tiles = DecodedTiles(700 * 500 * 3)
    first = Assembler(held.grid, 1, held.tiles, False, cache=tiles.of(PYRAMID))
    pixels = first.whole(picture)
    first._replace(cache=tiles.of(replace(PYRAMID, key="pyramids/2.zip"))).whole(picture)
    held.read.clear()
    assert numpy.array_equal(first.whole(picture), pixels)
    assert len(held.read) <= held.grid.levels[0].columns * held.grid.levels[0].rows // 2
