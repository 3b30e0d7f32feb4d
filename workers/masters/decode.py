"""Opens a master as the image that readers see: upright, 8 bits per sample, sRGB or grey, without transparency.

Runs only in a sandbox (`repository/sandbox`): decoders of untrusted files crash. Images are decoded in strips while
they are read; reading the image to its end within `opened_master` decodes the whole file. Exceptions:

- The decoders of JPEG 2000, progressive JPEG, interlaced PNG and WebP hold the whole image in memory
  (`masters/jpeg2000.py` has its own limit; the memory limit of the sandbox applies to the others).
- An image that must be rotated or mirrored is first decoded into the spool file on disk, of 3 bytes per pixel (1 for
  grey): 6 GB for the largest image allowed by default.

Rules, where viewers differ:

- The orientation is that of EXIF (JPEG, PNG, WebP) or of the TIFF tag. Viewers do not agree on XMP and JPEG 2000.
- Colours follow the embedded ICC profile (`masters/colours.py`). Transparent parts are flattened onto white.
- A warning of a JPEG, PNG or WebP decoder is a fault, and so is a warning or an error of the TIFF decoder while pixels
  are read. Warnings about TIFF tags when the file is opened are ignored: many scanners cause some.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Final

import pyvips

from repository.errors import MasterMultipage, MasterUnreadable, StagingFault
from repository.localized import LocalizedText
from workers.masters import formats, jpeg, jpeg2000
from workers.masters.colours import to_screen
from workers.masters.examine import MasterSettings
from workers.masters.formats import CODESTREAM, JP2, JPEG, PNG, TIFF, WEBP, MasterFormat
from workers.masters.ignored import COLOUR_PROFILE
from workers.masters.master_file import MasterFile
from workers.masters.samples import PROFILE, RawImage, check_samples, check_size
from workers.masters.tiff_image import open_tiff

_LOADERS: Final = {JPEG: "jpegload_source", PNG: "pngload_source", WEBP: "webpload_source"}
_LOADER_CLASSES: Final = ("Tiff", "Jpeg", "Png", "Webp")
_MAX_WARNINGS: Final = 100
_HARMLESS: Final = frozenset(
    {
        # Photoshop wrote an early sRGB profile into countless PNG files.
        "iCCP: known incorrect sRGB profile",
        # A profile with one table needs no others (ICC.1:2022, 9.2).
        "fallback to suggested perceptual intent, as profile does not support relative input intent",
    }
)
_POSITION: Final = "bad seek to"
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
    _take_errors()
    with _decoder_warnings() as warnings:
        try:
            raw = _open(file, file_format, settings)
            careless = {*warnings, *_take_errors()} if file_format is TIFF else {*filter(_is_about_profile, warnings)}
            if file_format is PNG and careless:
                raw = replace(raw, ignored=(COLOUR_PROFILE,))
            shown = to_screen(raw)
            yield OpenedMaster(file_format, _upright(shown, file), shown.ignored)
        except pyvips.Error as fault:
            raise _translate(fault, warnings) from fault
        except UnicodeDecodeError as fault:  # libvips quotes bytes of a damaged file in its message
            raise MasterUnreadable(reason=LocalizedText("文件已损坏", "the file is damaged")) from fault
        except MemoryError as fault:
            raise MasterUnreadable(
                reason=LocalizedText("所需内存超过上限", "it needs more memory than allowed")
            ) from fault
        # libvips does not pass on all errors of libtiff and libjpeg when it reads tiles, but keeps their messages.
        reports = [*warnings, *_take_errors()] if file_format is TIFF else warnings
        if complaints := [report for report in reports if report not in _HARMLESS and report not in careless]:
            raise MasterUnreadable(reason=_decoder_reports(complaints))


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


def _open(file: MasterFile, file_format: MasterFormat, settings: MasterSettings) -> RawImage:
    if file_format is TIFF:
        return open_tiff(file, settings)
    if file_format in {JP2, CODESTREAM}:
        return _open_jpeg2000(file, settings)
    return _open_by_vips(file, file_format, settings)


def _open_by_vips(file: MasterFile, file_format: MasterFormat, settings: MasterSettings) -> RawImage:
    image = getattr(pyvips.Image, _LOADERS[file_format])(file.source(), access="sequential", fail_on="warning")
    check_size(image.width, image.height, settings)
    if _field(image, "n-pages", 1) > 1:
        raise MasterMultipage(pages=image.get("n-pages"))
    check_samples(image, file_format)
    if file_format is JPEG:
        jpeg.check_stream(file.read_bytes())
    return RawImage(image, _field(image, "orientation", 1))


def _open_jpeg2000(file: MasterFile, settings: MasterSettings) -> RawImage:
    data = file.read_bytes()
    header = jpeg2000.read_header(data)
    check_size(header.width, header.height, settings)
    samples = jpeg2000.decode(data, header, pyvips.concurrency_get())
    image = pyvips.Image.new_from_array(samples)
    grey, deep = image.bands <= 2, image.format == "ushort"
    space = ("grey16" if deep else "b-w") if grey else ("rgb16" if deep else "srgb")
    image = image.copy(interpretation=space)
    if header.profile is not None:
        image.set_type(pyvips.GValue.blob_type, PROFILE, header.profile)
    return RawImage(image, ignored=header.ignored)


def _upright(raw: RawImage, file: MasterFile) -> Any:
    """Apply the orientation. Values that EXIF does not define mean upright."""
    image = raw.image.copy()
    for name in ("orientation", PROFILE):
        image.remove(name)
    if raw.orientation == 2:
        return image.fliphor()
    if raw.orientation not in range(3, 9):
        return image
    store = file.spooled(image).copy()
    store.set_type(pyvips.GValue.gint_type, "orientation", raw.orientation)
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


def _is_about_profile(warning: str) -> bool:
    """Return whether libpng reports that it does not use an RGB profile, because the picture is grey."""
    return warning.endswith("RGB color space not permitted on grayscale PNG")


def _take_errors() -> list[str]:
    """Return the lines of libvips' buffer of errors, and empty it. `pyvips.Error` does both when it is made."""
    return [line.strip() for line in pyvips.Error("").detail.splitlines() if line.strip()]


def _translate(fault: pyvips.Error, warnings: list[str]) -> MasterUnreadable | StagingFault:
    """Return the fault of the file or the disk that the decoder's error and its warnings mean."""
    lines = [line.strip() for line in fault.detail.splitlines() if line.strip()] + warnings
    if any("No space left on device" in line or "write failed" in line for line in lines):
        return StagingFault(reason=lines[0])
    return MasterUnreadable(reason=_decoder_reports(lines or [fault.message]))


def _decoder_reports(lines: list[str]) -> LocalizedText:
    """Return what the messages of a decoder mean to a librarian, with the first one that says more than a position."""
    telling = [line for line in lines if _POSITION not in line]
    if not telling:
        return LocalizedText("文件不完整", "the file is incomplete")
    line = telling[0]
    return LocalizedText(
        f"图像数据已损坏或不完整（解码程序报告：{line}）",
        f"the data of the picture are damaged or incomplete (the decoder reports: {line})",
    )
