"""A master opened as the picture readers will see: upright, 8 bits a sample, sRGB or grey, nothing transparent.

Runs only inside a child process (`repository/sandbox.py`): decoders of foreign bytes crash. Pictures are decoded as
they are read, in strips, and whoever reads the picture to its end within `opened_master` has decoded the whole file.
What does not:

- JPEG 2000, progressive JPEG, interlaced PNG and WebP are held whole by their decoders (`masters/jpeg2000.py` has its
  own bound; the child's memory limit bounds the others);
- a picture that must be turned is first decoded into a temporary file on disk, of 3 bytes a pixel (1 for grey): 6 GB
  for the largest picture allowed by default.

Rules, where viewers differ:

- Orientation comes from EXIF (JPEG, PNG, WebP) or the TIFF tag. XMP and JPEG 2000 have none that viewers agree on.
- Colours come from the embedded ICC profile, relative colorimetric with black point compensation. A profile that cannot
  be used is a fault: guessing would show wrong colours for ever. CMYK without one takes libvips' built-in profile.
- Transparency is laid on white, as paper.
- A decoder's warning while pixels are read is a fault, and every warning of a JPEG, PNG or WebP decoder. Warnings about
  a TIFF's tags, when it is opened, are not: half the scanners in the world earn some.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyvips

from repository.config import Settings
from repository.errors import MasterMultipage, MasterTooLarge, MasterUnreadable, MasterUnsupported, StagingFault
from repository.localized import LocalizedText
from workers.masters import formats, jpeg2000, tiff
from workers.masters.formats import CODESTREAM, JP2, JPEG, PNG, TIFF, WEBP, MasterFormat

MAX_SIDE: Final = 1_000_000
"""Pixels of a side; libvips' own bound is ten times that."""

_LOADERS: Final = {TIFF: "tiffload", JPEG: "jpegload", PNG: "pngload", WEBP: "webpload"}
_LOADER_CLASSES: Final = ("Tiff", "Jpeg", "Png", "Webp")
_PROFILE: Final = "icc-profile-data"
_GREY: Final = frozenset({"b-w", "grey16"})
_LAB: Final = frozenset({"lab", "labs"})
_TAKEN: Final = _GREY | _LAB | {"srgb", "rgb", "rgb16", "cmyk"}
_MAX_WARNINGS: Final = 100
# An early sRGB profile that Photoshop wrote into half the world's PNGs.
_HARMLESS: Final = frozenset({"iCCP: known incorrect sRGB profile"})
_PNG_END: Final = b"\0\0\0\0IEND\xae\x42\x60\x82"


@dataclass(frozen=True, slots=True)
class OpenedMaster:
    """A master while it is open: its format, and its picture, not decoded yet, of one band (grey) or three (sRGB)."""

    form: MasterFormat
    image: Any


def block_other_loaders() -> None:
    """Leave libvips the loaders of the formats taken and no other; once in a process, before anything is opened."""
    pyvips.operation_block_set("VipsForeignLoad", True)
    for name in _LOADER_CLASSES:
        pyvips.operation_block_set(f"VipsForeignLoad{name}", False)
    pyvips.cache_set_max(0)


@contextmanager
def opened_master(path: Path, settings: Settings) -> Iterator[OpenedMaster]:
    """The master at `path`, to be read to its end within the block.

    Raises `MasterUnreadable` (or one of its kinds): on opening or, for what shows only when pixels are read, at the end
    of the block. Raises `StagingFault` when there is no room for a temporary file.
    """
    form = _identify(path)
    with _decoder_warnings() as warnings:
        try:
            raw = _open_jpeg2000(path, settings) if form in {JP2, CODESTREAM} else _open_by_vips(path, form, settings)
            forgiven = _HARMLESS | set(warnings if form is TIFF else ())
            yield OpenedMaster(form, _upright(_to_screen(raw), raw))
        except pyvips.Error as fault:
            raise _translate(fault, warnings, path) from fault
        except UnicodeDecodeError as fault:  # libvips quotes a broken file's bytes in its message
            raise MasterUnreadable(reason=LocalizedText("文件已损坏", "the file is damaged")) from fault
        except MemoryError as fault:
            raise MasterUnreadable(
                reason=LocalizedText("需要的内存超过上限", "it needs more memory than allowed")
            ) from fault
        if told := [warning for warning in warnings if warning not in forgiven]:
            raise MasterUnreadable(reason=told[0])


def _identify(path: Path) -> MasterFormat:
    with path.open("rb") as file:
        head = file.read(formats.HEAD)
        if not head:
            raise MasterUnreadable(reason=LocalizedText("文件为空", "the file is empty"))
        form = formats.sniff(head)
        formats.check_suffix(path.suffix, form)
        if form is PNG:
            _check_png_end(file)
    return form


def _check_png_end(file: BinaryIO) -> None:
    """That the last chunk is there: libvips stops at the last row, and would not miss it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - formats.HEAD))
    if _PNG_END not in file.read():
        raise MasterUnreadable(reason=LocalizedText("PNG 文件不完整", "the PNG file is cut short"))


def _open_by_vips(path: Path, form: MasterFormat, settings: Settings) -> Any:
    strictness = "error" if form is TIFF else "warning"
    image = getattr(pyvips.Image, _LOADERS[form])(str(path), access="sequential", fail_on=strictness)
    _check_size(image.width, image.height, settings)
    if form is TIFF:
        _check_directories(path, image.bands)
    elif _field(image, "n-pages", 1) > 1:
        raise MasterMultipage(pages=image.get("n-pages"))
    _check_samples(image, form)
    return image


def _check_directories(path: Path, bands: int) -> None:
    with path.open("rb") as file:
        directories = tiff.read_directories(file)
    if directories.pages != 1:
        raise MasterMultipage(pages=directories.pages)
    # libvips 8.18.7 reads separate planes rightly for every number of them but two, and then says nothing.
    if directories.separate_planes and bands == 2:
        raise MasterUnsupported(seen="TIFF, grey and alpha in separate planes")


def _open_jpeg2000(path: Path, settings: Settings) -> Any:
    data = path.read_bytes()
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


def _check_size(width: int, height: int, settings: Settings) -> None:
    if width * height > settings.pixel_budget:
        raise MasterTooLarge(width=width, height=height, limit=f"SHANBEN_PIXEL_BUDGET = {settings.pixel_budget}")
    if max(width, height) > MAX_SIDE:
        raise MasterTooLarge(width=width, height=height, limit=f"{MAX_SIDE} px")


def _check_samples(image: Any, form: MasterFormat) -> None:
    """That the samples are of a kind taken; Lab comes from libvips as floating point whatever it was."""
    space, sample = str(image.interpretation), str(image.format)
    colours = 1 if space in _GREY else 4 if space == "cmyk" else 3
    if space not in _TAKEN or (space not in _LAB and sample not in {"uchar", "ushort"}):
        raise MasterUnsupported(seen=f"{form.name}, {space}, {sample}")
    if image.bands not in {colours, colours + 1}:
        raise MasterUnsupported(seen=f"{form.name}, {space}, {image.bands} bands")


def _to_screen(image: Any) -> Any:
    """8-bit sRGB or grey on white, one or three bands, still in the order of the file's rows."""
    grey = image.interpretation in _GREY
    if image.get_typeof(_PROFILE) and not _profile_is_identity(image):
        image = _transform(image)
    elif image.interpretation == "cmyk":
        image = image.icc_transform("srgb", embedded=True, input_profile="cmyk", depth=8)
    elif image.format == "ushort":
        # To the nearest: (v / 257) + 0.5, cut off; libvips' own conversion drops the low byte.
        image = image.linear(1 / 257, 0.5, uchar=True).copy(interpretation="b-w" if grey else "srgb")
    elif image.interpretation in _LAB:
        image = image.colourspace("srgb")
    if image.hasalpha():
        image = image.flatten(background=255)
    return image.extract_band(0).copy(interpretation="b-w") if grey else image


def _transform(image: Any) -> Any:
    return image.icc_transform("srgb", embedded=True, intent="relative", black_point_compensation=True, depth=8)


def _profile_is_identity(image: Any) -> bool:
    """Whether the profile changes no colour by more than one level, so that the costly transform may be left out.

    Tried on a cube of 729 colours (256 greys). A profile that cannot be used shows here, before any pixel is decoded.
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
    shown = _transform(probe)
    return bool((shown - probe).abs().max() <= 1)


def _upright(image: Any, raw: Any) -> Any:
    """The picture turned as its orientation asks (EXIF 2.3, tag 0x0112)."""
    orientation = _field(raw, "orientation", 1)
    image = image.copy()
    for name in ("orientation", _PROFILE):
        image.remove(name)
    if orientation == 2:
        return image.fliphor()
    if orientation not in range(3, 9):
        return image
    store = pyvips.Image.new_temp_file("%s.v")
    image.write(store)
    store = store.copy()
    store.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return store.autorot()


def _field(image: Any, name: str, otherwise: int) -> int:
    return int(image.get(name)) if image.get_typeof(name) else otherwise


class _Collector(logging.Handler):
    """Keeps what libvips tells pyvips' logger, each thing once."""

    def __init__(self, told: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one message."""
        message = record.getMessage().removeprefix("VIPS: ")
        if len(self._told) < _MAX_WARNINGS and message not in self._told:
            self._told.append(message)


@contextmanager
def _decoder_warnings() -> Iterator[list[str]]:
    logger = logging.getLogger("pyvips")
    told: list[str] = []
    handler = _Collector(told)
    logger.addHandler(handler)
    propagated, logger.propagate = logger.propagate, False
    try:
        yield told
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated


def _translate(fault: pyvips.Error, warnings: list[str], path: Path) -> MasterUnreadable | StagingFault:
    """A decoder's complaint in one line, else its first warning; without the file's path, which the fault names."""
    told = fault.detail.replace(f"{path}: ", "").splitlines()
    lines = [line.strip() for line in told if line.strip()] + warnings
    if any("No space left on device" in line or "write failed" in line for line in lines):
        return StagingFault(reason=lines[0])
    return MasterUnreadable(reason=lines[0] if lines else fault.message)
