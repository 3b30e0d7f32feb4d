"""PDFs, read by Poppler's tools."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy
import pytest
import pyvips
from PIL import Image
from prerequisites import require
from tiled_picture import TiledPicture

from iiif_server.render import pipeline

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def poppler() -> str:
    return require(shutil.which("pdfinfo"), "Debian's package poppler-utils")


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> TiledPicture:
    places = pyvips.Image.xyz(800, 600)
    bands = (places[0] * (255 / 799)).bandjoin([places[1] * (255 / 599), 128])
    return TiledPicture.of(bands.cast("uchar").copy(interpretation="srgb"), tmp_path_factory.mktemp("pdf"))


def output_of(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("quality", ["default", "gray", "bitonal"])
@pytest.mark.parametrize("small", [True, False])
def test_pdf_has_one_page_of_the_right_size_with_the_jpeg(
    poppler: str, held: TiledPicture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quality: str, small: bool
) -> None:
    if not small:
        monkeypatch.setattr(pipeline, "SMALL_PIXELS", 0)
    file = tmp_path / "page.pdf"
    file.write_bytes(held.encoded(f"0,0,800,450/400,225/90/{quality}.pdf"))
    information = output_of(poppler, file)
    assert re.search(r"Pages: +1\n", information)
    assert re.search(r"Page size: +54 x 96 pts", information)  # 225 by 400 pixels at 300 an inch
    listed = output_of("pdfimages", "-list", file).splitlines()[2:]
    assert [line.split()[2:9] for line in listed] == [
        ["image", "225", "400", *(["gray", "1"] if quality != "default" else ["rgb", "3"]), "8", "jpeg"]
    ]
    output_of("pdfimages", "-j", file, tmp_path / "inside")
    assert (tmp_path / "inside-000.jpg").read_bytes() in file.read_bytes()
    output_of("pdftoppm", "-r", "300", "-png", file, tmp_path / "shown")
    with Image.open(next(tmp_path.glob("shown*.png"))) as shown:
        pixels = numpy.asarray(shown.convert("RGB"), numpy.int16)
    right = numpy.asarray(held.answer(f"0,0,800,450/400,225/90/{quality}.jpg").convert("RGB"), numpy.int16)
    assert pixels.shape == right.shape
    assert numpy.abs(pixels - right).mean() < 3
