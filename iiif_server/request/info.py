"""The Image Information document, info.json: exactly what is served of one image. (pure)

Image API 3.0 and 2.1.1, section 5 of each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from iiif_server.pyramid.grid import Box, TileGrid
from iiif_server.request.grammar import ApiVersion, OutputFormat, Quality
from iiif_server.request.limits import ImageLimits, largest
from iiif_server.urls import manifest_path, record_path
from repository.localized import LocalizedText
from repository.model.rights import licence_uri

CONTEXTS: Final[Mapping[ApiVersion, str]] = MappingProxyType(
    {version: f"http://iiif.io/api/image/{version.value}/context.json" for version in ApiVersion}
)
PROFILES: Final[Mapping[ApiVersion, str]] = MappingProxyType(
    {version: f"http://iiif.io/api/image/{version.value}/level2.json" for version in ApiVersion}
)
"""The URI of the compliance level, for the Link header (section 6)."""

LEVEL_2_FORMATS: Final = frozenset({OutputFormat.JPG, OutputFormat.PNG})
HTTP_FEATURES: Final = (
    "baseUriRedirect",
    "canonicalLinkHeader",
    "cors",
    "jsonldMediaType",
    "profileLinkHeader",
)
"""The features of the service itself, which do not depend on what can be rendered."""

_LEVEL_2_OF_BOTH: Final = (
    *("baseUriRedirect", "cors", "jsonldMediaType", "regionByPct", "regionByPx", "rotationBy90s"),
    *("sizeByConfinedWh", "sizeByH", "sizeByPct", "sizeByW", "sizeByWh"),
)
LEVEL_2_FEATURES: Final[Mapping[ApiVersion, frozenset[str]]] = MappingProxyType(
    {
        ApiVersion.THREE: frozenset({*_LEVEL_2_OF_BOTH, "regionSquare"}),
        ApiVersion.TWO: frozenset({*_LEVEL_2_OF_BOTH, "sizeByDistortedWh"}),
    }
)
"""The features of level 2 (compliance documents; for 2.1 without the names that it deprecates)."""

_ENLARGING: Final = frozenset({"sizeUpscaling", "sizeAboveFull"})


class Offered(NamedTuple):
    """The formats, qualities and features that passed their startup tests (`image/capabilities.py`), in fixed order."""

    formats: tuple[OutputFormat, ...]
    qualities: tuple[Quality, ...]
    features: Mapping[ApiVersion, tuple[str, ...]]


class Described(NamedTuple):
    """The facts of an image that its information document states.

    `uri` is its base URI, `base_url` the public address of the site, `work` the identifier of the work that has it,
    `rights` a URI. `services` are those of authorization, and `contexts` the JSON-LD contexts that they need.
    """

    uri: str
    base_url: str
    work: str
    rights: str | None
    grid: TileGrid
    limits: ImageLimits
    services: Sequence[Mapping[str, object]] = ()
    contexts: Sequence[str] = ()


def image_info(version: ApiVersion, image: Described, offered: Offered) -> bytes:
    """Return the information document of an image as UTF-8 JSON."""
    form = _version_2 if version is ApiVersion.TWO else _version_3
    return json.dumps(form(image, offered), ensure_ascii=False, indent=1).encode()


def _features(version: ApiVersion, image: Described, offered: Offered) -> list[str]:
    """Return the features of an image. An image under reduced access is never enlarged."""
    most = image.limits.max_size
    if most is None or most > max(image.grid.width, image.grid.height):
        return list(offered.features[version])
    return [name for name in offered.features[version] if name not in _ENLARGING]


def _version_3(image: Described, offered: Offered) -> dict[str, object]:
    features, level = _features(ApiVersion.THREE, image, offered), LEVEL_2_FEATURES[ApiVersion.THREE]
    document: dict[str, object] = {
        "@context": _context(ApiVersion.THREE, image),
        "id": image.uri,
        "type": "ImageService3",
        "protocol": "http://iiif.io/api/image",
        "profile": "level2",
        **_shape(image.grid, image.limits),
        **_bounds(image.limits),
        "preferredFormats": [OutputFormat.JPG.value],
        "extraFormats": [format_.value for format_ in offered.formats if format_ not in LEVEL_2_FORMATS],
        "extraQualities": [quality.value for quality in offered.qualities if quality is not Quality.DEFAULT],
        "extraFeatures": [name for name in features if name not in level],
    }
    if image.rights and (licence := licence_uri(image.rights)):
        document["rights"] = licence
    document["partOf"] = [_link(manifest_path(image.work), image, "Manifest", _MANIFEST)]
    record = _link(record_path(image.work), image, "Dataset", _RECORD)
    document["seeAlso"] = [{**record, "format": "application/json"}]
    return document | _services(image)


def _context(version: ApiVersion, image: Described) -> str | list[str]:
    """Return the contexts; those of services come first (Authorization Flow 2.0, section 2.1)."""
    return [*image.contexts, CONTEXTS[version]] if image.contexts else CONTEXTS[version]


def _services(image: Described) -> dict[str, object]:
    return {"service": [*image.services]} if image.services else {}


def _version_2(image: Described, offered: Offered) -> dict[str, object]:
    document: dict[str, object] = {
        "@context": CONTEXTS[ApiVersion.TWO],
        "@id": image.uri,
        "@type": "iiif:Image",
        "protocol": "http://iiif.io/api/image",
        **_shape(image.grid, image.limits),
        "profile": [
            PROFILES[ApiVersion.TWO],
            {
                "formats": [format_.value for format_ in offered.formats],
                "qualities": [quality.value for quality in offered.qualities],
                "supports": _features(ApiVersion.TWO, image, offered),
                **_bounds(image.limits),
            },
        ],
    }
    if image.rights:
        document["license"] = image.rights
    return document | _services(image)


def _shape(grid: TileGrid, limits: ImageLimits) -> dict[str, object]:
    shape: dict[str, object] = {
        "width": grid.width,
        "height": grid.height,
        "sizes": [{"width": width, "height": height} for width, height in sizes(grid, limits)],
    }
    if factors := tile_factors(grid, limits):
        shape["tiles"] = [{"width": grid.tile_size, "height": grid.tile_size, "scaleFactors": factors}]
    return shape


def _bounds(limits: ImageLimits) -> dict[str, int]:
    """Return the limits by which ``max`` and ``^max`` are defined (section 5.2 of 3.0; 5.3 of 2.1.1)."""
    side = limits.max_side if limits.max_size is None else min(limits.max_size, limits.max_side)
    return {"maxWidth": side, "maxHeight": side, "maxArea": limits.max_area}


_MANIFEST: Final = LocalizedText("所属著作", "The work that this is part of")
_RECORD: Final = LocalizedText("编目记录（JSON）", "Catalogue record (JSON)")


def _link(path: str, image: Described, kind: str, label: LocalizedText) -> dict[str, object]:
    names = {"zh-Hans": [label.zh], "en": [label.en]}
    return {"id": f"{image.base_url}{path}", "type": kind, "label": names}


def sizes(grid: TileGrid, limits: ImageLimits) -> list[tuple[int, int]]:
    """Return the cheapest sizes of the whole image, smallest first: the levels within the limits, and the largest."""
    most = largest(Box(0, 0, grid.width, grid.height), False, grid, limits)
    levels = {(level.width, level.height) for level in grid.levels}
    return sorted({size for size in levels if size[0] <= most[0] and size[1] <= most[1]} | {most})


def tile_factors(grid: TileGrid, limits: ImageLimits) -> list[int]:
    """Return the scale factors whose tiles are served; none when a tile itself exceeds the limits."""
    if grid.tile_size * grid.tile_size > limits.max_area:
        return []
    if limits.max_size is None:
        return [level.scale_factor for level in grid.levels]
    if limits.max_size < grid.tile_size:
        return []
    return [level.scale_factor for level in grid.levels if max(level.width, level.height) <= limits.max_size]
