"""Real scans and broken files: decoded as an independent decoder does, or refused with a reason."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps
from silent_progress import SilentProgress

from repository.config import Settings
from repository.faults import Fault
from workers.deposit.assemble import AssembledDeposit
from workers.deposit.check import check
from workers.deposit.examiner import ChildDepositExaminer, open_deposit_examiner

# Every file of data/images/formats: the largest mean absolute difference from an independent decoding (levels of 255),
# or the code of the refusal. A change from one to the other changes what libraries can deposit. CMYK without a profile
# has no single right rendering: the bound only distinguishes a picture from its negative.
EXACT, CLOSE, DEEP, UNMANAGED = 0.0, 0.01, 0.5, 35.0
FORMATS: dict[str, float | str] = {
    "jp2/16-bit-gray.jp2": EXACT,
    "jp2/aware.jp2": CLOSE,
    "jp2/jp2-6res-rgb-64x56x16-monotiled-reversible.jp2": DEEP,
    "jp2/jp2-6res-rgb-64x56x8-multitiled-reversible.jp2": CLOSE,
    "jp2/jp2-6res-rgba-64x56x8-monotiled-lossy.jp2": CLOSE,
    "jp2/jp2-orientation-90.jp2": CLOSE,
    "jp2/jp2-xmp.jp2": CLOSE,
    "jp2/kakadu71.jp2": CLOSE,
    "jp2/oj-ht-byte.jph": CLOSE,
    "jp2/palettedImage.jp2": EXACT,
    "jp2/reference.jp2": CLOSE,
    "jp2/隨機中國文字.jp2": CLOSE,
    "jpeg/Channel_digital_image_CMYK_color_no_profile.jpg": UNMANAGED,
    "jpeg/hopper_orientation_2.jpg": CLOSE,
    "jpeg/hopper_orientation_3.jpg": CLOSE,
    "jpeg/hopper_orientation_4.jpg": CLOSE,
    "jpeg/hopper_orientation_5.jpg": CLOSE,
    "jpeg/hopper_orientation_6.jpg": CLOSE,
    "jpeg/hopper_orientation_7.jpg": CLOSE,
    "jpeg/hopper_orientation_8.jpg": CLOSE,
    "jpeg/jpeg_with_p3_profile.jpg": CLOSE,
    "jpeg/jpg-exif-long-orientation.jpg": CLOSE,
    "jpeg/jpg-exif-orientation-270.jpg": CLOSE,
    "jpeg/jpg-exif-orientation-illegal.jpg": CLOSE,
    "jpeg/jpg-icc.jpg": CLOSE,
    "jpeg/jpg-iptc.jpg": CLOSE,
    "jpeg/jpg-xmp-extended.jpg": CLOSE,
    "jpeg/jpg-xmp-orientation-90.jpg": CLOSE,
    "jpeg/jpg-ycck.jpg": UNMANAGED,
    "jpeg/wide.jpg": CLOSE,
    "other/1.webp": CLOSE,
    "other/indexed.png": EXACT,
    "other/png-rgba-64x56x16.png": CLOSE,
    "other/png-rotated.png": EXACT,
    "other/png-xmp.png": CLOSE,
    "tiff/BigTIFF.tif": EXACT,
    "tiff/BigTIFFMotorola.tif": EXACT,
    "tiff/CCITT-G4-300dpi-StripByteCounts0.tif": EXACT,
    "tiff/cmyk-3c-16b.tiff": UNMANAGED,
    "tiff/cmyk-4c-8b.tiff": UNMANAGED,
    "tiff/cmyk_jpeg_no_profile.tif": UNMANAGED,
    "tiff/fax4.tiff": EXACT,
    "tiff/g4_orientation_1.tif": EXACT,
    "tiff/g4_orientation_3.tif": EXACT,
    "tiff/g4_orientation_6.tif": EXACT,
    "tiff/g4_orientation_8.tif": EXACT,
    "tiff/group4.tif": EXACT,
    "tiff/imagemagick_group4.tiff": EXACT,
    "tiff/miniswhite-1c-1b.tiff": EXACT,
    "tiff/palette-1c-8b.tiff": EXACT,
    "tiff/planar-rgb-u8.tif": EXACT,
    "tiff/pport_g4.tif": EXACT,
    "tiff/pyramid_caillebotte.tif": CLOSE,
    "tiff/rgb-3c-16b.tiff": DEEP,
    "tiff/scan-mono-iccgray.tif": EXACT,
    "tiff/subsampled.tif": CLOSE,
    "tiff/tif-exif.tif": CLOSE,
    "tiff/tif-iptc.tif": CLOSE,
    "tiff/tif-rgb-1res-64x56x16-striped-zip.tif": CLOSE,
    "tiff/tif-rgb-1res-64x56x8-striped-lzw.tif": CLOSE,
    "tiff/tif-rgb-1res-64x56x8-striped-packbits.tif": CLOSE,
    "tiff/tif-rgb-1res-64x56x8-tiled-jpeg.tif": CLOSE,
    "tiff/tif-rgb-1res-64x56x8-tiled-uncompressed-bigtiff.tif": CLOSE,
    "tiff/tif-rgb-1res-64x56x8-tiled-zip.tif": CLOSE,
    "tiff/tif-rgb-3res-64x56x16-tiled-uncompressed.tif": CLOSE,
    "tiff/tif-rgba-1res-64x56x16-tiled-lzw.tif": CLOSE,
    "tiff/tif-rgba-1res-64x56x8-striped-uncompressed.tif": CLOSE,
    "tiff/tif-rotated.tif": CLOSE,
    "tiff/tif-xmp.tif": CLOSE,
    "tiff/tiff_16bit_RGBa.tiff": DEEP,
    "tiff/tiff_strip_cmyk_jpeg.tif": UNMANAGED,
    "tiff/tiled-jpeg-ycbcr.tif": CLOSE,
    "jpeg/jpg-incorrect-extension.png": "master.suffix",
    "other/bmp-rgb-64x56x8.bmp": "master.format",
    "other/gif-animated-looping.gif": "master.format",
    "other/pdf-multipage.pdf": "master.format",
    "other/sample.hdr": "master.format",
    "tiff/12bit.cropped.rgb.tiff": "master.format",  # samples that are no whole bytes
    "tiff/int16_zstd.tif": "master.format",  # signed samples
    "tiff/minisblack-2c-8b-alpha.tiff": "master.format",  # libvips gives wrong pixels for two separate planes
    "tiff/tiff_tiled_planar_16bit_RGB.tiff": "master.format",  # tiles of separate planes
}

DECODE = """
import sys
import numpy
from repository.config import Settings
from tempfile import TemporaryFile
from workers.masters.decode import block_other_loaders, opened_master
from workers.masters.examine import MasterSettings
from workers.masters.master_file import MasterFile
block_other_loaders()
for number, path in enumerate(sys.argv[2:]):
    with open(path, "rb") as file, TemporaryFile() as spool:
        opened = MasterFile(file.fileno(), path, spool.fileno())
        with opened_master(opened, MasterSettings.of(Settings())) as master:
            numpy.save(f"{sys.argv[1]}/{number}.npy", master.image.numpy())
"""


def accepted() -> list[str]:
    return [name for name, expected in FORMATS.items() if isinstance(expected, float)]


@pytest.fixture(scope="module")
def decoded(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Every format that is taken, as a child process decodes it."""
    folder = tmp_path_factory.mktemp("decoded")
    paths = [str(shared / "data/images/formats" / name) for name in accepted()]
    subprocess.run([sys.executable, "-c", DECODE, str(folder), *paths], check=True, capture_output=True)
    return {name: np.load(folder / f"{number}.npy") for number, name in enumerate(accepted())}


@pytest.fixture(scope="module")
def examiner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildDepositExaminer]:
    with open_deposit_examiner(Settings(decode_seconds=30), tmp_path_factory.mktemp("scratch")) as examiner:
        yield examiner


def planes(samples: np.ndarray) -> np.ndarray:
    """Return an array of rows, columns and bands, of 32-bit numbers: half the memory of 64 bits takes half the time."""
    return (samples if samples.ndim == 3 else samples[..., None]).astype(np.float32)


def decoded_by_pillow(path: Path) -> np.ndarray:
    """Decode a file by Pillow and Little CMS: upright, colour-managed, on white."""
    with Image.open(path) as opened:
        profile = opened.info.get("icc_profile")
        if path.name == "tif-rotated.tif":  # Pillow 12 garbles uncompressed TIFFs that must be rotated
            image = Image.fromarray(np.rot90(tifffile.imread(path), -1))
        else:  # Pillow itself rotates a TIFF by its tag, and would rotate a PNG by XMP, which we ignore
            image = ImageOps.exif_transpose(opened) if opened.format == "JPEG" else opened.copy()
    if image.mode.startswith("I"):
        image = Image.fromarray(np.rint(np.asarray(image) / 257).astype(np.uint8))
    alpha = planes(np.asarray(image.convert("RGBA").getchannel("A"))) / 255 if image.mode in {"LA", "RGBA"} else None
    image = image.convert({"1": "L", "LA": "L", "P": "RGB", "RGBA": "RGB"}.get(image.mode, image.mode))
    if profile and image.mode == "RGB":
        embedded, screen = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
        image = ImageCms.profileToProfile(image, embedded, screen, renderingIntent=1, flags=flags)
    samples = planes(np.asarray(image.convert("RGB") if image.mode == "CMYK" else image))
    return samples if alpha is None else samples * alpha + 255 * (1 - alpha)


def decoded_by_tifffile(path: Path) -> np.ndarray:
    """Decode the TIFFs that Pillow cannot read: plain RGB, CMYK with alpha."""
    samples = planes(tifffile.imread(path))
    if samples.shape[-1] == 5:
        colour = (255 - samples[..., :3]) * (255 - samples[..., 3:4]) / 255
        alpha = samples[..., 4:] / 255
        return colour * alpha + 255 * (1 - alpha)
    return samples


BY_TIFFFILE = {"tiff/BigTIFFMotorola.tif", "tiff/cmyk-4c-8b.tiff"}


@pytest.mark.parametrize("name", accepted())
def test_an_accepted_format_is_decoded_as_an_independent_decoder_does(
    name: str, shared: Path, decoded: dict[str, np.ndarray]
) -> None:
    path = shared / "data/images/formats" / name
    expected = decoded_by_tifffile(path) if name in BY_TIFFFILE else decoded_by_pillow(path)
    shown = planes(decoded[name])
    assert shown.shape == expected.shape
    difference = np.subtract(shown, expected, out=shown)
    assert np.abs(difference, out=difference).mean(dtype=float) <= FORMATS[name]


def deposit(folder: Path, *files: Path) -> Path:
    folder.mkdir()
    (folder / "work.toml").write_text('title = "試"', "utf-8")
    for file in files:
        shutil.copyfile(file, folder / file.name)
    return folder


def checked(folder: Path, examiner: ChildDepositExaminer) -> AssembledDeposit:
    return check(folder, examiner, SilentProgress())


def codes(faults: tuple[Fault, ...]) -> set[tuple[str, str]]:
    return {(fault.file, fault.code) for fault in faults}


def test_the_table_lists_every_sample_format(shared: Path) -> None:
    root = shared / "data/images/formats"
    assert {path.relative_to(root).as_posix() for path in root.glob("*/*")} == set(FORMATS)


def test_other_formats_are_refused_with_their_codes(
    shared: Path, tmp_path: Path, examiner: ChildDepositExaminer
) -> None:
    refused = {name: code for name, code in FORMATS.items() if isinstance(code, str)}
    folder = deposit(tmp_path / "deposit", *(shared / "data/images/formats" / name for name in refused))
    faults = codes(checked(folder, examiner).faults)
    assert {(Path(name).name, code) for name, code in refused.items()} <= faults


def broken(shared: Path) -> list[Path]:
    return sorted(path for path in (shared / "data/broken").glob("*/*") if path.is_file())


def test_every_broken_file_is_refused_with_a_message_in_time(
    shared: Path, tmp_path: Path, examiner: ChildDepositExaminer
) -> None:
    files = broken(shared)
    assert len(files) > 50
    folder = deposit(tmp_path / "deposit", *files)
    started = time.monotonic()
    result = checked(folder, examiner)
    assert time.monotonic() - started < 60
    assert result.work is None
    assert {path.name for path in files} <= {fault.file for fault in result.faults}
    assert all(fault.message.zh and fault.message.en for fault in result.faults)


SUFFIXES = {"fuzz-gif": ".gif", "fuzz-jpeg": ".jpg", "fuzz-png": ".png", "fuzz-tiff": ".tif", "fuzz-webp": ".webp"}

# A stream in which nothing is wrong but the picture: libwebp and every browser decode it to the end without complaint.
DECODABLE = {"54491aa87e5132d7bbce508f6cabc3a203f61c38-4"}


def test_broken_files_are_refused_under_a_valid_suffix_too(
    shared: Path, tmp_path: Path, examiner: ChildDepositExaminer
) -> None:
    folder = deposit(tmp_path / "deposit")
    expected = set()
    for number, path in enumerate(file for file in broken(shared) if file.name not in DECODABLE):
        name = f"{number:04d}{path.suffix or SUFFIXES.get(path.parent.name, '.tif')}"
        shutil.copyfile(path, folder / name)
        expected.add(name)
    result = checked(folder, examiner)
    assert expected <= {fault.file for fault in result.faults if fault.code.startswith("master.")} | {
        fault.file for fault in result.faults if fault.code == "file.unexpected"
    }


@pytest.mark.parametrize("book", ["kiko-zui", "scroll-landscape", "shiji-mulu", "siku-jianming", "siku-zongmu"])
def test_a_real_book_passes_the_checks_unchanged(book: str, shared: Path, examiner: ChildDepositExaminer) -> None:
    folder = shared / "data/books" / book
    result = checked(folder, examiner)
    assert result.faults == ()
    assert result.work is not None
    assert len(list(result.work.images())) == len(list(folder.glob("0*")))


@pytest.mark.parametrize("kind", ["cjk", "western"])
def test_real_pages_pass_the_checks(kind: str, shared: Path, tmp_path: Path, examiner: ChildDepositExaminer) -> None:
    pages = sorted((shared / "data/images" / kind).iterdir())
    folder = deposit(tmp_path / "deposit")
    for number, page in enumerate(pages, start=1):
        shutil.copyfile(page, folder / f"{number:04d}{page.suffix}")
    result = checked(folder, examiner)
    assert result.faults == ()
    assert result.work is not None
