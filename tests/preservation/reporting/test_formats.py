"""The table of formats names the identifiers of PRONOM by which `pygfried` knows files of these formats."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy
import pygfried
import pytest
import pyvips

from preservation.reporting.formats import FORMATS, FormatRisk, facts_of
from workers.masters.formats import FORMATS as ACCEPTED
from workers.masters.formats import MasterFormat

WRITTEN = {
    ".tif": "image/tiff",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
}


@pytest.mark.parametrize("master_format", ACCEPTED, ids=lambda each: each.name)
def test_every_accepted_format_has_a_stated_risk(master_format: MasterFormat) -> None:
    facts = facts_of(master_format.media_type)
    assert facts.risk is not FormatRisk.UNKNOWN
    assert facts.reason.zh
    assert facts.reason.en


def test_an_unknown_format_is_said_to_be_unknown() -> None:
    assert facts_of("image/x-none").risk is FormatRisk.UNKNOWN


@pytest.mark.parametrize("suffix", WRITTEN)
def test_identifiers_are_those_that_pronom_gives_to_files(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"page{suffix}"
    pyvips.Image.black(64, 64, bands=3).copy(interpretation="srgb").write_to_file(str(file))
    assert pygfried.identify(str(file)) in FORMATS[WRITTEN[suffix]].puids


@pytest.mark.parametrize(("code", "media_type"), [("jp2", "image/jp2"), ("j2k", "image/j2c")])
def test_identifiers_of_jpeg_2000_are_those_that_pronom_gives(code: str, media_type: str, tmp_path: Path) -> None:
    file = tmp_path / f"page.{code}"
    file.write_bytes(imagecodecs.jpeg2k_encode(numpy.zeros((64, 64, 3), "uint8"), codecformat=code))
    assert pygfried.identify(str(file)) in FORMATS[media_type].puids


def test_bigtiff_is_a_version_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "page.tif"
    pyvips.Image.black(64, 64).tiffsave(str(file), bigtiff=True)
    assert pygfried.identify(str(file)) in FORMATS["image/tiff"].puids
