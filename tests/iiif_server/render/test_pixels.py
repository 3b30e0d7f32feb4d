"""Rendered answers against an independent rendering by Pillow and numpy (`tiled_picture.expected`)."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tiled_picture import TiledPicture, expected, on_paper, outliers

from iiif_server.render import pipeline
from iiif_server.request.grammar import Quality, parse

pytestmark = pytest.mark.slow

WIDTH, HEIGHT = 900, 700
EXAMPLES = int(os.environ.get("PIXEL_EXAMPLES", "100"))
"""Random requests; `PIXEL_EXAMPLES=2000` after a change of the rendering."""

MEAN = 4.0
"""Levels of 255 by which an answer may differ from Pillow's on average.

Both renderings halve by boxes, cut at the same pixels and scale by Lanczos 3, so position and kernel do not differ.
What differs is that a level of the pyramid is a JPEG of quality 90: 1 to 2.5 on this page, whose strokes fill the whole
of a small answer. A region half a pixel of its level aside differs by 7 to 13, which this bound therefore finds.
"""

TOLERANCE = 32
"""Levels by which a pixel may lie outside of what Pillow has there or one pixel beside."""

OUTLIERS = 0.002
"""The part of the pixels that may lie outside."""

BITONAL_OUTLIERS = 0.02
"""The same for bitonal, where a JPEG's error of one level at the threshold is a difference of 255."""


def page() -> pyvips.Image:
    """A small woodblock page: paper with grain, a red frame, black strokes of every width and direction."""
    paper = pyvips.Image.gaussnoise(WIDTH, HEIGHT, mean=0, sigma=3, seed=4)
    image = paper.linear([1, 1, 1], [228, 214, 180]).cast("uchar").copy(interpretation="srgb").copy_memory()
    for inset in range(20, 26):
        image = image.draw_rect([150, 50, 40], inset, inset, WIDTH - 2 * inset, HEIGHT - 2 * inset)
    chance = numpy.random.default_rng(5)
    for _ in range(220):
        x, y = int(chance.integers(40, WIDTH - 90)), int(chance.integers(40, HEIGHT - 90))
        right, below = int(chance.integers(8, 45)), int(chance.integers(-30, 45))
        for breadth in range(int(chance.integers(2, 7))):
            image = image.draw_line([25, 22, 20], x, y + breadth, x + right, y + below + breadth)
    return image


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> TiledPicture:
    return TiledPicture.of(page(), tmp_path_factory.mktemp("page"), quality=90)


@pytest.fixture(scope="module")
def whole(held: TiledPicture) -> Image.Image:
    return held.whole()


def otsu(grey: Image.Image) -> int:
    """Return the threshold by its definition: the split with the least sum of variances within both parts."""
    values = numpy.asarray(grey.convert("L"), numpy.float64).ravel()
    costs = {}
    for level in range(1, 256):
        dark, light = values[values < level], values[values >= level]
        if len(dark) and len(light):
            costs[level] = dark.var() * len(dark) + light.var() * len(light)
    return min(costs, key=lambda level: costs[level])


@pytest.fixture(scope="module")
def threshold(held: TiledPicture) -> int:
    return otsu(held.smallest())


def assert_alike(held: TiledPicture, whole: Image.Image, threshold: int, text: str) -> None:
    got, right = held.answer(f"{text}.png"), expected(whole, f"{text}.png")
    assert got.size == right.size
    pixels, plain = on_paper(got), on_paper(right)
    if parse(f"{text}.png").quality is Quality.BITONAL:
        assert set(numpy.unique(numpy.asarray(got.convert("RGBA"))[..., :3])) <= {0, 255}
        assert outliers(pixels, numpy.where(plain < threshold, 0, 255), TOLERANCE) <= BITONAL_OUTLIERS
        return
    assert numpy.abs(pixels - plain).mean() <= MEAN
    assert outliers(pixels, plain, TOLERANCE) <= OUTLIERS


sides = st.integers(100, 900)


@pytest.mark.slow
@settings(deadline=None, max_examples=EXAMPLES)
@given(
    place=st.tuples(st.integers(0, WIDTH - 100), st.integers(0, HEIGHT - 100), sides, sides),
    width=st.integers(60, 600),
    stretch=st.sampled_from([1.0, 1.0, 1.0, 0.6, 1.7]),
    rotation=st.sampled_from(["0", "90", "180", "270", "17.5", "200"]),
    mirrored=st.booleans(),
    quality=st.sampled_from(["default", "color", "gray", "bitonal"]),
)
def test_rendering_agrees_with_pillow_for_any_request(
    held: TiledPicture,
    whole: Image.Image,
    threshold: int,
    place: tuple[int, int, int, int],
    width: int,
    stretch: float,
    rotation: str,
    mirrored: bool,
    quality: str,
) -> None:
    x, y, w, h = place
    shown_w, shown_h = min(w, WIDTH - x), min(h, HEIGHT - y)
    height = min(900, max(1, round(shown_h * width / shown_w * stretch)))
    assert_alike(held, whole, threshold, f"{x},{y},{w},{h}/^{width},{height}/{'!' * mirrored}{rotation}/{quality}")


@pytest.mark.parametrize("rotation", ["0", "90", "180", "270", "!0", "!90", "!180", "!270", "30"])
@pytest.mark.parametrize("quality", ["default", "gray", "bitonal"])
def test_rendering_in_strips_agrees_with_rendering_in_memory(
    held: TiledPicture, monkeypatch: pytest.MonkeyPatch, rotation: str, quality: str
) -> None:
    text = f"37,53,700,600/500,430/{rotation}/{quality}.png"
    in_memory = on_paper(held.answer(text))
    monkeypatch.setattr(pipeline, "SMALL_PIXELS", 0)
    difference = numpy.abs(on_paper(held.answer(text)) - in_memory)
    if quality == "bitonal":
        assert (difference > 0).mean() < 0.003
    else:  # libvips scales rows, rounds, then scales columns; a strip is rotated before that, the other way round
        assert difference.max() < 32
        assert (difference > 2).mean() < 0.005


@pytest.mark.parametrize("name", ["jpg", "png", "webp", "tif", "gif", "jp2", "avif"])
def test_every_format_agrees_with_pillow_in_memory_and_in_strips(
    held: TiledPicture, whole: Image.Image, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    text = "100,100,640,480/320,240/0/default"
    plain = on_paper(expected(whole, f"{text}.png"))
    for small in (4_000_000, 0):
        monkeypatch.setattr(pipeline, "SMALL_PIXELS", small)
        assert numpy.abs(on_paper(held.answer(f"{text}.{name}")) - plain).mean() <= MEAN + 2


@pytest.mark.parametrize("name", ["png", "webp", "tif", "gif", "jp2", "avif"])
def test_corners_of_a_rotated_picture_are_transparent(held: TiledPicture, name: str) -> None:
    got = numpy.asarray(held.answer(f"0,0,600,400/300,200/30/default.{name}").convert("RGBA"))
    for corner in (got[0, 0], got[0, -1], got[-1, 0], got[-1, -1]):
        assert corner[3] <= (2 if name == "jp2" else 0)
    assert got[got.shape[0] // 2, got.shape[1] // 2, 3] == 255


def test_corners_of_a_rotated_jpeg_are_white(held: TiledPicture) -> None:
    got = numpy.asarray(held.answer("0,0,600,400/300,200/30/default.jpg").convert("RGB"))
    assert min(got[0, 0].min(), got[0, -1].min(), got[-1, 0].min(), got[-1, -1].min()) > 250


@pytest.mark.parametrize("name", ["png", "tif"])
def test_bitonal_regions_fit_together_where_they_meet(held: TiledPicture, name: str) -> None:
    def pixels(text: str) -> numpy.ndarray:
        return numpy.asarray(held.answer(text).convert("L"))

    left, right = (pixels(f"{x},96,256,384/max/0/bitonal.{name}") for x in (64, 320))
    both = pixels(f"64,96,512,384/max/0/bitonal.{name}")
    assert numpy.array_equal(numpy.hstack([left, right]), both)
    assert 0.02 < (both == 0).mean() < 0.4


def test_bitonal_png_and_tiff_have_one_bit_a_pixel(held: TiledPicture) -> None:
    for name in ("png", "tif"):
        with Image.open(io.BytesIO(held.encoded(f"0,0,900,700/max/0/bitonal.{name}"))) as got:
            assert got.mode == "1"


def test_bitonal_picture_of_one_tone_is_white(tmp_path: Path) -> None:
    paper = (pyvips.Image.gaussnoise(300, 200, mean=200, sigma=2, seed=1)).cast("uchar").copy(interpretation="b-w")
    assert numpy.asarray(TiledPicture.of(paper, tmp_path).answer("full/max/0/bitonal.png")).all()


@pytest.mark.parametrize("small", [True, False])
def test_enlarged_picture_agrees_with_pillow(
    held: TiledPicture, whole: Image.Image, monkeypatch: pytest.MonkeyPatch, small: bool
) -> None:
    if not small:
        monkeypatch.setattr(pipeline, "SMALL_PIXELS", 0)
    for text in ("100,100,300,200/^600,400/0/default.png", "0,0,900,700/^990,770/90/default.png"):
        got, plain = on_paper(held.answer(text)), on_paper(expected(whole, text))
        assert numpy.abs(got - plain).mean() < 2
