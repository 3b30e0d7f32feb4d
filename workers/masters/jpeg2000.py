"""Reads the header of JPEG 2000 and HTJ2K files and decodes them by imagecodecs (OpenJPEG, OpenJPH).

Neither decoder streams: the whole image is in memory during decoding. Measured with OpenJPEG 2.5.4, in bytes per pixel:
5.3 for 8-bit grey, 15.9 for 8-bit RGB, 20.0 for 16-bit RGB. This is a working plane of 4 bytes per component, and the
result. `memory_needed` adds 2 bytes per component. An image that needs more than `MEMORY` is refused before decoding:
the limit is about 460 megapixels in grey and 150 in RGB.

Source: ISO/IEC 15444-1, Annex I (boxes) and Annex A (markers). The format has no orientation: OpenJPEG, Kakadu, Pillow
and libvips all show the image as coded and ignore the orientation of an EXIF or XMP box. So does this module.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

# By name: imagecodecs loads a decoder when its name is first used, and a sandboxed child can then read no file.
from imagecodecs import Htj2kError, Jpeg2kError, htj2k_decode, jpeg2k_decode
from numpy.typing import NDArray

from repository.errors import MasterTooLarge, MasterUnreadable, MasterUnsupported
from repository.localized import LocalizedText

MEMORY: Final = 3 << 30

_SIGNATURE_BOX: Final = b"jP  "
_SIZ: Final = struct.Struct(">HHIIIIIIIIH")
_COLOUR_SPACES: Final = {16: "sRGB", 17: "greyscale", 18: "sYCC"}
_SIGNED: Final = 0x80
_HIGH_THROUGHPUT: Final = 0x4000


@dataclass(frozen=True, slots=True)
class Header:
    """The properties of an image that are known before decoding.

    `width` and `height` are in pixels; `precision` is in bits per decoded sample (of the palette, if there is one).
    `profile` is an ICC profile and `colour_space` an enumerated colour space (16 sRGB, 17 grey, 18 sYCC), or None.
    """

    width: int
    height: int
    components: int
    precision: int
    high_throughput: bool
    profile: bytes | None
    colour_space: int | None


def read_header(data: bytes) -> Header:
    """Return the header of a JP2 file or a raw codestream. Raises `MasterUnreadable`, `MasterUnsupported`."""
    profile: bytes | None = None
    colour_space: int | None = None
    palette: tuple[int, int] | None = None
    view = memoryview(data)
    codestream = None if data[4:8] == _SIGNATURE_BOX else view
    for kind, body in _boxes(view) if codestream is None else ():
        if kind == b"colr" and profile is None and colour_space is None:
            profile, colour_space = _read_colour(bytes(body))
        elif kind == b"pclr":
            palette = _read_palette(bytes(body[:4]))
        elif kind == b"jp2c":
            codestream = body
            break
    if codestream is None:
        raise MasterUnreadable(reason=LocalizedText("JP2 文件中没有码流", "the JP2 file contains no codestream"))
    return _with_codestream(codestream, profile, colour_space, palette)


def memory_needed(header: Header) -> int:
    """Return an upper bound, in bytes, of the memory that decoding takes; measured above."""
    sample = 1 if header.precision <= 8 else 2
    return header.width * header.height * header.components * (4 + sample + 2)


def decode(data: bytes, header: Header, threads: int) -> NDArray[Any]:
    """Return the samples, of shape (height, width) or (height, width, components), scaled to 8 or 16 bits.

    Raises `MasterTooLarge` before decoding, `MasterUnreadable` for a damaged or truncated codestream, and
    `MasterUnsupported` for one that the decoder does not implement.
    """
    if memory_needed(header) > MEMORY:
        limit = f"JPEG 2000: {MEMORY >> 20} MiB"
        raise MasterTooLarge(width=header.width, height=header.height, limit=limit)
    samples = _decode(data, header, threads)
    if samples.shape[:2] != (header.height, header.width):
        raise MasterUnreadable(
            reason=LocalizedText("解码后的尺寸与文件头不符", "the decoded size differs from the header")
        )
    full = 8 if samples.dtype == np.uint8 else 16
    return samples if header.precision == full else _stretch(samples, header.precision, full)


def _decode(data: bytes, header: Header, threads: int) -> NDArray[Any]:
    try:
        samples = htj2k_decode(data) if header.high_throughput else jpeg2k_decode(data, numthreads=threads)
    except (Jpeg2kError, Htj2kError) as fault:
        raise MasterUnreadable(reason=f"JPEG 2000: {fault}") from fault
    except (NotImplementedError, ValueError) as fault:
        raise MasterUnsupported(seen=f"JPEG 2000: {fault}") from fault
    if samples.dtype not in (np.uint8, np.uint16):
        raise MasterUnsupported(seen=f"JPEG 2000, {samples.dtype}")
    return np.ascontiguousarray(samples)


def _stretch(samples: NDArray[Any], precision: int, full: int) -> NDArray[Any]:
    """Scale samples of `precision` bits to `full` bits, so that the largest value stays white."""
    largest, white = (1 << precision) - 1, (1 << full) - 1
    table = np.minimum(np.arange(white + 1, dtype=np.int64), largest) * white + largest // 2
    return np.take((table // largest).astype(samples.dtype), samples)


def _boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the type and contents of every box in order, including the boxes inside the header box."""
    offset = 0
    while offset + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, offset)
        start = offset + 8
        if length == 1 and start + 8 <= len(data):
            length = struct.unpack_from(">Q", data, start)[0]
            start += 8
        end = len(data) if length == 0 else offset + length
        if end < start or end > len(data):
            raise MasterUnreadable(
                reason=LocalizedText("JP2 文件不完整", "a JP2 box extends beyond the end of the file")
            )
        yield kind, data[start:end]
        if kind == b"jp2h":
            yield from _boxes(data[start:end])
        offset = end


def _read_colour(body: bytes) -> tuple[bytes | None, int | None]:
    """Return the ICC profile or the enumerated colour space of a colour specification box (I.5.3.3)."""
    method = body[0] if body else 0
    if method in {2, 3}:
        return body[3:], None
    if method == 1 and len(body) >= 7:
        space = struct.unpack_from(">I", body, 3)[0]
        if space not in _COLOUR_SPACES:
            raise MasterUnsupported(seen=f"JPEG 2000, colour space {space}")
        return None, space
    return None, None


def _read_palette(body: bytes) -> tuple[int, int]:
    """Return the number of columns of a palette box (I.5.3.4) and the bit depth of the first."""
    if len(body) < 4:
        raise MasterUnreadable(reason=LocalizedText("JP2 调色板不完整", "the JP2 palette is truncated"))
    return body[2], (body[3] & 0x7F) + 1


def _with_codestream(
    codestream: memoryview, profile: bytes | None, colour_space: int | None, palette: tuple[int, int] | None
) -> Header:
    """Return the header, completed from the SIZ marker segment (A.5.1), which follows SOC immediately."""
    if len(codestream) < 4 + _SIZ.size or bytes(codestream[:4]) != b"\xff\x4f\xff\x51":
        raise MasterUnreadable(reason=LocalizedText("码流缺少文件头", "the codestream has no header"))
    if bytes(codestream[-2:]) != b"\xff\xd9":  # EOC (A.4.4); OpenJPH accepts a stream truncated between code-blocks
        raise MasterUnreadable(reason=LocalizedText("码流不完整", "the codestream is truncated"))
    _length, capabilities, *sizes, components = _SIZ.unpack_from(codestream, 4)
    right, bottom, left, top = sizes[:4]
    parts = bytes(codestream[4 + _SIZ.size : 4 + _SIZ.size + 3 * components])
    if right <= left or bottom <= top or components == 0 or len(parts) < 3 * components:
        raise MasterUnreadable(reason=LocalizedText("码流的尺寸无效", "the size in the codestream is not valid"))
    if parts[0] & _SIGNED:
        raise MasterUnsupported(seen="JPEG 2000, signed samples")
    columns, precision = palette or (components, parts[0] + 1)
    if precision > 16 or columns > 4:
        raise MasterUnsupported(seen=f"JPEG 2000, {columns} × {precision} bit")
    high_throughput = bool(capabilities & _HIGH_THROUGHPUT)
    return Header(right - left, bottom - top, columns, precision, high_throughput, profile, colour_space)
