from __future__ import annotations

import json

import pytest

from iiif_server.geometry import Limits, plan
from iiif_server.image_info import image_info
from iiif_server.image_request import parse
from iiif_server.tile_grid import TileGrid

URI = "https://example.org/iiif/image/3/i0"


def info(grid: TileGrid, limits: Limits, rights: str | None = None) -> dict[str, object]:
    document = json.loads(image_info(URI, grid, limits, rights))
    assert isinstance(document, dict)
    return document


def test_the_document_says_what_the_specification_requires() -> None:
    document = info(TileGrid(3000, 2000, 512), Limits(64_000_000), "http://rightsstatements.org/vocab/NoC-CR/1.0/")
    assert next(iter(document)) == "@context"
    assert document == {
        "@context": "http://iiif.io/api/image/3/context.json",
        "id": URI,
        "type": "ImageService3",
        "protocol": "http://iiif.io/api/image",
        "profile": "level2",
        "width": 3000,
        "height": 2000,
        "maxArea": 64_000_000,
        "sizes": [
            {"width": 375, "height": 250},
            {"width": 750, "height": 500},
            {"width": 1500, "height": 1000},
            {"width": 3000, "height": 2000},
        ],
        "tiles": [{"width": 512, "height": 512, "scaleFactors": [1, 2, 4, 8]}],
        "preferredFormats": ["jpg"],
        "extraFormats": ["webp", "tif", "gif"],
        "extraQualities": ["color", "gray", "bitonal"],
        "extraFeatures": [
            "canonicalLinkHeader",
            "mirroring",
            "profileLinkHeader",
            "rotationArbitrary",
            "sizeUpscaling",
        ],
        "rights": "http://rightsstatements.org/vocab/NoC-CR/1.0/",
    }


def test_reduced_access_is_told_by_its_largest_width_and_no_larger_tiles() -> None:
    document = info(TileGrid(4000, 3000, 256), Limits(64_000_000, 1100))
    assert (document["maxWidth"], document["maxHeight"]) == (1100, 1100)
    assert document["sizes"] == [
        {"width": 250, "height": 188},
        {"width": 500, "height": 375},
        {"width": 1000, "height": 750},
        {"width": 1100, "height": 825},
    ]
    assert document["tiles"] == [{"width": 256, "height": 256, "scaleFactors": [4, 8, 16]}]


def test_no_tiles_are_told_that_are_themselves_larger_than_the_image_may_be_shown() -> None:
    assert "tiles" not in info(TileGrid(4000, 3000, 512), Limits(64_000_000, 511))


@pytest.mark.parametrize("grid", [TileGrid(1, 1, 512), TileGrid(7, 5000, 64), TileGrid(20_000, 9_001, 512)])
@pytest.mark.parametrize("limits", [Limits(64_000_000), Limits(90_000), Limits(64_000_000, 800), Limits(1000, 100)])
def test_every_size_and_tile_that_is_told_can_be_asked_for(grid: TileGrid, limits: Limits) -> None:
    document = info(grid, limits)
    for size in document["sizes"]:  # type: ignore[attr-defined]
        task = plan(parse(f"full/{size['width']},{size['height']}/0/default.jpg"), grid, limits)
        assert task.width * task.height <= limits.max_area
    told = {factor for tiles in document.get("tiles", []) for factor in tiles["scaleFactors"]}  # type: ignore[attr-defined]
    for level in grid.levels:
        if level.scale_factor in told:
            x, y, w, h, out_w, out_h = grid.request_of(level.first)
            assert plan(parse(f"{x},{y},{w},{h}/{out_w},{out_h}/0/default.jpg"), grid, limits).tile is not None
