"""What requests cost: stored tiles nothing, whatever the spelling; a quick request is a small one."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iiif_server.pyramid.grid import TileGrid
from iiif_server.request.cost import SLOW_ABOVE, cost, is_slow
from iiif_server.request.geometry import RenderPlan, Source, choose_source, plan
from iiif_server.request.grammar import ApiVersion, parse
from iiif_server.request.limits import ImageLimits
from repository.errors import CallError

UNLIMITED = ImageLimits(10**12)
QUICK_PIXELS = 10_000_000
"""The most pixels of a quick answer: `SLOW_ABOVE` divided by the cost of encoding a pixel of JPEG."""


def planned(text: str, version: ApiVersion, grid: TileGrid) -> tuple[RenderPlan, Source]:
    task = plan(parse(text, version), grid, UNLIMITED)
    return task, choose_source(task, grid, UNLIMITED)


def spellings_of_tile(grid: TileGrid, ordinal: int) -> list[tuple[ApiVersion, str]]:
    """A tile as OpenSeadragon asks for it in 2.x, in the canonical form of 2.1, and by its own name."""
    x, y, w, h, out_w, out_h = grid.request_of(ordinal)
    whole = w == grid.width and h == grid.height
    region = "full" if whole else f"{x},{y},{w},{h}"
    size = "full" if (out_w, out_h) == (w, h) and w == grid.width else f"{out_w},"
    exact = f"{region}/{out_w},{out_h}/0/default.jpg"
    return [(ApiVersion.TWO, f"{region}/{size}/0/default.jpg"), (ApiVersion.TWO, exact), (ApiVersion.THREE, exact)]


def assert_tile_costs_nothing(grid: TileGrid, ordinal: int) -> None:
    for version, text in spellings_of_tile(grid, ordinal):
        task, source = planned(text, version, grid)
        if task.tile is None:  # these two mean the whole image at full size, which has many tiles
            assert text in {"full/full/0/default.jpg", f"full/{grid.width},/0/default.jpg"}
            continue
        assert cost(task, source) == 0, text
        assert not is_slow(task._replace(tile=None), source), f"{text}, rendered because of a watermark"


@given(st.integers(1, 100_000), st.integers(1, 65_000), st.sampled_from([128, 256, 512]), st.integers(0, 1 << 30))
@example(1, 129, 128, 140)
def test_no_tile_is_costly_however_viewers_spell_it(width: int, height: int, side: int, number: int) -> None:
    grid = TileGrid(width, height, side)
    assert_tile_costs_nothing(grid, number % grid.count)


@pytest.mark.parametrize("size", [(5_003, 7_001), (1_025, 1_027), (300, 40_000), (40_000, 300), (9_999, 10_001)])
def test_no_tile_of_a_whole_image_is_costly(size: tuple[int, int]) -> None:
    grid = TileGrid(*size, 512)
    for ordinal in range(grid.count):
        assert_tile_costs_nothing(grid, ordinal)


numbers = st.integers(1, 6).flatmap(lambda digits: st.integers(10 ** (digits - 1), 10**digits - 1))
sizes = st.sampled_from(["{w},", "{w},{w}", "full", "max", ",{w}", "^{w},"])
ends = st.sampled_from(["0/default.jpg", "90/default.jpg", "17/default.jpg", "!0/gray.png", "0/bitonal.gif"])


@given(numbers, numbers, st.integers(1, 1600), sizes, ends, st.sampled_from(ApiVersion))
@example(5000, 2001, 1, "max", "0/default.jpg", ApiVersion.THREE)
def test_quick_request_has_few_pixels(
    width: int, height: int, wide: int, form: str, end: str, version: ApiVersion
) -> None:
    grid = TileGrid(1_000_000, 1_000_000, 512)
    try:
        task, source = planned(f"0,0,{width},{height}/{form.format(w=wide)}/{end}", version, grid)
    except CallError:
        return
    if not is_slow(task, source):
        assert task.width * task.height <= QUICK_PIXELS
        assert source.box.width * source.box.height <= SLOW_ABOVE


@pytest.mark.parametrize(
    ("text", "pixels"),
    [
        ("0,0,100,100/max/0/default.jpg", 10_000 + 0.4 * 10_000),
        ("0,0,100,100/50,50/0/default.jpg", 2_500 + 0.4 * 2_500),
        ("0,0,100,100/max/0/default.png", 10_000 + 2 * 10_000),
        ("0,0,100,100/max/0/default.avif", 10_000 + 20 * 10_000),
        ("0,0,100,200/max/90/default.jpg", 20_000 + 0.4 * 20_000),
        ("0,0,100,100/max/45/default.jpg", 10_000 + 3.4 * 142 * 142),
    ],
)
def test_cost_counts_pixels_decoded_and_pixels_encoded(text: str, pixels: float) -> None:
    task, source = planned(text, ApiVersion.THREE, TileGrid(4_000, 3_000, 512))
    assert cost(task, source) == pytest.approx(pixels)
