"""JPEG responses, stored or rendered, have the same colours in every decoder."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import imagecodecs
import numpy
import pytest
import pyvips
from PIL import Image
from playwright.sync_api import Browser
from tiled_picture import TiledPicture

from iiif_server.render import pipeline

pytestmark = pytest.mark.browser

COLOURS = [(220, 30, 30), (30, 200, 30), (30, 30, 220), (240, 240, 240), (16, 16, 16), (210, 180, 130)]
MAX_DIFFERENCE = 2.0
"""Levels of 255 by which the mean of a patch may differ: decoders round colours differently."""

DECODE = """
async (data) => {
  const picture = new Image();
  picture.src = "data:image/jpeg;base64," + data;
  await picture.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
  const context = canvas.getContext("2d", {colorSpace: "srgb"});
  context.drawImage(picture, 0, 0);
  return canvas.toDataURL("image/png").split(",")[1];
}
"""
"""Returns the decoded pixels as a PNG, which keeps their values. As an array, a second is spent on sending them."""


@pytest.fixture(scope="module", params=["colour", "grey"])
def tiled_picture(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TiledPicture:
    patches = [pyvips.Image.black(64, 128, bands=3) + list(colour) for colour in COLOURS]
    picture = pyvips.Image.arrayjoin(patches).cast("uchar").copy(interpretation="srgb")
    picture = picture if request.param == "colour" else picture.colourspace("b-w")
    return TiledPicture.of(picture, tmp_path_factory.mktemp(request.param), tile_size=512)


@pytest.mark.parametrize("kind", ["stored", "rendered", "rendered in strips"])
def test_jpeg_has_the_same_colours_in_every_decoder(
    tiled_picture: TiledPicture, browser: Browser, monkeypatch: pytest.MonkeyPatch, kind: str, tmp_path: Path
) -> None:
    monkeypatch.setattr(pipeline, "SMALL_PIXELS", 0 if kind == "rendered in strips" else 4_000_000)
    data = (
        tiled_picture.tiles([0])[0] if kind == "stored" else tiled_picture.encoded("0,0,384,126/^384,126/0/default.jpg")
    )
    decoded = {
        "libjpeg-turbo": imagecodecs.jpeg8_decode(data),
        "libvips": pyvips.Image.new_from_buffer(data, "").numpy(),
        "Pillow": numpy.asarray(Image.open(io.BytesIO(data))),
        "Chromium": in_chromium(browser, data),
    }
    expected = means(tiled_picture.whole())
    for name, pixels in decoded.items():
        assert numpy.abs(means(Image.fromarray(pixels)) - expected).max() < MAX_DIFFERENCE, name


def in_chromium(browser: Browser, data: bytes) -> numpy.ndarray:
    page = browser.new_page()
    picture = base64.b64decode(page.evaluate(DECODE, base64.b64encode(data).decode()))
    page.close()
    return numpy.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def means(picture: Image.Image) -> numpy.ndarray:
    """Return the colour in the middle of each patch."""
    pixels = numpy.asarray(picture.convert("RGB"), numpy.float64)
    return numpy.array([pixels[20:100, 64 * n + 20 : 64 * n + 44].mean((0, 1)) for n in range(len(COLOURS))])
