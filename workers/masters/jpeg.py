"""Checks that the data of a JPEG stream is whole: in a JPEG file, or in a strip or tile of a TIFF file.

libvips does not report damage that libjpeg detects after the last row, and reports little of the damage before it. Here
libjpeg-turbo reads the stream to its end, and each of its warnings is a fault. The result is one eighth of the width
and height: the entropy-coded data is read completely, at half the cost of decoding, and little memory is needed.

Source: ITU-T T.81, Annex B.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import simplejpeg

from repository.errors import MasterUnreadable, MasterUnsupported
from repository.localized import LocalizedText

_SCALE: Final = 8
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15, without DHT, JPG and DAC
_LOSSLESS: Final = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_SUBSAMPLING: Final = "Could not determine subsampling"
_UNSUPPORTED: Final = ("Unsupported JPEG data precision", "Unsupported JPEG process", "Unsupported color conversion")


@dataclass(frozen=True, slots=True)
class _Frame:
    """The kind of coding (the second byte of the SOF marker) and the number of components."""

    kind: int
    components: int

    @property
    def is_lossless(self) -> bool:
        """Whether the coding is that of Annex H."""
        return self.kind in _LOSSLESS


def check_stream(stream: bytes, tables: bytes = b"") -> None:
    """Read a JPEG stream to its end. `tables` is the abbreviated stream of its tables: the TIFF tag JPEGTables, if any.

    Raises `MasterUnreadable` for anything that libjpeg reports, and `MasterUnsupported` for a kind it does not decode.
    """
    if tables:
        stream = tables[:-2] + stream[2:]  # without the EOI of the tables and the SOI of the picture
    frame = _find_frame(stream)
    # A lossless stream cannot be scaled: libjpeg-turbo would write all of it into a buffer of the smaller size.
    scale = {} if frame is None or frame.is_lossless else {"min_width": 1, "min_height": 1, "min_factor": _SCALE}
    try:
        simplejpeg.decode_jpeg(stream, _colour_space(frame), strict=True, **scale)
    except ValueError as fault:
        raise _fault(str(fault)) from fault
    except MemoryError as fault:
        raise MasterUnreadable(reason=LocalizedText("所需内存超过上限", "it needs more memory than allowed")) from fault


def _colour_space(frame: _Frame | None) -> str:
    """Return the colour space that the decoder can give; grey needs least. Lossless streams are not converted."""
    if frame is not None and frame.components == 4:
        return "CMYK"
    return "RGB" if frame is not None and frame.is_lossless and frame.components == 3 else "GRAY"


def _find_frame(stream: bytes) -> _Frame | None:
    """Return what the frame header (B.2.2) says, or None if there is none: the decoder reports that."""
    position = stream.find(b"\xff") if stream else -1
    while 0 <= position < len(stream) - 9:
        marker = stream[position + 1]
        if stream[position] != 0xFF:
            return None
        if marker == 0xFF:
            position += 1
        elif marker in _WITHOUT_LENGTH:
            position += 2
        elif marker in _FRAMES:
            return _Frame(marker, stream[position + 9])
        else:
            position += 2 + int.from_bytes(stream[position + 2 : position + 4], "big")
    return None


def _fault(message: str) -> MasterUnreadable:
    if _SUBSAMPLING in message:
        return MasterUnsupported(seen=LocalizedText("JPEG，罕见的色度抽样", "JPEG, an unusual subsampling of colours"))
    if message.startswith(_UNSUPPORTED):
        return MasterUnsupported(seen=f"JPEG, {message}")
    return MasterUnreadable(
        reason=LocalizedText(f"JPEG 数据已损坏（{message}）", f"the JPEG data is damaged ({message})")
    )
