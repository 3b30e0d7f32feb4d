"""Rendered answers: their format, size and pixels, and the tiles that are read for them."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
import pyvips
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tiled_picture import OPEN, TiledPicture

from iiif_server.render.pipeline import render
from iiif_server.request.geometry import choose_source, plan
from iiif_server.request.grammar import parse
from iiif_server.request.limits import ImageLimits
from repository.errors import PyramidCorrupt


@pytest.fixture(scope="module")
def smooth() -> pyvips.Image:
    """A picture of 700 by 500 pixels: red grows with x, green with y, blue is a slow wave."""
    places = pyvips.Image.xyz(700, 500)
    wave = ((places[0] * 0.6).sin() + 1) * 100
    bands = (places[0] * (255 / 699)).bandjoin([places[1] * (255 / 499), wave])
    return bands.cast("uchar").copy(interpretation="srgb")


@pytest.fixture(scope="module")
def tiles(smooth: pyvips.Image, tmp_path_factory: pytest.TempPathFactory) -> TiledPicture:
    return TiledPicture.of(smooth, tmp_path_factory.mktemp("tiles"))


@pytest.fixture(scope="module")
def whole(smooth: pyvips.Image) -> Image.Image:
    return Image.fromarray(smooth.numpy())


def difference(got: Image.Image, expected: Image.Image) -> float:
    """Return the mean absolute difference of the pixels, of 255."""
    assert got.size == expected.size
    pair = [numpy.asarray(picture.convert("RGB"), numpy.float64) for picture in (got, expected)]
    return float(numpy.abs(pair[0] - pair[1]).mean())


numbers = st.integers(0, 499)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    box=st.tuples(numbers, numbers, st.integers(20, 700), st.integers(20, 500)),
    width=st.integers(5, 400),
    turn=st.sampled_from([0, 90, 180, 270]),
    mirrored=st.booleans(),
)
def test_rendering_agrees_with_pillow(
    tiles: TiledPicture, whole: Image.Image, box: tuple[int, int, int, int], width: int, turn: int, mirrored: bool
) -> None:
    x, y, w, h = box
    cut = whole.crop((x, y, min(x + w, 700), min(y + h, 500)))
    height = max(1, cut.height * width // cut.width)
    expected = cut.resize((width, height), Image.Resampling.LANCZOS)
    if mirrored:
        expected = expected.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    expected = expected.rotate(-turn, expand=True)
    got = tiles.answer(f"{x},{y},{w},{h}/^{width},{height}/{'!' if mirrored else ''}{turn}/default.png")
    assert difference(got, expected) < 4


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("0,0,128,128/64,64/0/default.png", 1),
        ("100,100,60,60/max/0/default.png", 4),
        ("full/60,43/0/default.png", 1),
        ("full/175,125/0/default.png", 2),
        ("128,128,256,256/^300,300/0/default.png", 4),
    ],
)
def test_rendering_reads_only_the_tiles_it_needs(tiles: TiledPicture, text: str, most: int) -> None:
    tiles.read.clear()
    tiles.answer(text)
    assert len(tiles.read) <= most


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jpg", "png", "webp", "tif", "gif", "jp2", "avif"])
@pytest.mark.parametrize("quality", ["default", "color", "gray", "bitonal"])
@pytest.mark.parametrize("turn", ["0", "!90", "30"])
def test_answer_has_the_format_quality_and_size_requested(
    tiles: TiledPicture, whole: Image.Image, name: str, quality: str, turn: str
) -> None:
    got = tiles.answer(f"full/350,250/{turn}/{quality}.{name}")
    assert got.format == {"jpg": "JPEG", "tif": "TIFF", "jp2": "JPEG2000"}.get(name, name.upper())
    assert got.size == {"0": (350, 250), "!90": (250, 350), "30": (429, 392)}[turn]
    paper = Image.new("RGBA", got.size, "white")
    pixels = numpy.asarray(Image.alpha_composite(paper, got.convert("RGBA")).convert("RGB"), numpy.int16)
    if quality in ("gray", "bitonal"):
        spread = pixels.max(axis=2) - pixels.min(axis=2)
        assert spread.max() <= 3
    if quality == "bitonal":
        assert ((pixels < 40) | (pixels > 215)).mean() > 0.99


def test_rotation_is_clockwise(tiles: TiledPicture) -> None:
    upright = numpy.asarray(tiles.answer("full/70,50/0/default.png").convert("RGB"))
    turned = numpy.asarray(tiles.answer("full/70,50/90/default.png").convert("RGB"))
    nearly = numpy.asarray(tiles.answer("full/70,50/89.9/default.png").convert("RGB"))
    assert numpy.abs(turned[2, -3].astype(int) - upright[2, 2]).max() < 8
    assert numpy.abs(nearly[4, -4].astype(int) - turned[4, -4]).max() < 16


@pytest.mark.parametrize(
    ("name", "corner"), [("png", (0, 0, 0, 0)), ("webp", (0, 0, 0, 0)), ("jpg", (255, 255, 255, 255))]
)
def test_corners_of_a_rotated_picture_are_transparent_or_white(
    tiles: TiledPicture, name: str, corner: tuple[int, ...]
) -> None:
    got = tiles.answer(f"full/350,250/45/default.{name}").convert("RGBA").getpixel((1, 1))
    assert isinstance(got, tuple)
    assert got[3] == corner[3]
    assert corner[3] == 0 or min(got) > 250


@pytest.mark.parametrize("quality", ["default", "color", "gray", "bitonal"])
def test_grey_picture_has_every_quality(tmp_path: Path, quality: str) -> None:
    grey = (pyvips.Image.xyz(300, 200)[0] * 0.8).cast("uchar").copy(interpretation="b-w")
    got = TiledPicture.of(grey, tmp_path).answer(f"full/150,100/0/{quality}.png")
    assert got.mode in ("L", "1")


def test_reduced_access_shows_no_detail_of_the_full_image(tmp_path: Path) -> None:
    stripes = (pyvips.Image.xyz(512, 512)[0] % 2 * 255).cast("uchar").copy(interpretation="b-w")
    held = TiledPicture.of(stripes, tmp_path)
    limits = ImageLimits(64_000_000, 64)
    for x in range(8):
        pixel = held.answer(f"{100 + x},100,1,1/max/0/default.png", limits).getpixel((0, 0))
        assert isinstance(pixel, int)
        assert 96 < pixel < 160


def test_tile_that_does_not_decode_raises_pyramid_corrupt(tiles: TiledPicture) -> None:
    task = plan(parse("full/max/90/default.png"), tiles.grid, OPEN)
    with pytest.raises(PyramidCorrupt):
        render(task, choose_source(task, tiles.grid, OPEN), tiles.grid, lambda some: [b"not a picture"] * len(some), 80)
    cut_short = tiles.tiles([0])[0][:600]
    with pytest.raises(PyramidCorrupt):
        render(task, choose_source(task, tiles.grid, OPEN), tiles.grid, lambda some: [cut_short] * len(some), 80)
