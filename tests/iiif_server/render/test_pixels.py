"""Answers against an independent, plain way: everything decoded, Pillow and numpy, nothing of ours but the grammar."""

from __future__ import annotations

import io
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

WIDTH, HEIGHT = 900, 700
MEAN = 5.0
"""Levels of 255 by which an answer may differ from the plain way on average: levels are JPEG, and halved by boxes."""

SOFT_MEAN = 12.0
"""The same where strokes of a few pixels are shrunk to half or less, or slanted: there the kernels differ more."""

TOLERANCE = 32
"""Levels by which a pixel may lie outside of what the plain way has there or one pixel beside."""

FEW = 0.01
"""The part of the pixels that may lie outside."""


def page() -> pyvips.Image:
    """A woodblock page in little: paper with a grain, a red frame, black strokes of every breadth and slant."""
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
    """The threshold by the definition: every split tried, the variances within both parts added."""
    values = numpy.asarray(grey.convert("L"), numpy.float64).ravel()
    costs = {}
    for level in range(1, 256):
        dark, light = values[values < level], values[values >= level]
        if len(dark) and len(light):
            costs[level] = dark.var() * len(dark) + light.var() * len(light)
    return min(costs, key=lambda level: costs[level])


def middles(first: numpy.ndarray, second: numpy.ndarray) -> list[numpy.ndarray]:
    """What two pictures about one centre share: Pillow rounds the box around a slanted picture in another way."""
    height, width = numpy.minimum(first.shape, second.shape)[:2]
    pair = []
    for one in (first, second):
        top, left = (one.shape[0] - height) // 2, (one.shape[1] - width) // 2
        pair.append(one[top : top + height, left : left + width])
    return pair


@pytest.fixture(scope="module")
def threshold(held: TiledPicture) -> int:
    return otsu(held.smallest())


def assert_alike(held: TiledPicture, whole: Image.Image, threshold: int, text: str) -> None:
    asked = parse(f"{text}.png")
    slanted = asked.rotation.degrees % 90 != 0
    got, right = held.answer(f"{text}.png"), expected(whole, f"{text}.png")
    assert numpy.abs(numpy.subtract(got.size, right.size)).max() <= (2 if slanted else 0)
    pixels, plain = middles(on_paper(got), on_paper(right))
    if asked.quality is Quality.BITONAL:
        assert set(numpy.unique(numpy.asarray(got.convert("RGBA"))[..., :3])) <= {0, 255}
        assert outliers(pixels, numpy.where(plain < threshold, 0, 255), TOLERANCE) <= 10 * FEW
        return
    region, size = asked.region, asked.size
    shrunk = 2 * size.width <= region.width or 2 * size.height <= region.height
    assert numpy.abs(pixels - plain).mean() <= (SOFT_MEAN if shrunk or slanted else MEAN)
    assert outliers(pixels, plain, TOLERANCE) <= FEW


sides = st.integers(100, 900)


# The same requests each time: a region is laid on whole pixels of its level, and who searches long enough finds a small
# picture that lies half a pixel beside the plain way's (docs/developers.md).
@settings(deadline=None, max_examples=200, derandomize=True)
@given(
    place=st.tuples(st.integers(0, WIDTH - 100), st.integers(0, HEIGHT - 100), sides, sides),
    width=st.integers(60, 600),
    stretch=st.sampled_from([1.0, 1.0, 1.0, 0.6, 1.7]),
    turn=st.sampled_from(["0", "90", "180", "270", "17.5", "200"]),
    mirrored=st.booleans(),
    quality=st.sampled_from(["default", "color", "gray", "bitonal"]),
)
def test_any_request_gives_what_the_plain_way_gives(
    held: TiledPicture,
    whole: Image.Image,
    threshold: int,
    place: tuple[int, int, int, int],
    width: int,
    stretch: float,
    turn: str,
    mirrored: bool,
    quality: str,
) -> None:
    x, y, w, h = place
    shown_w, shown_h = min(w, WIDTH - x), min(h, HEIGHT - y)
    height = min(900, max(1, round(shown_h * width / shown_w * stretch)))
    assert_alike(held, whole, threshold, f"{x},{y},{w},{h}/^{width},{height}/{'!' * mirrored}{turn}/{quality}")


@pytest.mark.parametrize("turn", ["0", "90", "180", "270", "!0", "!90", "!180", "!270", "30"])
@pytest.mark.parametrize("quality", ["default", "gray", "bitonal"])
def test_a_large_picture_made_strip_by_strip_is_the_same(
    held: TiledPicture, monkeypatch: pytest.MonkeyPatch, turn: str, quality: str
) -> None:
    text = f"37,53,700,600/500,430/{turn}/{quality}.png"
    in_memory = on_paper(held.answer(text))
    monkeypatch.setattr(pipeline, "SMALL_PIXELS", 0)
    difference = numpy.abs(on_paper(held.answer(text)) - in_memory)
    if quality == "bitonal":
        assert (difference > 0).mean() < 0.003
    else:  # libvips scales rows first, then columns, and rounds between the two: turned first, the other way round
        assert difference.max() < 32
        assert (difference > 2).mean() < 0.005


@pytest.mark.parametrize("name", ["jpg", "png", "webp", "tif", "gif", "jp2", "avif"])
def test_every_format_is_the_same_picture_however_large(
    held: TiledPicture, whole: Image.Image, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    text = "100,100,640,480/320,240/0/default"
    plain = on_paper(expected(whole, f"{text}.png"))
    for small in (4_000_000, 0):
        monkeypatch.setattr(pipeline, "SMALL_PIXELS", small)
        assert numpy.abs(on_paper(held.answer(f"{text}.{name}")) - plain).mean() <= MEAN + 2


@pytest.mark.parametrize("name", ["png", "webp", "tif", "gif", "jp2", "avif"])
def test_corners_of_a_slanted_picture_are_clear(held: TiledPicture, name: str) -> None:
    got = numpy.asarray(held.answer(f"0,0,600,400/300,200/30/default.{name}").convert("RGBA"))
    for corner in (got[0, 0], got[0, -1], got[-1, 0], got[-1, -1]):
        assert corner[3] <= (2 if name == "jp2" else 0)
    assert got[got.shape[0] // 2, got.shape[1] // 2, 3] == 255


def test_corners_of_a_slanted_jpeg_are_white(held: TiledPicture) -> None:
    got = numpy.asarray(held.answer("0,0,600,400/300,200/30/default.jpg").convert("RGB"))
    assert min(got[0, 0].min(), got[0, -1].min(), got[-1, 0].min(), got[-1, -1].min()) > 250


@pytest.mark.parametrize("name", ["png", "tif"])
def test_black_and_white_fit_together_where_regions_meet(held: TiledPicture, name: str) -> None:
    def pixels(text: str) -> numpy.ndarray:
        return numpy.asarray(held.answer(text).convert("L"))

    left, right = (pixels(f"{x},96,256,384/max/0/bitonal.{name}") for x in (64, 320))
    both = pixels(f"64,96,512,384/max/0/bitonal.{name}")
    assert numpy.array_equal(numpy.hstack([left, right]), both)
    assert 0.02 < (both == 0).mean() < 0.4


def test_black_and_white_cost_one_bit_a_pixel(held: TiledPicture) -> None:
    for name in ("png", "tif"):
        with Image.open(io.BytesIO(held.encoded(f"0,0,900,700/max/0/bitonal.{name}"))) as got:
            assert got.mode == "1"


def test_a_picture_of_one_tone_is_not_split_by_its_grain(tmp_path: Path) -> None:
    paper = (pyvips.Image.gaussnoise(300, 200, mean=200, sigma=2)).cast("uchar").copy(interpretation="b-w")
    assert numpy.asarray(TiledPicture.of(paper, tmp_path).answer("full/max/0/bitonal.png")).all()


@pytest.mark.parametrize("small", [True, False])
def test_an_enlarged_picture_lies_where_it_should(
    held: TiledPicture, whole: Image.Image, monkeypatch: pytest.MonkeyPatch, small: bool
) -> None:
    if not small:
        monkeypatch.setattr(pipeline, "SMALL_PIXELS", 0)
    for text in ("100,100,300,200/^600,400/0/default.png", "0,0,900,700/^990,770/90/default.png"):
        got, plain = on_paper(held.answer(text)), on_paper(expected(whole, text))
        assert numpy.abs(got - plain).mean() < 2
