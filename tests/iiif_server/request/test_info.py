"""info.json of both versions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iiif_server.pyramid.grid import TileGrid
from iiif_server.request.geometry import plan
from iiif_server.request.grammar import ApiVersion, OutputFormat, Quality, parse
from iiif_server.request.info import LEVEL_2_FEATURES, Described, Offered, image_info
from iiif_server.request.limits import ImageLimits

BASE = "https://example.org"
RIGHTS = "http://rightsstatements.org/vocab/NoC-CR/1.0/"
EXTRA = {
    ApiVersion.TWO: ["mirroring", "regionSquare", "sizeAboveFull"],
    ApiVersion.THREE: ["mirroring", "sizeUpscaling"],
}
OFFERED = Offered(
    (OutputFormat.JPG, OutputFormat.PNG, OutputFormat.WEBP, OutputFormat.JP2),
    tuple(Quality),
    {version: tuple(sorted([*LEVEL_2_FEATURES[version], *EXTRA[version]])) for version in ApiVersion},
)


def info(
    grid: TileGrid, limits: ImageLimits, rights: str | None = None, version: ApiVersion = ApiVersion.THREE
) -> dict[str, object]:
    uri = f"{BASE}/iiif/image/{version.value}/i0"
    document = json.loads(image_info(version, Described(uri, BASE, "w0", rights, grid, limits), OFFERED))
    assert isinstance(document, dict)
    return document


def test_info_json_of_3_0_has_what_the_specification_requires() -> None:
    document = info(TileGrid(3000, 2000, 512), ImageLimits(64_000_000), RIGHTS)
    assert next(iter(document)) == "@context"
    assert document == {
        "@context": "http://iiif.io/api/image/3/context.json",
        "id": f"{BASE}/iiif/image/3/i0",
        "type": "ImageService3",
        "protocol": "http://iiif.io/api/image",
        "profile": "level2",
        "width": 3000,
        "height": 2000,
        "maxWidth": 65_500,
        "maxHeight": 65_500,
        "maxArea": 64_000_000,
        "sizes": [
            {"width": 375, "height": 250},
            {"width": 750, "height": 500},
            {"width": 1500, "height": 1000},
            {"width": 3000, "height": 2000},
        ],
        "tiles": [{"width": 512, "height": 512, "scaleFactors": [1, 2, 4, 8]}],
        "preferredFormats": ["jpg"],
        "extraFormats": ["webp", "jp2"],
        "extraQualities": ["color", "gray", "bitonal"],
        "extraFeatures": ["mirroring", "sizeUpscaling"],
        "rights": RIGHTS,
        "partOf": [
            {
                "id": f"{BASE}/iiif/presentation/3/w0/manifest",
                "type": "Manifest",
                "label": {"zh-Hans": ["所属著作"], "en": ["The work that this is part of"]},
            }
        ],
        "seeAlso": [
            {
                "id": f"{BASE}/works/w0/record.json",
                "type": "Dataset",
                "label": {"zh-Hans": ["编目记录（JSON）"], "en": ["Catalogue record (JSON)"]},
                "format": "application/json",
            }
        ],
    }


def test_info_json_of_2_1_has_what_the_specification_requires() -> None:
    document = info(TileGrid(3000, 2000, 512), ImageLimits(64_000_000), RIGHTS, ApiVersion.TWO)
    assert next(iter(document)) == "@context"
    assert document == {
        "@context": "http://iiif.io/api/image/2/context.json",
        "@id": f"{BASE}/iiif/image/2/i0",
        "@type": "iiif:Image",
        "protocol": "http://iiif.io/api/image",
        "width": 3000,
        "height": 2000,
        "sizes": [{"width": 3000 // factor, "height": 2000 // factor} for factor in (8, 4, 2, 1)],
        "tiles": [{"width": 512, "height": 512, "scaleFactors": [1, 2, 4, 8]}],
        "profile": [
            "http://iiif.io/api/image/2/level2.json",
            {
                "formats": ["jpg", "png", "webp", "jp2"],
                "qualities": ["default", "color", "gray", "bitonal"],
                "supports": sorted([*LEVEL_2_FEATURES[ApiVersion.TWO], *EXTRA[ApiVersion.TWO]]),
                "maxWidth": 65_500,
                "maxHeight": 65_500,
                "maxArea": 64_000_000,
            },
        ],
        "license": RIGHTS,
    }


@pytest.mark.parametrize("version", ApiVersion)
def test_image_under_reduced_access_does_not_offer_upscaling(version: ApiVersion) -> None:
    said = [
        json.dumps(info(TileGrid(400, 300, 256), ImageLimits(9_999, most), version=version)) for most in (100, 400, 401)
    ]
    assert [("sizeUpscaling" in text or "sizeAboveFull" in text) for text in said] == [False, False, True]


def test_reduced_access_states_its_largest_width_and_no_larger_tiles() -> None:
    document = info(TileGrid(4000, 3000, 256), ImageLimits(64_000_000, 1100))
    assert (document["maxWidth"], document["maxHeight"]) == (1100, 1100)
    assert document["sizes"] == [
        {"width": 250, "height": 188},
        {"width": 500, "height": 375},
        {"width": 1000, "height": 750},
        {"width": 1100, "height": 825},
    ]
    assert document["tiles"] == [{"width": 256, "height": 256, "scaleFactors": [4, 8, 16]}]


def test_tiles_larger_than_the_limits_are_not_offered() -> None:
    assert "tiles" not in info(TileGrid(4000, 3000, 512), ImageLimits(64_000_000, 511))


@pytest.mark.parametrize("grid", [TileGrid(1, 1, 512), TileGrid(7, 5000, 64), TileGrid(20_000, 9_001, 512)])
@pytest.mark.parametrize(
    "limits", [ImageLimits(64_000_000), ImageLimits(90_000), ImageLimits(64_000_000, 800), ImageLimits(1000, 100)]
)
def test_offered_sizes_and_tiles_can_be_requested(grid: TileGrid, limits: ImageLimits) -> None:
    document = info(grid, limits)
    shown_as_2 = info(grid, limits, version=ApiVersion.TWO)
    assert [shown_as_2["sizes"], shown_as_2.get("tiles")] == [document["sizes"], document.get("tiles")]
    for size in document["sizes"]:  # type: ignore[attr-defined]
        width, height = size["width"], size["height"]
        task = plan(parse(f"full/{width},{height}/0/default.jpg"), grid, limits)
        assert (task.width, task.height) == (width, height)
        assert task.width * task.height <= limits.max_area
        by_width = plan(parse(f"full/{width},/0/default.jpg", ApiVersion.TWO), grid, limits)
        widths = [size["width"] for size in document["sizes"]]  # type: ignore[attr-defined]
        assert by_width[:6] == task[:6] or widths.count(width) > 1
    offered = {factor for tiles in document.get("tiles", []) for factor in tiles["scaleFactors"]}  # type: ignore[attr-defined]
    for level in grid.levels:
        if level.scale_factor in offered:
            x, y, w, h, out_w, out_h = grid.request_of(level.first)
            assert plan(parse(f"{x},{y},{w},{h}/{out_w},{out_h}/0/default.jpg"), grid, limits).tile is not None


SIDES = st.integers(1, 3000) | st.integers(1, 200_000)


@given(
    SIDES,
    SIDES,
    st.sampled_from(ApiVersion),
    st.sampled_from([64_000_000, 1_000_000, 3000, 4_000_000_000]),
    st.none() | st.integers(1, 100_000),
)
@example(100_000, 600, ApiVersion.THREE, 64_000_000, None)
@example(100_000, 600, ApiVersion.TWO, 64_000_000, None)
@example(300, 70_000, ApiVersion.THREE, 64_000_000, None)
@example(300, 70_000, ApiVersion.TWO, 64_000_000, None)
@example(100_000, 600, ApiVersion.THREE, 64_000_000, 80_000)
@example(3000, 1, ApiVersion.THREE, 64_000_000, None)
@example(1, 751, ApiVersion.THREE, 3000, None)
def test_every_size_that_is_advertised_is_served_as_jpeg_and_max_is_the_largest(
    width: int, height: int, version: ApiVersion, max_area: int, max_size: int | None
) -> None:
    grid, limits = TileGrid(width, height, 512), ImageLimits(max_area, max_size)
    document: dict[str, Any] = info(grid, limits, version=version)
    bounds = document if version is ApiVersion.THREE else document["profile"][1]

    def planned(size: str) -> tuple[int, int]:
        task = plan(parse(f"full/{size}/0/default.jpg", version), grid, limits)
        assert task.width <= bounds["maxWidth"]
        assert task.height <= bounds["maxHeight"]
        assert task.width * task.height <= bounds["maxArea"]
        return task.width, task.height

    listed = [(size["width"], size["height"]) for size in document["sizes"]]
    assert [planned(f"{size[0]},{size[1]}") for size in listed] == listed
    assert planned("max") == listed[-1]
    assert planned("!999999,999999") == listed[-1]
    if version is ApiVersion.THREE:
        enlarged = planned("^max")
        assert min(enlarged) >= min(listed[-1])
        short, long = sorted(enlarged)
        # One more pixel on the short side would make the long side longer in proportion.
        fills = (short + 1) * (long + -(-long // short) + 1) > bounds["maxArea"]
        assert fills or bounds["maxWidth"] in enlarged
