"""Renders image requests twice: from a pyramid by the tested code, and from the whole picture by Pillow alone."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from decimal import Decimal
from math import ceil, cos, floor, radians, sin
from pathlib import Path

import numpy
import pyvips
from PIL import Image, ImageFilter

from iiif_server.pyramid.file import read_directory, write_pyramid
from iiif_server.pyramid.grid import TileGrid
from iiif_server.render.pipeline import render
from iiif_server.request.geometry import choose_source, plan
from iiif_server.request.grammar import Quality, parse
from iiif_server.request.limits import ImageLimits

OPEN = ImageLimits(64_000_000)


class TiledPicture:
    """A pyramid in memory; `read` lists the ordinals of the tiles that were read."""

    def __init__(self, pyramid: Path) -> None:
        self.data = pyramid.read_bytes()
        self.directory = read_directory(self.read_range, "picture")
        self.grid: TileGrid = self.directory.grid
        self.read: list[int] = []

    @classmethod
    def of(cls, picture: pyvips.Image, folder: Path, tile_size: int = 128, quality: int = 95) -> TiledPicture:
        """Return a picture as a pyramid."""
        target = folder / "picture.zip"
        write_pyramid(picture, target, tile_size, quality)
        return cls(target)

    def read_range(self, start: int, length: int) -> bytes:
        """Return what `ObjectStore.read_range` returns."""
        start = max(0, len(self.data) + start) if start < 0 else start
        return self.data[start : start + length]

    def tiles(self, ordinals: Sequence[int]) -> list[bytes]:
        """Return the bytes of tiles and record that they were read."""
        self.read.extend(ordinals)
        places = [self.directory.locate(ordinal) for ordinal in ordinals]
        return [self.read_range(offset, length) for offset, length, _ in places]

    def encoded(self, text: str, limits: ImageLimits = OPEN, quality: int = 90) -> bytes:
        """Return the response to a request, rendered by the tested code."""
        task = plan(parse(text), self.grid, limits)
        return render(task, choose_source(task, self.grid, limits), self.grid, self.tiles, quality)

    def answer(self, text: str, limits: ImageLimits = OPEN) -> Image.Image:
        """Return the response to a request, decoded by Pillow."""
        return Image.open(io.BytesIO(self.encoded(text, limits)))

    def whole(self) -> Image.Image:
        """Return the picture at full size, assembled from its tiles by Python's zipfile and Pillow."""
        level = self.grid.levels[0]
        whole = None
        with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
            for ordinal in range(level.columns * level.rows):
                tile = Image.open(archive.open(self.grid.name_of(ordinal)))
                whole = whole or Image.new(tile.mode, (level.width, level.height))
                whole.paste(tile, self.grid.request_of(ordinal)[:2])
        assert whole
        return whole

    def smallest(self) -> Image.Image:
        """Return the smallest level, decoded by Pillow."""
        with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
            return Image.open(io.BytesIO(archive.read(self.grid.name_of(self.grid.count - 1))))


def expected(whole: Image.Image, text: str) -> Image.Image:
    """Render a request from the whole picture by Pillow alone, step after step.

    Two steps are those of any pyramid: the picture is first halved with a box filter, as often as it keeps the
    requested resolution, and the edges of the region are rounded to pixels of the result. Grey and bitonal are both
    grey here: the caller compares with the threshold.
    """
    request = parse(text)
    x, y, width, height = (int(number) for number in request.region[1:])
    sides = (x, min(width, whole.width - x), whole.width), (y, min(height, whole.height - y), whole.height)
    factor = max(_factor(request.size.width, *sides[0]), 1)
    factor = max(1, min(factor, _factor(request.size.height, *sides[1])))
    picture = whole.convert("L") if request.quality in {Quality.GRAY, Quality.BITONAL} else whole
    (left, right), (top, bottom) = (_edges(*side, factor) for side in sides)
    picture = picture.reduce(factor).crop((left, top, right, bottom))
    picture = picture.resize((request.size.width, request.size.height), Image.Resampling.LANCZOS)
    if request.rotation.mirrored:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    degrees = request.rotation.degrees
    if degrees % 90 == Decimal(0):
        return picture.rotate(-int(degrees), expand=True)
    return _rotated(picture, float(degrees))


def _factor(wanted: int, start: int, length: int, whole: int) -> int:
    """Return the reduction of one side by a pyramid of three halvings: 1, 2, 4 or 8."""
    aligned = {f for f in (1, 2, 4, 8) if start % f == 0 and ((start + length) % f == 0 or start + length == whole)}
    fits = [f for f in (1, 2, 4, 8) if wanted * f <= length or (f in aligned and wanted <= -(-length // f))]
    return max(fits, default=1)


def _edges(start: int, length: int, whole: int, factor: int) -> tuple[int, int]:
    """Return the edges of a region in a reduced picture."""
    end = start + length
    return floor(start / factor + 0.5), ceil(end / factor) if end == whole else floor(end / factor + 0.5)


def _rotated(picture: Image.Image, degrees: float) -> Image.Image:
    """Return a picture rotated clockwise about its centre, on white."""
    across, along = cos(radians(degrees)), sin(radians(degrees))
    width = ceil(picture.width * abs(across) + picture.height * abs(along))
    height = ceil(picture.width * abs(along) + picture.height * abs(across))
    left = (picture.width - across * width - along * height) / 2
    top = (picture.height + along * width - across * height) / 2
    matrix = (across, along, left, -along, across, top)
    return picture.transform(
        (width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC, fillcolor="white"
    )


def on_paper(picture: Image.Image) -> numpy.ndarray:
    """Return the pixels in three bands, transparent ones flattened onto white."""
    paper = Image.new("RGBA", picture.size, "white")
    flat = Image.alpha_composite(paper, picture.convert("RGBA"))
    return numpy.asarray(flat.convert("RGB"), numpy.int16)


def outliers(got: numpy.ndarray, right: numpy.ndarray, tolerance: int) -> float:
    """Return the fraction of samples outside the range of the expected pixel and its neighbours, plus a tolerance."""
    plain = Image.fromarray(right.astype(numpy.uint8))
    low, high = (
        numpy.asarray(plain.filter(kind(3)), numpy.int16) for kind in (ImageFilter.MinFilter, ImageFilter.MaxFilter)
    )
    return float(((got < low - tolerance) | (got > high + tolerance)).mean())
