"""The examiner hashes, decodes and tiles a master in one pass, and names the cause when it cannot."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repository.config import Settings
from repository.errors import MasterUnreadable, StagingFault
from workers.masters.examine import ChildExaminer, open_child_examiner

SAMPLES = np.random.default_rng(2).integers(0, 256, (700, 900, 3), dtype=np.uint8)


@pytest.fixture
def master(tmp_path: Path) -> Path:
    Image.fromarray(SAMPLES).save(tmp_path / "0001.png")
    return tmp_path / "0001.png"


@pytest.fixture
def examiner(tmp_path: Path) -> Iterator[ChildExaminer]:
    with open_child_examiner(Settings(decode_seconds=60), tmp_path, 1) as examiner:
        yield examiner


def test_examiner_hashes_and_measures_a_master(master: Path, examiner: ChildExaminer) -> None:
    examined = examiner(master, None)
    assert examined.sha256 == hashlib.sha256(master.read_bytes()).hexdigest()
    assert (examined.bytes, examined.media_type) == (master.stat().st_size, "image/png")
    assert (examined.width, examined.height) == (900, 700)
    assert examined.pyramid is None


def test_examiner_writes_the_pyramid_in_the_same_pass(master: Path, examiner: ChildExaminer, tmp_path: Path) -> None:
    examined = examiner(master, tmp_path / "0001.zip")
    assert examined.pyramid is not None
    assert examined.pixels == examined.pyramid.fingerprint
    assert examined.pyramid.bytes == (tmp_path / "0001.zip").stat().st_size
    with zipfile.ZipFile(tmp_path / "0001.zip") as pyramid:
        assert any(name.endswith("0,0,512,512/512,512/0/default.jpg") for name in pyramid.namelist())


@pytest.mark.parametrize("with_pyramid", [False, True])
def test_fingerprint_depends_on_the_pixels_and_not_on_the_file(
    with_pyramid: bool, master: Path, examiner: ChildExaminer, tmp_path: Path
) -> None:
    Image.fromarray(SAMPLES).save(tmp_path / "0002.tif")
    Image.fromarray(SAMPLES[::-1]).save(tmp_path / "0003.png")
    names = ("0001.png", "0002.tif", "0003.png")
    targets = [tmp_path / f"{name}.zip" if with_pyramid else None for name in names]
    first, same, other = (examiner(tmp_path / name, target) for name, target in zip(names, targets, strict=True))
    assert first.pixels == same.pixels != other.pixels
    assert first.sha256 != same.sha256


def test_a_damaged_master_is_refused_while_its_pyramid_is_written(
    master: Path, examiner: ChildExaminer, tmp_path: Path
) -> None:
    content = bytearray(master.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2 - 12) + content[-12:]
    master.write_bytes(content)
    with pytest.raises(MasterUnreadable):
        examiner(master, tmp_path / "0001.zip")


def test_a_master_that_does_not_exist_is_refused(examiner: ChildExaminer, tmp_path: Path) -> None:
    with pytest.raises(MasterUnreadable):
        examiner(tmp_path / "0009.tif", None)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk]).returncode:
        pytest.skip("only root may mount a small file system to fill")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_is_a_staging_fault_when_an_image_is_rotated(small_disk: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(SAMPLES).save(tmp_path / "0001.png", exif=exif)
    with (
        open_child_examiner(Settings(decode_seconds=60), small_disk, 1) as examiner,
        pytest.raises(StagingFault),
    ):
        examiner(tmp_path / "0001.png", None)


def test_a_full_disk_is_a_staging_fault_when_a_pyramid_is_written(
    small_disk: Path, master: Path, examiner: ChildExaminer
) -> None:
    with pytest.raises(StagingFault):
        examiner(master, small_disk / "0001.zip")
