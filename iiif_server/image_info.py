"""info.json (Image API 3.0, section 5): what is served of one image, and nothing else. (pure)"""

from __future__ import annotations

import json
from typing import Final

from iiif_server.geometry import Box, Limits, largest
from iiif_server.image_request import Format, Quality
from iiif_server.tile_grid import TileGrid

CONTEXT: Final = "http://iiif.io/api/image/3/context.json"
PROFILE: Final = "http://iiif.io/api/image/3/level2.json"
"""The compliance level as the Link header names it (section 6)."""

FEATURES: Final = (
    "canonicalLinkHeader",
    "mirroring",
    "profileLinkHeader",
    "rotationArbitrary",
    "sizeUpscaling",
)
"""Served beyond level 2 (section 5.7 and the compliance document)."""

_LEVEL_2_FORMATS: Final = {Format.JPG, Format.PNG}


def image_info(identifier_uri: str, grid: TileGrid, limits: Limits, rights: str | None) -> bytes:
    """The information document of an image as UTF-8 JSON: `identifier_uri` is its base URI, `rights` a URI or None."""
    document: dict[str, object] = {
        "@context": CONTEXT,
        "id": identifier_uri,
        "type": "ImageService3",
        "protocol": "http://iiif.io/api/image",
        "profile": "level2",
        "width": grid.width,
        "height": grid.height,
        "maxArea": limits.max_area,
        "sizes": [{"width": width, "height": height} for width, height in sizes(grid, limits)],
        "preferredFormats": [Format.JPG.value],
        "extraFormats": [offered.value for offered in Format if offered not in _LEVEL_2_FORMATS],
        "extraQualities": [quality.value for quality in Quality if quality is not Quality.DEFAULT],
        "extraFeatures": list(FEATURES),
    }
    if limits.max_size is not None:
        document["maxWidth"] = limits.max_size
        document["maxHeight"] = limits.max_size
    if factors := tile_factors(grid, limits):
        document["tiles"] = [{"width": grid.tile_size, "height": grid.tile_size, "scaleFactors": factors}]
    if rights:
        document["rights"] = rights
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def sizes(grid: TileGrid, limits: Limits) -> list[tuple[int, int]]:
    """The whole image's sizes that cost least, small to large: the levels within the limits, and the largest."""
    most = largest(Box(0, 0, grid.width, grid.height), False, grid, limits)
    levels = {(level.width, level.height) for level in grid.levels}
    return sorted({size for size in levels if size[0] <= most[0] and size[1] <= most[1]} | {most})


def tile_factors(grid: TileGrid, limits: Limits) -> list[int]:
    """The scale factors whose tiles are served; none when a tile itself is larger than the limits."""
    if grid.tile_size * grid.tile_size > limits.max_area:
        return []
    if limits.max_size is None:
        return [level.scale_factor for level in grid.levels]
    if limits.max_size < grid.tile_size:
        return []
    return [level.scale_factor for level in grid.levels if max(level.width, level.height) <= limits.max_size]
