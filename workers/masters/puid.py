"""Tells the format of a master with its version as PRONOM does, by a PUID, from the headers of its file alone.

PRONOM is the registry of The National Archives (https://www.nationalarchives.gov.uk/PRONOM/). Its signatures are
followed for the formats that are accepted. `pygfried`, which identifies files by them, reads a master to its end, 130
MB of it a second; an ingest has no time for that. A test compares the PUIDs with those of `pygfried` on sample files.
PRONOM tells versions 3 to 6 of TIFF apart no longer. What is a TIFF besides, such as a GeoTIFF, is not asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, Final

from workers.masters.formats import CODESTREAM, JP2, JPEG, PNG, TIFF, WEBP, MasterFormat

_RAW_JPEG: Final = "fmt/41"
_JFIF: Final = {b"\1\0": "fmt/42", b"\1\1": "fmt/43", b"\1\2": "fmt/44"}
_EXIF: Final = {
    b"0200": "x-fmt/398",
    b"0210": "x-fmt/390",
    b"0220": "x-fmt/391",
    b"0221": "fmt/645",
    b"0230": "fmt/1507",
    b"0231": "fmt/1507",
    b"0232": "fmt/1507",
}
_EXIF_VERSION: Final = re.compile(rb"(?:\x00\x90\x07\x00\x04\x00\x00\x00|\x90\x00\x00\x07\x00\x00\x00\x04)(0[0-9]{3})")
"""The entry of the tag ExifVersion, 0x9000, of type 7 and with 4 bytes, in either byte order (Exif 2.3, 4.6.5)."""

_BRANDS: Final = {b"jp2 ": "x-fmt/392", b"jpx ": "fmt/151", b"jph ": "fmt/1964"}
_WEBP: Final = {b"VP8 ": "fmt/566", b"VP8L": "fmt/567", b"VP8X": "fmt/568"}
_PNG_1_1: Final = frozenset({b"iCCP", b"sPLT", b"sRGB"})


def puid_of(file: BinaryIO, master_format: MasterFormat) -> str | None:
    """Return the PUID of a file of this format, which is read from its start; None for a version PRONOM does not know.

    Raises `OSError`.
    """
    return _READERS[master_format.media_type](file)


def _tiff(file: BinaryIO) -> str:
    return "fmt/1917" if b"+" in file.read(4) else "fmt/353"


def _jpeg(file: BinaryIO) -> str:
    """Go by the first segment alone, as PRONOM does: JFIF, Exif, or neither."""
    head = file.read(6)
    segment = file.read(int.from_bytes(head[4:6], "big"))
    if head[3] == 0xE0 and segment.startswith(b"JFIF\0"):
        return _JFIF.get(segment[5:7], _RAW_JPEG)
    if head[3] == 0xE1 and segment.startswith(b"Exif\0\0"):
        version = _EXIF_VERSION.search(segment)
        return _EXIF.get(version[1], _RAW_JPEG) if version else _RAW_JPEG
    return _RAW_JPEG


def _png(file: BinaryIO) -> str:
    kinds = set(_chunks(file))
    if b"iTXt" in kinds:
        return "fmt/13"
    return "fmt/12" if kinds & _PNG_1_1 else "fmt/11"


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the type of every chunk of a PNG file."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        yield head[4:]
        file.seek(int.from_bytes(head[:4], "big") + 4, 1)


def _jp2(file: BinaryIO) -> str | None:
    return _BRANDS.get(file.read(24)[20:])


def _webp(file: BinaryIO) -> str | None:
    return _WEBP.get(file.read(16)[12:])


def _codestream(_: BinaryIO) -> str:
    return "fmt/1794"


_READERS: Final[Mapping[str, Callable[[BinaryIO], str | None]]] = {
    TIFF.media_type: _tiff,
    JPEG.media_type: _jpeg,
    PNG.media_type: _png,
    JP2.media_type: _jp2,
    WEBP.media_type: _webp,
    CODESTREAM.media_type: _codestream,
}
