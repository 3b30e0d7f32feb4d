"""Answers of one pixel, and of one pixel in width or height, in every format, quality and rotation."""

from __future__ import annotations

import io
import re

import numpy
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tiled_picture import OPEN, TiledPicture

from iiif_server.render import pipeline
from iiif_server.request.geometry import plan, rotated_size
from iiif_server.request.grammar import OutputFormat, Quality, parse

LIGHT, DARK = 210, 40
TOLERANCE = 30
"""Levels of 255 by which a colour may differ: it passes two lossy codecs, in a picture of hardly any pixels."""

SIDES = [(1, 1), (1, 300), (300, 1), (40, 30)]


def halves(width: int, height: int, bands: int) -> pyvips.Image:
    """Return a picture that is light in its first half and dark in its second, along its longer side."""
    places = pyvips.Image.xyz(width, height)[0 if width >= height else 1]
    picture = (places < max(width, height) / 2).ifthenelse(LIGHT, DARK).cast("uchar")
    if bands == 1:
        return picture.copy(interpretation="b-w")
    return picture.bandjoin([picture] * (bands - 1)).copy(interpretation="srgb")


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> list[TiledPicture]:
    """Every picture of `SIDES`, grey and in colour."""
    return [
        TiledPicture.of(halves(*sides, bands), tmp_path_factory.mktemp("narrow")) for sides in SIDES for bands in (1, 3)
    ]


def decoded(encoded: bytes) -> Image.Image:
    """Return an answer; of a PDF, its JPEG, whose sides the PDF must state."""
    if not encoded.startswith(b"%PDF-"):
        return Image.open(io.BytesIO(encoded))
    picture = Image.open(io.BytesIO(encoded[encoded.index(b"\xff\xd8\xff") : encoded.rindex(b"\nendstream")]))
    stated = re.search(rb"/Width (\d+) /Height (\d+) /ColorSpace /Device(\w+)", encoded)
    assert stated
    assert picture.size == (int(stated[1]), int(stated[2]))
    assert stated[3] == (b"Gray" if picture.mode == "L" else b"RGB")
    return picture


@pytest.mark.slow
@settings(deadline=None, max_examples=400)
@given(
    index=st.integers(0, 2 * len(SIDES) - 1),
    region=st.sampled_from(["full", "square", "0,0,1,1", "0,0,1,9999", "0,0,9999,1"]),
    size=st.sampled_from(["max", "^1,1", "^1,17", "^17,1", "^3,3", "^2,40"]),
    rotation=st.sampled_from(["0", "90", "180", "270", "!0", "!90", "45", "7.5", "!200"]),
    quality=st.sampled_from(list(Quality)),
    wanted=st.sampled_from(list(OutputFormat)),
    in_strips=st.booleans(),
)
def test_answer_of_one_pixel_in_width_or_height_is_a_picture_of_its_size_in_every_format(
    held: list[TiledPicture],
    index: int,
    region: str,
    size: str,
    rotation: str,
    quality: Quality,
    wanted: OutputFormat,
    in_strips: bool,
) -> None:
    text = f"{region}/{size}/{rotation}/{quality}.{wanted}"
    with pytest.MonkeyPatch.context() as patch:
        if in_strips:
            patch.setattr(pipeline, "SMALL_PIXELS", 0)
        picture = decoded(held[index].encoded(text))
    task = plan(parse(text), held[index].grid, OPEN)
    assert picture.size == rotated_size(task.width, task.height, task.rotation.degrees)
    picture.load()


@pytest.mark.slow
@pytest.mark.parametrize("in_strips", [False, True])
@pytest.mark.parametrize("quality", list(Quality))
@pytest.mark.parametrize("wanted", list(OutputFormat))
def test_narrow_picture_has_its_tones_in_every_format(
    held: list[TiledPicture], monkeypatch: pytest.MonkeyPatch, wanted: OutputFormat, quality: Quality, in_strips: bool
) -> None:
    if in_strips:
        monkeypatch.setattr(pipeline, "SMALL_PIXELS", 0)
    light, dark = (255, 0) if quality is Quality.BITONAL else (LIGHT, DARK)
    for picture in held:
        got = numpy.asarray(decoded(picture.encoded(f"full/max/0/{quality}.{wanted}")).convert("L"), numpy.int16)
        along = got[0] if picture.grid.width >= picture.grid.height else got[:, 0]
        middle = len(along) // 2
        assert abs(int(numpy.median(along[: max(1, middle)])) - light) <= TOLERANCE
        assert len(along) == 1 or abs(int(numpy.median(along[middle:])) - dark) <= TOLERANCE
