"""JPEG 2000 and HTJ2K: what the header says, and decoding by imagecodecs (OpenJPEG, OpenJPH).

Neither decoder streams: the whole picture is held while it is decoded. Measured with OpenJPEG 2.5.4: 5.3 bytes a pixel
for 8-bit grey, 15.9 for 8-bit RGB, 20.0 for 16-bit RGB; that is 4 bytes a component (its working plane) and the result.
`memory_needed` allows 2 bytes a component more. A picture that would need more than `MEMORY` is refused unread:
about 460 megapixels of grey, 150 of RGB.

ISO/IEC 15444-1: boxes are Annex I, markers Annex A. Orientation: the format knows none, and OpenJPEG, Kakadu, Pillow
and libvips all show the picture as coded, whatever an EXIF or XMP box beside it says; so do we.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import imagecodecs
import numpy as np
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
    """What is known before decoding. `precision` is the bits of a sample as decoded (of the palette, if there is one).

    `profile` is an ICC profile, `colour_space` an enumerated one (16 sRGB, 17 grey, 18 sYCC), None where none is given.
    """

    width: int
    height: int
    components: int
    precision: int
    high_throughput: bool
    profile: bytes | None
    colour_space: int | None


def read_header(data: bytes) -> Header:
    """The header of a JP2 file or a bare codestream. Raises `MasterUnreadable`, `MasterUnsupported`."""
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
        raise MasterUnreadable(reason=LocalizedText("JP2 文件中没有码流", "the JP2 file holds no codestream"))
    return _with_codestream(codestream, profile, colour_space, palette)


def memory_needed(header: Header) -> int:
    """Bytes that decoding will take at most; see this module's measurement."""
    sample = 1 if header.precision <= 8 else 2
    return header.width * header.height * header.components * (4 + sample + 2)


def decode(data: bytes, header: Header, threads: int) -> NDArray[Any]:
    """The samples, (height, width) or (height, width, components), scaled to fill 8 or 16 bits.

    Raises `MasterTooLarge` before decoding and `MasterUnreadable` for a codestream that is damaged or cut short.
    """
    if memory_needed(header) > MEMORY:
        limit = f"JPEG 2000: {MEMORY >> 20} MiB"
        raise MasterTooLarge(width=header.width, height=header.height, limit=limit)
    samples = _decode(data, header, threads)
    if samples.shape[:2] != (header.height, header.width):
        raise MasterUnreadable(
            reason=LocalizedText("尺寸与文件头不符", "the size decoded is not the size in the header")
        )
    full = 8 if samples.dtype == np.uint8 else 16
    return samples if header.precision == full else _stretch(samples, header.precision, full)


def _decode(data: bytes, header: Header, threads: int) -> NDArray[Any]:
    try:
        if header.high_throughput:
            samples = imagecodecs.htj2k_decode(data)
        else:
            samples = imagecodecs.jpeg2k_decode(data, numthreads=threads)
    except (imagecodecs.Jpeg2kError, imagecodecs.Htj2kError) as fault:
        raise MasterUnreadable(reason=f"JPEG 2000: {fault}") from fault
    except (NotImplementedError, ValueError) as fault:
        raise MasterUnsupported(seen=f"JPEG 2000: {fault}") from fault
    if samples.dtype not in (np.uint8, np.uint16):
        raise MasterUnsupported(seen=f"JPEG 2000, {samples.dtype}")
    return np.ascontiguousarray(samples)


def _stretch(samples: NDArray[Any], precision: int, full: int) -> NDArray[Any]:
    """Samples of fewer bits than their type has, scaled so that white is white."""
    top, white = (1 << precision) - 1, (1 << full) - 1
    table = np.minimum(np.arange(white + 1, dtype=np.int64), top) * white + top // 2
    return np.take((table // top).astype(samples.dtype), samples)


def _boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Every box and its contents, those within the header box too, in order."""
    place = 0
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        start = place + 8
        if length == 1 and start + 8 <= len(data):
            length = struct.unpack_from(">Q", data, start)[0]
            start += 8
        end = len(data) if length == 0 else place + length
        if end < start or end > len(data):
            raise MasterUnreadable(
                reason=LocalizedText("JP2 文件不完整", "a JP2 box reaches beyond the end of the file")
            )
        yield kind, data[start:end]
        if kind == b"jp2h":
            yield from _boxes(data[start:end])
        place = end


def _read_colour(body: bytes) -> tuple[bytes | None, int | None]:
    """A colour specification box (I.5.3.3): the profile or the enumerated space."""
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
    """A palette box (I.5.3.4): the columns and the bits of the first."""
    if len(body) < 4:
        raise MasterUnreadable(reason=LocalizedText("JP2 调色板不完整", "the JP2 palette is cut short"))
    return body[2], (body[3] & 0x7F) + 1


def _with_codestream(
    codestream: memoryview, profile: bytes | None, colour_space: int | None, palette: tuple[int, int] | None
) -> Header:
    """The header completed by the SIZ marker segment (A.5.1), which comes right after SOC."""
    if len(codestream) < 4 + _SIZ.size or bytes(codestream[:4]) != b"\xff\x4f\xff\x51":
        raise MasterUnreadable(reason=LocalizedText("码流没有文件头", "the codestream has no header"))
    if bytes(codestream[-2:]) != b"\xff\xd9":  # EOC (A.4.4): OpenJPH takes a stream cut between two code-blocks
        raise MasterUnreadable(reason=LocalizedText("码流不完整", "the codestream is cut short"))
    _length, capabilities, *sizes, components = _SIZ.unpack_from(codestream, 4)
    right, bottom, left, top = sizes[:4]
    parts = bytes(codestream[4 + _SIZ.size : 4 + _SIZ.size + 3 * components])
    if right <= left or bottom <= top or components == 0 or len(parts) < 3 * components:
        raise MasterUnreadable(reason=LocalizedText("码流的尺寸无效", "the codestream gives no valid size"))
    if parts[0] & _SIGNED:
        raise MasterUnsupported(seen="JPEG 2000, signed samples")
    columns, precision = palette or (components, parts[0] + 1)
    if precision > 16 or columns > 4:
        raise MasterUnsupported(seen=f"JPEG 2000, {columns} × {precision} bit")
    high_throughput = bool(capabilities & _HIGH_THROUGHPUT)
    return Header(right - left, bottom - top, columns, precision, high_throughput, profile, colour_space)
