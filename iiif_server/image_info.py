"""info.json (Image API 3.0 and 2.1.1, section 5 of each): what is served of one image, and nothing else. (pure)"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from iiif_server.addresses import PLACEHOLDER, catalogue_record, manifest_id
from iiif_server.geometry import Limits, largest
from iiif_server.image_request import Format, Quality, Version
from iiif_server.tile_grid import Box, TileGrid
from repository.text import Text

CONTEXTS: Final[Mapping[Version, str]] = MappingProxyType(
    {version: f"http://iiif.io/api/image/{version.value}/context.json" for version in Version}
)
PROFILES: Final[Mapping[Version, str]] = MappingProxyType(
    {version: f"http://iiif.io/api/image/{version.value}/level2.json" for version in Version}
)
"""The compliance level as the Link header names it (section 6)."""

LEVEL_2_FORMATS: Final = frozenset({Format.JPG, Format.PNG})
HTTP_FEATURES: Final = (
    "baseUriRedirect",
    "canonicalLinkHeader",
    "cors",
    "jsonldMediaType",
    "profileLinkHeader",
)
"""What the service does whatever it renders."""

_LEVEL_2_OF_BOTH: Final = (
    *("baseUriRedirect", "cors", "jsonldMediaType", "regionByPct", "regionByPx", "rotationBy90s"),
    *("sizeByConfinedWh", "sizeByH", "sizeByPct", "sizeByW", "sizeByWh"),
)
LEVEL_2_FEATURES: Final[Mapping[Version, frozenset[str]]] = MappingProxyType(
    {
        Version.THREE: frozenset({*_LEVEL_2_OF_BOTH, "regionSquare"}),
        Version.TWO: frozenset({*_LEVEL_2_OF_BOTH, "sizeByDistortedWh"}),
    }
)
"""What level 2 asks of a server (compliance documents; in 2.1 without the names that it deprecates)."""

_ENLARGING: Final = frozenset({"sizeUpscaling", "sizeAboveFull"})


class Offered(NamedTuple):
    """What is served, each having passed its test at the start (`self_test.py`); all in a fixed order."""

    formats: tuple[Format, ...]
    qualities: tuple[Quality, ...]
    features: Mapping[Version, tuple[str, ...]]


class Described(NamedTuple):
    """An image as its information document describes it.

    `uri` is its base URI, `base_url` the public address of the site, `work` the identifier of what it is part of,
    `rights` a URI.
    """

    uri: str
    base_url: str
    work: str
    rights: str | None
    grid: TileGrid
    limits: Limits


def image_info(version: Version, image: Described, offered: Offered) -> bytes:
    """The information document of an image, as UTF-8 JSON."""
    form = _version_2 if version is Version.TWO else _version_3
    return json.dumps(form(image, offered), ensure_ascii=False, indent=1).encode()


def _features(version: Version, image: Described, offered: Offered) -> list[str]:
    """Features of an image: one that may only be shown reduced is never enlarged."""
    most = image.limits.max_size
    if most is None or most > max(image.grid.width, image.grid.height):
        return list(offered.features[version])
    return [name for name in offered.features[version] if name not in _ENLARGING]


def _version_3(image: Described, offered: Offered) -> dict[str, object]:
    features, level = _features(Version.THREE, image, offered), LEVEL_2_FEATURES[Version.THREE]
    document: dict[str, object] = {
        "@context": CONTEXTS[Version.THREE],
        "id": image.uri,
        "type": "ImageService3",
        "protocol": "http://iiif.io/api/image",
        "profile": "level2",
        **_shape(image.grid, image.limits),
        **_bounds(image.limits),
        "preferredFormats": [Format.JPG.value],
        "extraFormats": [format_.value for format_ in offered.formats if format_ not in LEVEL_2_FORMATS],
        "extraQualities": [quality.value for quality in offered.qualities if quality is not Quality.DEFAULT],
        "extraFeatures": [name for name in features if name not in level],
    }
    if image.rights:
        document["rights"] = image.rights
    document["partOf"] = [_link(manifest_id(image.work), image, "Manifest", _MANIFEST)]
    record = _link(catalogue_record(image.work), image, "Dataset", _RECORD)
    document["seeAlso"] = [{**record, "format": "application/json"}]
    return document


def _version_2(image: Described, offered: Offered) -> dict[str, object]:
    document: dict[str, object] = {
        "@context": CONTEXTS[Version.TWO],
        "@id": image.uri,
        "@type": "iiif:Image",
        "protocol": "http://iiif.io/api/image",
        **_shape(image.grid, image.limits),
        "profile": [
            PROFILES[Version.TWO],
            {
                "formats": [format_.value for format_ in offered.formats],
                "qualities": [quality.value for quality in offered.qualities],
                "supports": _features(Version.TWO, image, offered),
                **_bounds(image.limits),
            },
        ],
    }
    if image.rights:
        document["license"] = image.rights
    return document


def _shape(grid: TileGrid, limits: Limits) -> dict[str, object]:
    shape: dict[str, object] = {
        "width": grid.width,
        "height": grid.height,
        "sizes": [{"width": width, "height": height} for width, height in sizes(grid, limits)],
    }
    if factors := tile_factors(grid, limits):
        shape["tiles"] = [{"width": grid.tile_size, "height": grid.tile_size, "scaleFactors": factors}]
    return shape


def _bounds(limits: Limits) -> dict[str, int]:
    if limits.max_size is None:
        return {"maxArea": limits.max_area}
    return {"maxWidth": limits.max_size, "maxHeight": limits.max_size, "maxArea": limits.max_area}


_MANIFEST: Final = Text("所属著作", "The work that this is part of")
_RECORD: Final = Text("编目记录（JSON）", "Catalogue record (JSON)")


def _link(placed: str, image: Described, kind: str, label: Text) -> dict[str, object]:
    names = {"zh-Hans": [label.zh], "en": [label.en]}
    return {"id": placed.replace(PLACEHOLDER, image.base_url), "type": kind, "label": names}


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
