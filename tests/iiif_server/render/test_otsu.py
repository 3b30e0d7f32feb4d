"""The threshold of the bitonal quality."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
import pyvips
from prerequisites import require
from tiled_picture import TiledPicture

from iiif_server.render.otsu import otsu_threshold

pytestmark = pytest.mark.slow

BOOKS = Path(__file__).resolve().parents[4] / "shared" / "data" / "books"


@pytest.mark.parametrize(("ink", "paper", "part"), [(20, 220, 0.1), (60, 150, 0.02), (0, 255, 0.5), (110, 140, 0.3)])
def test_threshold_is_between_ink_and_paper(ink: int, paper: int, part: float) -> None:
    chance = numpy.random.default_rng(1)
    tones = numpy.where(chance.random((400, 400)) < part, ink, paper)
    grey = numpy.clip(tones + chance.normal(0, 4, tones.shape), 0, 255).astype(numpy.uint8)
    assert ink + 8 < otsu_threshold(grey) <= paper - 8


def test_threshold_of_one_tone_is_the_middle() -> None:
    assert otsu_threshold(numpy.full((9, 9), 7, numpy.uint8)) == 128
    grain = numpy.random.default_rng(2).normal(200, 2, (99, 99)).astype(numpy.uint8)
    assert otsu_threshold(grain) == 128


SCANS = [BOOKS / name for name in ("siku-zongmu/0002.png", "siku-jianming/0001.jpg", "shiji-mulu/0002.jpg")]


def pieces(black: numpy.ndarray) -> int:
    """Return the number of connected black areas of some size."""
    mask = pyvips.Image.new_from_array((black * 255).astype(numpy.uint8))
    labels = mask.labelregions().numpy().ravel()
    sizes = numpy.bincount(labels)
    inked = numpy.zeros(len(sizes), bool)
    inked[labels[black.ravel()]] = True
    return int((inked & (sizes >= 12)).sum())


@pytest.mark.parametrize("scan", SCANS, ids=lambda path: path.parent.name)
def test_threshold_of_a_woodblock_page_keeps_strokes_connected_and_paper_white(scan: Path, tmp_path: Path) -> None:
    require(scan, f"the scan {scan}", demanded_by=())
    page = pyvips.Image.new_from_file(str(scan))
    held = TiledPicture.of(page[:3] if page.bands > 2 else page[0], tmp_path, 512, 80)
    x, y, width, height = (page.width // 4, page.height // 4, page.width // 2, page.height // 2)
    region = f"{x},{y},{width},{height}"
    full = numpy.asarray(held.answer(f"{region}/max/0/bitonal.png").convert("L")) == 0
    half = numpy.asarray(held.answer(f"{region}/{width // 2},{height // 2}/0/bitonal.png").convert("L")) == 0
    grey = numpy.asarray(held.answer(f"{region}/max/0/gray.png").convert("L"))
    paper = numpy.percentile(grey, 75)
    print(scan.parent.name, full.mean(), half.mean(), pieces(full), pieces(half), full[grey > paper - 12].mean())
    assert 0.03 < full.mean() < 0.35
    assert full[grey > paper - 12].mean() < 0.001
    assert abs(half.mean() - full.mean()) < 0.15 * full.mean()
    assert pieces(half) < 1.5 * pieces(full)
