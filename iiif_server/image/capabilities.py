"""What this process can render, found by rendering it: only what works is advertised.

A test image of 32 by 24 pixels, a quarter each red, green, blue and yellow, in five tiles, is requested in every
format, in every quality and by every feature, through the grammar, geometry and renderer of real requests. Size and
colours of each result are compared. Whatever fails is not offered; when that is part of level 2 of the Image API, the
service does not start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import imagecodecs
import pyvips

from iiif_server.pyramid.grid import TileGrid
from iiif_server.render import pipeline
from iiif_server.request.geometry import RenderPlan, choose_source, plan
from iiif_server.request.grammar import ApiVersion, OutputFormat, Quality, parse
from iiif_server.request.info import HTTP_FEATURES, LEVEL_2_FEATURES, LEVEL_2_FORMATS, Offered
from iiif_server.request.limits import ImageLimits
from repository.errors import DependencyMissing, ShanbenError
from repository.localized import LocalizedText

_LIMITS: Final = ImageLimits(10_000)
_GRID: Final = TileGrid(32, 24, 16)
_COLOURS: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {"R": (220, 40, 40), "G": (40, 200, 40), "B": (40, 40, 220), "Y": (230, 230, 40)}
)
_TOLERANCE: Final = 40
"""Levels of 255 by which a result may differ: it passes a lossy codec twice, or has the 256 colours of a GIF."""

_BOTH: Final[Mapping[str, tuple[str, int, int, str]]] = MappingProxyType(
    {
        "regionByPx": ("0,0,16,12/max/0", 16, 12, "RRRR"),
        "regionByPct": ("pct:50,0,50,50/max/0", 16, 12, "GGGG"),
        "regionSquare": ("square/max/0", 24, 24, "RGBY"),
        "sizeByW": ("full/16,/0", 16, 12, "RGBY"),
        "sizeByH": ("full/,12/0", 16, 12, "RGBY"),
        "sizeByPct": ("full/pct:50/0", 16, 12, "RGBY"),
        "sizeByConfinedWh": ("full/!16,16/0", 16, 12, "RGBY"),
        "sizeByWh": ("full/16,12/0", 16, 12, "RGBY"),
        "rotationBy90s": ("full/max/90", 24, 32, "BRYG"),
        "rotationArbitrary": ("full/max/45", 40, 40, ""),
        "mirroring": ("full/max/!0", 32, 24, "GRYB"),
    }
)
"""For each feature: a request for a PNG, the sides of the result, and the colours of its quarters row by row."""

_FEATURES: Final[Mapping[ApiVersion, Mapping[str, tuple[str, int, int, str]]]] = MappingProxyType(
    {
        ApiVersion.THREE: {**_BOTH, "sizeUpscaling": ("full/^64,/0", 64, 48, "RGBY")},
        ApiVersion.TWO: {
            **_BOTH,
            "sizeAboveFull": ("full/64,/0", 64, 48, "RGBY"),
            "sizeByDistortedWh": ("full/12,20/0", 12, 20, "RGBY"),
        },
    }
)

_SIGNATURES: Final[Mapping[OutputFormat, tuple[int, bytes]]] = MappingProxyType(
    {
        OutputFormat.JPG: (0, b"\xff\xd8\xff"),
        OutputFormat.PNG: (0, b"\x89PNG\r\n\x1a\n"),
        OutputFormat.WEBP: (8, b"WEBP"),
        OutputFormat.TIF: (0, b"II*\0"),
        OutputFormat.GIF: (0, b"GIF89a"),
        OutputFormat.JP2: (0, b"\0\0\0\x0cjP  \r\n\x87\n"),
        OutputFormat.AVIF: (4, b"ftypavif"),
        OutputFormat.PDF: (0, b"%PDF-"),
    }
)
"""The signature of each format, after its offset."""

_FAULTS: Final = (ShanbenError, pyvips.Error, LookupError, ValueError, RuntimeError, ImportError, OSError)
"""What a renderer raises whose codec is missing or broken."""


def probe() -> Offered:
    """Return what may be offered. Raises `DependencyMissing` when that is less than level 2."""
    image = _TestImage()
    formats = tuple(wanted for wanted in OutputFormat if wanted in pipeline.MEDIA_TYPES and _writes(wanted, image))
    qualities = tuple(quality for quality in Quality if _renders_quality(quality, image))
    features = {
        version: tuple(sorted([*HTTP_FEATURES, *(name for name in cases if _renders(version, cases[name], image))]))
        for version, cases in _FEATURES.items()
    }
    missing: set[str] = {*LEVEL_2_FORMATS.difference(formats), *set(Quality).difference(qualities)}
    for version, level in LEVEL_2_FEATURES.items():
        missing |= level.difference(features[version])
    if missing:
        what = LocalizedText("图像服务所需的功能", "something that the image service needs")
        raise DependencyMissing(what=what, remedy=", ".join(sorted(missing)))
    return Offered(formats, qualities, MappingProxyType(features))


def _tiles() -> list[bytes]:
    """Return the stored tiles of the test image."""
    quarters = [pyvips.Image.black(16, 12, bands=3) + list(colour) for colour in _COLOURS.values()]
    whole = pyvips.Image.arrayjoin(quarters, across=2).cast("uchar").copy(interpretation="srgb")
    tiles = []
    for ordinal in range(_GRID.count):
        x, y, width, height, out_width, out_height = _GRID.request_of(ordinal)
        tile = whole.crop(x, y, width, height).thumbnail_image(out_width, height=out_height, size="force")
        tiles.append(tile.jpegsave_buffer(Q=95, subsample_mode="off", keep="none"))
    return tiles


class _TestImage:
    """The test image, and what was made of it: most requests are the same in both versions of the API."""

    def __init__(self) -> None:
        self._tiles = _tiles()
        self._made: dict[RenderPlan, bytes] = {}

    def requested(self, text: str, version: ApiVersion) -> bytes:
        """Return the answer to a request. Raises `_FAULTS`."""
        task = plan(parse(text, version), _GRID, _LIMITS)
        pixels = task._replace(canonical="")
        if pixels not in self._made:
            source = choose_source(task, _GRID, _LIMITS)
            self._made[pixels] = pipeline.render(task, source, _GRID, self._read, 90)
        return self._made[pixels]

    def _read(self, ordinals: Sequence[int]) -> list[bytes]:
        return [self._tiles[ordinal] for ordinal in ordinals]


def _writes(wanted: OutputFormat, image: _TestImage) -> bool:
    """Return whether a format is written correctly. Of PDF only the signature is checked: no library here reads it."""
    try:
        written = image.requested(f"full/32,24/0/default.{wanted.value}", ApiVersion.THREE)
        start, signature = _SIGNATURES[wanted]
        if not written.startswith(signature, start):
            return False
        return wanted is OutputFormat.PDF or _shows(_open(written, wanted), 32, 24, "RGBY")
    except _FAULTS:
        return False


def _renders_quality(quality: Quality, image: _TestImage) -> bool:
    try:
        written = image.requested(f"full/32,24/0/{quality.value}.png", ApiVersion.THREE)
        if quality in {Quality.DEFAULT, Quality.COLOR}:
            return _shows(_open(written), 32, 24, "RGBY")
        opened = _open(written)
        values = opened.write_to_memory()
        shades = set(zip(*(values[band :: opened.bands] for band in range(opened.bands)), strict=True))
    except _FAULTS:
        return False
    plain = all(len(set(shade)) == 1 for shade in shades)
    return plain and (quality is Quality.GRAY or {shade[0] for shade in shades} <= {0, 255})


def _renders(version: ApiVersion, case: tuple[str, int, int, str], image: _TestImage) -> bool:
    text, width, height, colours = case
    try:
        return _shows(_open(image.requested(f"{text}/default.png", version)), width, height, colours)
    except _FAULTS:
        return False


def _open(written: bytes, wanted: OutputFormat = OutputFormat.PNG) -> Any:
    """Decode a result; JPEG 2000 by imagecodecs, because the libvips of the wheel does not read it."""
    if wanted is OutputFormat.JP2:
        return pyvips.Image.new_from_array(imagecodecs.jpeg2k_decode(written))
    return pyvips.Image.new_from_buffer(written, "")


def _shows(image: Any, width: int, height: int, colours: str) -> bool:
    """Return whether an image has these sides and its quarters these colours; without colours, transparent corners."""
    if (image.width, image.height) != (width, height):
        return False
    pixels = image.numpy().reshape(height, width, -1).astype(int)
    if not colours:
        return bool(image.hasalpha() and pixels[0, 0, -1] == 0 and pixels[height // 2, width // 2, -1] == 255)
    points = [(width * x // 4, height * y // 4) for y in (1, 3) for x in (1, 3)]
    return all(
        abs(actual - expected) <= _TOLERANCE
        for (x, y), colour in zip(points, colours, strict=True)
        for actual, expected in zip(pixels[y, x], _COLOURS[colour], strict=False)
    )
