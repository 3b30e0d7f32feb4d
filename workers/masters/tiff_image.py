"""Opens the page of a TIFF file by libvips, and converts the kinds of colours that libvips leaves to its callers.

- YCbCr that is neither compressed by JPEG nor subsampled is converted by its tags (TIFF 6.0, section 21); libtiff
  converts the other kinds.
- CIELAB and ICCLab (sections 23 and 24) are relative to D50, as programs write them. Lab as floating point, which only
  libvips writes, is relative to D65. An embedded profile is not used: Lab defines its colours itself.
- Samples that are neither colour nor transparency are left out.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import pyvips

from repository.errors import MasterUnsupported
from repository.localized import LocalizedText
from workers.masters import jpeg
from workers.masters.examine import MasterSettings
from workers.masters.formats import TIFF
from workers.masters.ignored import EXTRA_SAMPLES
from workers.masters.master_file import MasterFile
from workers.masters.samples import PROFILE, RawImage, check_samples, check_size
from workers.masters.tiff import TiffFile
from workers.masters.tiff_data import check_data, locate_pieces, read_pieces
from workers.masters.tiff_page import (
    ICCLAB,
    JPEG,
    RGB,
    UNCOMPRESSED,
    YCBCR,
    TiffPage,
    YcbcrCoding,
    find_page,
    ycbcr_coding,
)

_WIDTH: Final = 256
_LENGTH: Final = 257
_PHOTOMETRIC: Final = 262
_ORIENTATION: Final = 274
_JPEG_TABLES: Final = 347
_MOST_TABLES: Final = 1 << 20
_HALF: Final = 128
_LARGEST_TILE: Final = 8192
"""The largest side of a tile that libvips reads."""
_BITS: Final = frozenset({1, 2, 4, 8, 16, 32, 64})


def open_tiff(master: MasterFile, settings: MasterSettings) -> RawImage:
    """Open the page of the TIFF file `master`. Its pixels are decoded when the image is read.

    Raises `MasterUnreadable` or a subclass, and `pyvips.Error`.
    """
    with master.open() as opened:
        file = TiffFile(opened)
        page = find_page(file)
        check_size(page.width, page.height, settings)
        _check_kind(page)
        check_data(file, page)
        if page.compression == JPEG:
            _check_jpeg_streams(file, page)
        image = _to_colours(_load(master, page, file), page, file)
    check_samples(image, TIFF)
    unknown = any(kind not in {1, 2} for kind in page.extra)
    return RawImage(image, page.orientation, (EXTRA_SAMPLES,) if unknown else ())


def _check_kind(page: TiffPage) -> None:
    """Raise `MasterUnsupported` for kinds that libvips 8.18.7 does not decode, or wrongly and without a warning."""
    if page.separate_planes and page.samples == 2:
        raise MasterUnsupported(
            seen=LocalizedText("TIFF，灰度与透明度分平面存放", "TIFF, grey and alpha in separate planes")
        )
    if page.separate_planes and page.tile:
        raise MasterUnsupported(seen=LocalizedText("TIFF，图块分平面存放", "TIFF, tiles of separate planes"))
    if page.bits not in _BITS:
        raise MasterUnsupported(seen=f"TIFF, {page.bits} bit")
    if _is_converted_by_libtiff(page) and page.tile and (page.orientation != 1 or page.compression == UNCOMPRESSED):
        raise MasterUnsupported(
            seen=LocalizedText(
                "TIFF，旋转或未压缩的 YCbCr 图块", "TIFF, tiles of YCbCr that are turned or uncompressed"
            )
        )
    if page.photometric == YCBCR and page.compression != JPEG and (page.bits, page.samples) != (8, 3):
        raise MasterUnsupported(seen=f"TIFF, YCbCr, {page.samples} × {page.bits} bit")


def _check_jpeg_streams(file: TiffFile, page: TiffPage) -> None:
    tables = file.data(page.directory, _JPEG_TABLES, _MOST_TABLES)
    for stream in read_pieces(file, locate_pieces(file, page)):
        with suppress(MasterUnsupported):  # libtiff may decode what this check does not; it reports damage, too
            jpeg.check_stream(stream, tables)


def _load(master: MasterFile, page: TiffPage, file: TiffFile) -> Any:
    """Open by libvips. A tile that cannot be decoded is an error for it only if warnings are; a strip always is."""
    options = {} if page.place.sub_ifd is None else {"subifd": page.place.sub_ifd}
    strictness = "warning" if page.tile else "error"
    edits = [file.edit(page.directory, tag, number) for tag, number in _corrections(page).items()]
    image = pyvips.Image.tiffload_source(
        master.source(edits), page=page.place.number, access="sequential", fail_on=strictness, **options
    )
    return image.crop(0, 0, page.width, page.height) if (image.width, image.height) != page.size else image


def _corrections(page: TiffPage) -> dict[int, int]:
    """Return the tags that libvips and libtiff refuse, with values that they read in their place.

    - libtiff refuses an orientation that TIFF does not define.
    - libvips 8.18.7 cannot open CIELAB with 8 bits; it reads the samples of any Lab as those of RGB.
    - libvips refuses tiles larger than twice the longer side of the picture (TIFF 6.0, section 15, allows any size).
      The picture is made as large as its tiles, and cropped.
    """
    corrections = {}
    if not page.orientation_is_defined:
        corrections[_ORIENTATION] = 1
    if page.is_integer_lab:
        corrections[_PHOTOMETRIC] = RGB
    if page.tile and 2 * max(page.size) < max(page.tile) <= _LARGEST_TILE:
        corrections[_WIDTH], corrections[_LENGTH] = (
            -(-side // tile) * tile for side, tile in zip(page.size, page.tile, strict=True)
        )
    return corrections


def _is_converted_by_libtiff(page: TiffPage) -> bool:
    """Return whether libvips has libtiff convert the picture to RGB: its samples are RGB and an opaque alpha then."""
    return page.photometric == YCBCR and page.compression != JPEG and page.subsampling != (1, 1)


def _to_colours(image: Any, page: TiffPage, file: TiffFile) -> Any:
    """Return the image in a colour space that `colours.to_screen` knows, with transparency as its last band, if any."""
    if _is_converted_by_libtiff(page):
        return image.extract_band(0, n=3)
    if page.is_integer_lab:
        return _lab_to_srgb(image, page)
    colours = image.bands - len(page.extra)
    if page.colours == 0 or colours < 1:
        return image
    picture = image.extract_band(0, n=colours)
    if page.photometric == YCBCR and page.compression != JPEG:
        picture = _ycbcr_to_rgb(picture, ycbcr_coding(file, page))
    return _with_transparency(picture, image, page, colours)


def _with_transparency(picture: Any, image: Any, page: TiffPage, colours: int) -> Any:
    if page.transparency is None:
        return picture
    return picture.bandjoin(image.extract_band(colours + page.transparency - page.colours))


def _ycbcr_to_rgb(image: Any, coding: YcbcrCoding) -> Any:
    """Convert by the formulas of section 21. The coding range of Y is 255, that of Cb and Cr is 127."""
    scales, offsets = [], []
    for coding_range, black, white in zip((255, 127, 127), coding.reference[::2], coding.reference[1::2], strict=True):
        scale = coding_range / (white - black)
        scales.append(float(scale))
        offsets.append(float(-black * scale))
    red, green, blue = map(float, coding.luma)
    from_cr, from_cb = 2 - 2 * red, 2 - 2 * blue
    to_green = [(1 - red - blue) / green, -blue * from_cb / green, -red * from_cr / green]
    matrix = [[1, 0, from_cr], to_green, [1, from_cb, 0]]
    converted = image.linear(scales, offsets).recomb(pyvips.Image.new_from_array(matrix))
    return converted.rint().cast("uchar").copy(interpretation="srgb")


def _lab_to_srgb(image: Any, page: TiffPage) -> Any:
    """Convert the samples of Lab to 8-bit sRGB, with transparency as the fourth band."""
    deep = page.bits == 16
    unit = 256 if deep else 1
    image = image.copy(format="ushort" if deep else "uchar")  # SampleFormat may call all samples signed
    lightness, axes = image.extract_band(0), image.extract_band(1, n=2)
    if page.photometric == ICCLAB:  # a and b are unsigned, and full lightness is FF00 in 16 bits (section 24)
        lab = (lightness * (100 / (255 * unit))).bandjoin(axes / unit - _HALF)
    else:
        signed = axes.copy(format="short" if deep else "char")
        lab = (lightness * (100 / (65535 if deep else 255))).bandjoin(signed / unit)
    lab = lab.copy(interpretation="lab")
    lab.remove(PROFILE)
    picture = lab.icc_export(output_profile="srgb", intent="relative", depth=8)
    picture.remove(PROFILE)
    if page.transparency is None:
        return picture
    alpha = image.extract_band(page.transparency)
    return picture.bandjoin((alpha / 257).rint().cast("uchar") if deep else alpha)
