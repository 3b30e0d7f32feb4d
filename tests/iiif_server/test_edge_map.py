"""Which requests the edge takes for costly: deploy/nginx.conf as nginx reads it. test_edge.py asks nginx itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iiif_server.pyramid.grid import TileGrid
from iiif_server.request.geometry import ImageLimits, plan
from iiif_server.request.grammar import ApiVersion, parse
from repository.errors import CallError

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "nginx.conf"
_MAP = CONFIGURATION.read_text("utf-8").partition("map $uri $costly {")[2].partition("}\n    limit_req")[0]
RULES = [
    (re.compile(rule.removeprefix("~")), value != '""')
    for rule, value in re.findall(r'^\s*"?(~.+?)"?\s+(""|\$binary_remote_addr);$', _MAP, flags=re.MULTILINE)
]
AT_MOST = 10_000_000


def costly(path: str) -> bool:
    """What the first rule that fits says of a path."""
    return next((costs for rule, costs in RULES if rule.search(path)), False)


def tile_of_viewers(grid: TileGrid, ordinal: int) -> list[str]:
    """How viewers ask for a tile: OpenSeadragon's source for 2.x, the canonical form of 2.1 and the tile's own name."""
    x, y, w, h, out_w, out_h = grid.request_of(ordinal)
    whole = w == grid.width and h == grid.height
    place = "full" if whole else f"{x},{y},{w},{h}"
    size = "full" if (out_w, out_h) == (w, h) and w == grid.width else f"{out_w},"
    return [f"2/i/{place}/{size}", f"2/i/{place}/{out_w},{out_h}", f"3/i/{place}/{out_w},{out_h}"]


def test_the_rules_are_read() -> None:
    assert len(RULES) == 11
    assert costly("/iiif/image/3/i/full/max/0/default.jpg")
    assert not costly("/iiif/image/2/i/info.json")


@given(
    st.integers(1, 100_000),
    st.integers(1, 65_000),
    st.sampled_from([128, 256, 512]),
    st.integers(0, 1 << 30),
)
def test_no_tile_is_costly_however_viewers_spell_it(width: int, height: int, side: int, number: int) -> None:
    grid = TileGrid(width, height, side)
    for request in tile_of_viewers(grid, number % grid.count):
        if request != "2/i/full/full" and request != f"2/i/full/{width},":
            assert not costly(f"/iiif/image/{request}/0/default.jpg"), (width, height, side, request)


@pytest.mark.parametrize("size", [(5_003, 7_001), (1_025, 1_027), (300, 40_000), (40_000, 300), (9_999, 10_001)])
def test_no_tile_of_a_whole_image_is_costly(size: tuple[int, int]) -> None:
    grid = TileGrid(*size, 512)
    for ordinal in range(grid.count):
        for request in tile_of_viewers(grid, ordinal):
            assert not costly(f"/iiif/image/{request}/0/default.jpg"), request


numbers = st.integers(1, 6).flatmap(lambda digits: st.integers(10 ** (digits - 1), 10**digits - 1))


@settings(max_examples=3000, deadline=None)
@given(numbers, numbers, st.integers(1, 1600), st.sampled_from(["{w},", "{w},{w}", "full", "max", ",{w}", "^{w},"]))
def test_what_is_not_costly_has_few_pixels(width: int, height: int, wide: int, form: str) -> None:
    request = f"0,0,{width},{height}/{form.format(w=wide)}/0/default.jpg"
    grid = TileGrid(1_000_000, 1_000_000, 512)
    for version in ApiVersion:
        if not costly(f"/iiif/image/{version.value}/i/{request}"):
            try:
                task = plan(parse(request, version), grid, ImageLimits(10**12))
            except CallError:
                continue
            assert task.width * task.height <= AT_MOST, request
