"""The kinds of colours and samples of TIFF masters, compared with colours computed independently."""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile

from repository.config import Settings
from repository.errors import MasterUnreadable, MasterUnsupported
from workers.masters.decode import OpenedMaster, opened_master
from workers.masters.examine import MasterSettings
from workers.masters.master_file import MasterFile

COLOURS = np.array(
    [(150, 120, 90), (90, 110, 140), (120, 140, 110), (230, 225, 210), (30, 28, 26), (200, 60, 50), (70, 80, 190)],
    np.uint8,
)
PATCHES = np.repeat(np.repeat(COLOURS[None], 32, 0), 32, 1)
HEIGHT, WIDTH = PATCHES.shape[:2]


def shown(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the pixels that readers see, and the codes of what they do not see."""
    with path.open("rb") as master, tempfile.TemporaryFile() as spool:
        file = MasterFile(master.fileno(), path.name, spool.fileno())
        opened: OpenedMaster
        with opened_master(file, MasterSettings.of(Settings())) as opened:
            pixels = opened.image.numpy().copy()
        return pixels, opened.ignored


def assert_shown(path: Path, expected: np.ndarray, ignored: tuple[str, ...] = (), tolerance: int = 2) -> None:
    pixels, codes = shown(path)
    assert codes == ignored
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).max() <= tolerance


def tagged(path: Path, samples: np.ndarray, photometric: int, *extra_samples: int, **options: object) -> Path:
    """Write a TIFF whose samples are stored as they are, with any PhotometricInterpretation and ExtraSamples."""
    file = io.BytesIO()
    kinds = {1: "minisblack", 3: "rgb", 4: "rgb", 5: "rgb"}
    count = 1 if samples.ndim == 2 else samples.shape[2]
    tifffile.imwrite(
        file, samples, photometric=kinds[count] if count != 2 else "minisblack", planarconfig="contig",
        extrasamples=extra_samples or None, metadata=None, **options,
    )  # fmt: skip
    content = bytearray(file.getvalue())
    order = tifffile.TiffFile(io.BytesIO(content)).byteorder
    struct.pack_into(
        order + "H", content, tifffile.TiffFile(io.BytesIO(content)).pages[0].tags[262].valueoffset, photometric
    )
    path.write_bytes(content)
    return path


def lab(rgb: np.ndarray) -> np.ndarray:
    """Return L, a and b under D50 of sRGB colours (IEC 61966-2-1, with Bradford's adaptation; CIE 15)."""
    linear = np.where(rgb <= 0.04045 * 255, rgb / 255 / 12.92, ((rgb / 255 + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
    )
    xyz = linear @ to_xyz.T / np.array([0.9642, 1.0, 0.8249])
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def lab_samples(photometric: int, bits: int) -> np.ndarray:
    """Return the patches as samples of CIELAB (8) or ICCLab (9)."""
    white = {(8, 8): 255, (8, 16): 65535, (9, 8): 255, (9, 16): 65280}[photometric, bits]
    values = lab(PATCHES.astype(float))
    unit = 256 if bits == 16 else 1
    axes = values[..., 1:] * unit + (128 * unit if photometric == 9 else 0)
    samples = np.rint(np.dstack([values[..., :1] * white / 100, axes])).astype(np.int64)
    return (samples & ((1 << bits) - 1)).astype(np.uint16 if bits == 16 else np.uint8)


LAYOUTS: dict[str, dict[str, object]] = {
    "strips": {},
    "big-endian": {"byteorder": ">"},
    "tiles": {"tile": (16, 32), "compression": "deflate"},
    "LZW": {"compression": "lzw", "rowsperstrip": 8},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("photometric", [8, 9])
def test_lab_is_relative_to_d50(photometric: int, bits: int, layout: str, tmp_path: Path) -> None:
    path = tagged(tmp_path / "a.tif", lab_samples(photometric, bits), photometric, **LAYOUTS[layout])
    assert_shown(path, PATCHES, tolerance=3 if bits == 8 else 1)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(("kind", "seen"), [(0, "opaque"), (2, "half")])
def test_only_declared_transparency_of_lab_lightens_the_picture(
    kind: int, seen: str, bits: int, tmp_path: Path
) -> None:
    samples = lab_samples(8, bits)
    alpha = np.full_like(samples[..., :1], 128 if bits == 8 else 128 * 257)
    path = tagged(tmp_path / "a.tif", np.dstack([samples, alpha]), 8, kind)
    if seen == "opaque":
        assert_shown(path, PATCHES, ("extra-samples",), tolerance=3)
    else:
        assert_shown(path, np.rint(PATCHES * (128 / 255) + 127), tolerance=3)


@pytest.mark.parametrize("depth", [1, 257])
@pytest.mark.parametrize("photometric", [1, 2, 5])
@pytest.mark.parametrize("kinds", [(), (0,), (0, 0)])
def test_samples_of_unspecified_use_are_not_shown(
    kinds: tuple[int, ...], photometric: int, depth: int, tmp_path: Path
) -> None:
    colours = {1: PATCHES[..., 0], 2: PATCHES, 5: np.dstack([255 - PATCHES, PATCHES[..., 0] // 8])}[photometric]
    samples = colours.astype(np.uint8 if depth == 1 else np.uint16) * depth
    others = [np.zeros((HEIGHT, WIDTH), samples.dtype)] * len(kinds)
    names = {1: "minisblack", 2: "rgb", 5: "separated"}
    for name, pixels, extra in (
        ("plain.tif", samples, None),
        ("more.tif", np.dstack([samples, *others]) if others else samples, kinds),
    ):
        tifffile.imwrite(
            tmp_path / name, pixels, photometric=names[photometric], extrasamples=extra or None, metadata=None,
            planarconfig="contig" if pixels.ndim == 3 else None,
        )  # fmt: skip
    plain, ignored = shown(tmp_path / "plain.tif")
    assert ignored == ()
    assert_shown(tmp_path / "more.tif", plain, ("extra-samples",) if kinds else (), tolerance=0)


def test_transparency_among_other_samples_is_found(tmp_path: Path) -> None:
    alpha = np.full((HEIGHT, WIDTH), 128, np.uint8)
    infrared = np.zeros((HEIGHT, WIDTH), np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, np.dstack([PATCHES, infrared, alpha]), photometric="rgb", planarconfig="contig", extrasamples=[0, 2]
    )
    assert_shown(path, np.rint(PATCHES * (128 / 255) + 127), ("extra-samples",))


def ycbcr(rgb: np.ndarray, luma: tuple[float, float, float], reference: tuple[int, ...]) -> np.ndarray:
    """Return YCbCr samples (TIFF 6.0, section 21)."""
    red, green, blue = np.moveaxis(rgb.astype(float), -1, 0)
    y = luma[0] * red + luma[1] * green + luma[2] * blue
    differences = [(blue - y) / (2 - 2 * luma[2]), (red - y) / (2 - 2 * luma[0])]
    full = zip([y, *differences], (255, 127, 127), reference[::2], reference[1::2], strict=True)
    codes = [value * (white - black) / span + black for value, span, black, white in full]
    return np.clip(np.rint(np.dstack(codes)), 0, 255).astype(np.uint8)


CODINGS = {
    "defaults": ((0.299, 0.587, 0.114), (0, 255, 128, 255, 128, 255), False),
    "Rec. 709": ((0.2126, 0.7152, 0.0722), (0, 255, 128, 255, 128, 255), True),
    "studio range": ((0.299, 0.587, 0.114), (16, 235, 128, 240, 128, 240), True),
}


def rational(values: tuple[float, ...]) -> tuple[int, ...]:
    return tuple(part for value in values for part in (round(value * 10000), 10000))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("coding", CODINGS)
def test_ycbcr_is_converted_by_its_tags(coding: str, layout: str, tmp_path: Path) -> None:
    luma, reference, declared = CODINGS[coding]
    tags: list[tuple[object, ...]] = [(530, 3, 2, (1, 1), True)]
    if declared:
        tags += [(529, 5, 3, rational(luma), True), (532, 5, 6, rational(reference), True)]
    samples = ycbcr(PATCHES, luma, reference)
    path = tagged(tmp_path / "a.tif", samples, 6, extratags=tags, **LAYOUTS[layout])
    assert_shown(path, PATCHES)


@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_subsampled_ycbcr_is_shown_upright_or_unsupported(orientation: int, tiled: bool, tmp_path: Path) -> None:
    """The picture is stored in units of four Y, one Cb and one Cr; tiles are 16 x 16 and deflated."""
    luma, reference, _ = CODINGS["defaults"]
    samples = ycbcr(PATCHES, luma, reference)

    def units(part: np.ndarray) -> bytes:
        rows, columns = part.shape[0] // 2, part.shape[1] // 2
        y = part[..., 0].reshape(rows, 2, columns, 2).transpose(0, 2, 1, 3).reshape(rows, columns, 4)
        return np.concatenate([y, part[::2, ::2, 1:]], -1).tobytes()

    parts = [units(samples)]
    if tiled:
        grid = [(row, column) for row in range(0, HEIGHT, 16) for column in range(0, WIDTH, 16)]
        parts = [zlib.compress(units(samples[row : row + 16, column : column + 16])) for row, column in grid]
    path = written_by_hand(tmp_path / "a.tif", parts, tiled=tiled, orientation=orientation)
    if tiled and orientation != 1:
        with pytest.raises(MasterUnsupported):
            shown(path)
    else:
        assert_shown(path, np.rot90(PATCHES, {1: 0, 3: 2, 6: -1}[orientation]))


def written_by_hand(path: Path, parts: list[bytes], *, tiled: bool, orientation: int) -> Path:
    """Write subsampled YCbCr, which tifffile does not write."""
    places = [8 + sum(map(len, parts[:number])) for number in range(len(parts))]
    data = b"".join(parts)
    tags = [
        (256, [WIDTH]), (257, [HEIGHT]), (258, [8, 8, 8]), (259, [8 if tiled else 1]), (262, [6]),
        (274, [orientation]), (277, [3]), (530, [2, 2]),
    ]  # fmt: skip
    sizes = [*map(len, parts)]
    tags += (
        [(322, [16]), (323, [16]), (324, places), (325, sizes)]
        if tiled
        else [(273, places), (278, [HEIGHT]), (279, sizes)]
    )
    values, entries, end = b"", b"", 8 + len(data)
    for tag, numbers in sorted(tags):
        kind, packed = (3, struct.pack(f"<{len(numbers)}H", *numbers)) if tag < 273 or tag in {274, 277, 530} else (
            4, struct.pack(f"<{len(numbers)}I", *numbers)
        )  # fmt: skip
        field = packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack("<I", end + len(values))
        values += packed if len(packed) > 4 else b""
        entries += struct.pack("<HHI", tag, kind, len(numbers)) + field
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    path.write_bytes(b"II*\0" + struct.pack("<I", end + len(values)) + data + values + directory)
    return path


def test_a_picture_is_taken_from_its_own_directory(tmp_path: Path) -> None:
    for order in ((1, 0), (0, 1), (1, 1, 0)):
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            for reduced in order:
                samples = PATCHES[::4, ::4] if reduced else PATCHES
                writer.write(np.ascontiguousarray(samples), photometric="rgb", subfiletype=reduced, metadata=None)
        assert_shown(tmp_path / "a.tif", PATCHES, tolerance=0)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        thumbnail = np.ascontiguousarray(PATCHES[::4, ::4])
        writer.write(thumbnail, photometric="rgb", subfiletype=1, subifds=1, metadata=None)
        writer.write(PATCHES, photometric="rgb", subfiletype=0, metadata=None, tile=(16, 16))
    assert_shown(tmp_path / "a.tif", PATCHES, tolerance=0)


@pytest.mark.parametrize("length", [0, 10, 131, 300])
def test_a_cut_colour_profile_is_refused(length: int, tmp_path: Path) -> None:
    profile = (3144).to_bytes(4, "big") + bytes(12) + b"RGB XYZ " + bytes(3120)
    tifffile.imwrite(tmp_path / "a.tif", PATCHES, photometric="rgb", iccprofile=profile[:length] or None)
    if length == 0:
        assert_shown(tmp_path / "a.tif", PATCHES, tolerance=0)
    else:
        with pytest.raises(MasterUnreadable, match="ICC profile"):
            shown(tmp_path / "a.tif")
