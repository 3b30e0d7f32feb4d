"""Opens a master as the image that readers see: upright, 8 bits per sample, sRGB or grey, without transparency.

Runs only in a sandbox (`repository/sandbox`): decoders of untrusted files crash. Images are decoded in strips while
they are read; reading the image to its end within `opened_master` decodes the whole file. Exceptions:

- The decoders of JPEG 2000, progressive JPEG, interlaced PNG and WebP hold the whole image in memory
  (`masters/jpeg2000.py` has its own limit; the memory limit of the sandbox applies to the others).
- An image that must be rotated or mirrored is first decoded into the spool file on disk, of 3 bytes per pixel (1 for
  grey): 6 GB for the largest image allowed by default.

Rules, where viewers differ:

- The orientation is that of EXIF (JPEG, PNG, WebP) or of the TIFF tag. Viewers do not agree on XMP and JPEG 2000.
- Colours follow the embedded ICC profile, relative colorimetric with black point compensation. An unusable profile is a
  fault: a guess would permanently show wrong colours. CMYK without a profile uses the profile built into libvips.
- Transparent parts are flattened onto white.
- A warning of a JPEG, PNG or WebP decoder is a fault, and so is a warning of the TIFF decoder while pixels are read.
  Warnings about TIFF tags when the file is opened are ignored: many scanners cause some.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import pyvips

from repository.errors import MasterMultipage, MasterTooLarge, MasterUnreadable, MasterUnsupported, StagingFault
from repository.localized import LocalizedText
from workers.masters import formats, jpeg, jpeg2000, tiff
from workers.masters.examine import MasterSettings
from workers.masters.formats import CODESTREAM, JP2, JPEG, PNG, TIFF, WEBP, MasterFormat
from workers.masters.master_file import MasterFile

MAX_SIDE: Final = 1_000_000
"""The largest width and height in pixels; the limit of libvips is ten times that."""

_LOADERS: Final = {TIFF: "tiffload_source", JPEG: "jpegload_source", PNG: "pngload_source", WEBP: "webpload_source"}
_LOADER_CLASSES: Final = ("Tiff", "Jpeg", "Png", "Webp")
_PROFILE: Final = "icc-profile-data"
_GREY: Final = frozenset({"b-w", "grey16"})
_LAB: Final = frozenset({"lab", "labs"})
_ACCEPTED: Final = _GREY | _LAB | {"srgb", "rgb", "rgb16", "cmyk"}
_MAX_WARNINGS: Final = 100
# Photoshop wrote an early sRGB profile into countless PNG files.
_HARMLESS: Final = frozenset({"iCCP: known incorrect sRGB profile"})
_PNG_END: Final = b"\0\0\0\0IEND\xae\x42\x60\x82"


@dataclass(frozen=True, slots=True)
class OpenedMaster:
    """An open master: its format and its image, which is not decoded yet and has one band (grey) or three (sRGB)."""

    file_format: MasterFormat
    image: Any
    ignored: tuple[str, ...] = ()


def block_other_loaders() -> None:
    """Disable the libvips loaders of all formats that are not accepted. Call this before a file is opened."""
    pyvips.operation_block_set("VipsForeignLoad", True)
    for name in _LOADER_CLASSES:
        pyvips.operation_block_set(f"VipsForeignLoad{name}", False)
    pyvips.cache_set_max(0)


@contextmanager
def opened_master(file: MasterFile, settings: MasterSettings) -> Iterator[OpenedMaster]:
    """Open a master, to be read to its end within the block.

    Raises `MasterUnreadable` or a subclass: on opening, or at the end of the block for faults that appear only when
    pixels are read. Raises `StagingFault` when there is no space for a temporary file.
    """
    file_format = _identify(file)
    with _decoder_warnings() as warnings:
        try:
            raw = _open(file, file_format, settings)
            ignored = _HARMLESS | set(warnings if file_format is TIFF else ())
            yield OpenedMaster(file_format, _upright(_to_screen(raw), raw, file))
        except pyvips.Error as fault:
            raise _translate(fault, warnings) from fault
        except UnicodeDecodeError as fault:  # libvips quotes bytes of a damaged file in its message
            raise MasterUnreadable(reason=LocalizedText("文件已损坏", "the file is damaged")) from fault
        except MemoryError as fault:
            raise MasterUnreadable(
                reason=LocalizedText("所需内存超过上限", "it needs more memory than allowed")
            ) from fault
        if complaints := [warning for warning in warnings if warning not in ignored]:
            raise MasterUnreadable(reason=complaints[0])


def _identify(file: MasterFile) -> MasterFormat:
    with file.open() as content:
        head = content.read(formats.HEAD)
        if not head:
            raise MasterUnreadable(reason=LocalizedText("文件为空", "the file is empty"))
        file_format = formats.sniff(head)
        formats.check_suffix(file.suffix, file_format)
        if file_format is PNG:
            _check_png_end(content)
    return file_format


def _check_png_end(file: BinaryIO) -> None:
    """Check that the last chunk is present: libvips stops after the last row and does not read it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - formats.HEAD))
    if _PNG_END not in file.read():
        raise MasterUnreadable(reason=LocalizedText("PNG 文件不完整", "the PNG file is truncated"))


def _open(file: MasterFile, file_format: MasterFormat, settings: MasterSettings) -> Any:
    if file_format in {JP2, CODESTREAM}:
        return _open_jpeg2000(file, settings)
    return _open_by_vips(file, file_format, settings)


def _open_by_vips(file: MasterFile, file_format: MasterFormat, settings: MasterSettings) -> Any:
    strictness = "error" if file_format is TIFF else "warning"
    load = getattr(pyvips.Image, _LOADERS[file_format])
    image = load(file.source(), access="sequential", fail_on=strictness)
    _check_size(image.width, image.height, settings)
    if file_format is TIFF:
        _check_directories(file, image.bands)
    elif _field(image, "n-pages", 1) > 1:
        raise MasterMultipage(pages=image.get("n-pages"))
    _check_samples(image, file_format)
    if file_format is JPEG:
        jpeg.check_stream(file.read_bytes())
    return image


def _check_directories(file: MasterFile, bands: int) -> None:
    with file.open() as content:
        directories = tiff.read_directories(content)
    if directories.pages != 1:
        raise MasterMultipage(pages=directories.pages)
    # libvips 8.18.7 decodes two separate planes wrongly, without a warning; other numbers of planes are correct.
    if directories.separate_planes and bands == 2:
        raise MasterUnsupported(seen="TIFF, grey and alpha in separate planes")


def _open_jpeg2000(file: MasterFile, settings: MasterSettings) -> Any:
    data = file.read_bytes()
    header = jpeg2000.read_header(data)
    _check_size(header.width, header.height, settings)
    samples = jpeg2000.decode(data, header, pyvips.concurrency_get())
    image = pyvips.Image.new_from_array(samples)
    grey, deep = image.bands <= 2, image.format == "ushort"
    space = ("grey16" if deep else "b-w") if grey else ("rgb16" if deep else "srgb")
    image = image.copy(interpretation=space)
    if header.profile is not None:
        image.set_type(pyvips.GValue.blob_type, _PROFILE, header.profile)
    return image


def _check_size(width: int, height: int, settings: MasterSettings) -> None:
    if width * height > settings.pixel_budget:
        raise MasterTooLarge(width=width, height=height, limit=f"SHANBEN_PIXEL_BUDGET = {settings.pixel_budget}")
    if max(width, height) > MAX_SIDE:
        raise MasterTooLarge(width=width, height=height, limit=f"{MAX_SIDE} px")


def _check_samples(image: Any, file_format: MasterFormat) -> None:
    """Check that type and colour space of the samples are accepted; libvips always gives Lab as floating point."""
    space, sample = str(image.interpretation), str(image.format)
    colours = 1 if space in _GREY else 4 if space == "cmyk" else 3
    if space not in _ACCEPTED or (space not in _LAB and sample not in {"uchar", "ushort"}):
        raise MasterUnsupported(seen=f"{file_format.name}, {space}, {sample}")
    if image.bands not in {colours, colours + 1}:
        raise MasterUnsupported(seen=f"{file_format.name}, {space}, {image.bands} bands")


def _to_screen(image: Any) -> Any:
    """Convert to 8-bit sRGB or grey on white, one or three bands, in the order of the file's rows."""
    grey = image.interpretation in _GREY
    if image.get_typeof(_PROFILE) and not _profile_is_identity(image):
        image = _transform(image)
    elif image.interpretation == "cmyk":
        image = image.icc_transform("srgb", embedded=True, input_profile="cmyk", depth=8)
    elif image.format == "ushort":
        # Round to nearest: v / 257 + 0.5, truncated. The conversion of libvips drops the low byte.
        image = image.linear(1 / 257, 0.5, uchar=True).copy(interpretation="b-w" if grey else "srgb")
    elif image.interpretation in _LAB:
        image = image.colourspace("srgb")
    if image.hasalpha():
        image = image.flatten(background=255)
    return image.extract_band(0).copy(interpretation="b-w") if grey else image


def _transform(image: Any) -> Any:
    return image.icc_transform("srgb", embedded=True, intent="relative", black_point_compensation=True, depth=8)


def _profile_is_identity(image: Any) -> bool:
    """Return whether the profile changes no colour by more than one level; the costly transform is skipped then.

    Tested on 729 colours (256 greys). An unusable profile raises here, before a pixel is decoded.
    """
    if image.interpretation not in {"srgb", "rgb", "rgb16", "b-w", "grey16"}:
        return False
    probe = pyvips.Image.identity()
    if image.interpretation not in _GREY:
        steps = pyvips.Image.xyz(9, 81)
        red, green, blue = steps[0], steps[1] % 9, (steps[1] / 9).floor()
        probe = (red.bandjoin([green, blue]) * (255 / 8)).rint()
    space = "b-w" if image.interpretation in _GREY else "srgb"
    probe = probe.cast("uchar").copy(interpretation=space)
    probe.set_type(pyvips.GValue.blob_type, _PROFILE, image.get(_PROFILE))
    return bool((_transform(probe) - probe).abs().max() <= 1)


def _upright(image: Any, raw: Any, file: MasterFile) -> Any:
    """Apply the orientation (EXIF 2.3, tag 0x0112)."""
    orientation = _field(raw, "orientation", 1)
    image = image.copy()
    for name in ("orientation", _PROFILE):
        image.remove(name)
    if orientation == 2:
        return image.fliphor()
    if orientation not in range(3, 9):
        return image
    store = file.spooled(image).copy()
    store.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return store.autorot()


def _field(image: Any, name: str, default: int) -> int:
    return int(image.get(name)) if image.get_typeof(name) else default


class _Collector(logging.Handler):
    """Collects the warnings that libvips writes to the logger of pyvips, without repetitions."""

    def __init__(self, warnings: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._warnings = warnings

    def emit(self, record: logging.LogRecord) -> None:
        """Add one message."""
        message = record.getMessage().removeprefix("VIPS: ")
        if len(self._warnings) < _MAX_WARNINGS and message not in self._warnings:
            self._warnings.append(message)


@contextmanager
def _decoder_warnings() -> Iterator[list[str]]:
    logger = logging.getLogger("pyvips")
    warnings: list[str] = []
    handler = _Collector(warnings)
    logger.addHandler(handler)
    propagate, logger.propagate = logger.propagate, False
    try:
        yield warnings
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


def _translate(fault: pyvips.Error, warnings: list[str]) -> MasterUnreadable | StagingFault:
    """Return the first line of the decoder's error, else its first warning."""
    details = fault.detail.splitlines()
    lines = [line.strip() for line in details if line.strip()] + warnings
    if any("No space left on device" in line or "write failed" in line for line in lines):
        return StagingFault(reason=lines[0])
    return MasterUnreadable(reason=lines[0] if lines else fault.message)
