"""File formats of masters, identified by their first bytes, and the names of formats that are not accepted. (pure)

The suffix must agree with the content: a decoder goes by the first bytes, people and other programs by the suffix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from repository.errors import MasterMisnamed, MasterUnsupported
from repository.localized import LocalizedText

HEAD: Final = 512
"""The number of bytes at the start of a file by which its format is identified."""


@dataclass(frozen=True, slots=True)
class MasterFormat:
    """An accepted format: its display name, its media type, and its suffixes in lower case."""

    name: str
    media_type: str
    suffixes: tuple[str, ...]


TIFF: Final = MasterFormat("TIFF", "image/tiff", (".tif", ".tiff"))
JPEG: Final = MasterFormat("JPEG", "image/jpeg", (".jpg", ".jpeg"))
PNG: Final = MasterFormat("PNG", "image/png", (".png",))
WEBP: Final = MasterFormat("WebP", "image/webp", (".webp",))
JP2: Final = MasterFormat("JPEG 2000", "image/jp2", (".jp2", ".jpf", ".jpx", ".jph"))
CODESTREAM: Final = MasterFormat("JPEG 2000 codestream", "image/j2c", (".j2k", ".j2c", ".jpc", ".jhc"))

FORMATS: Final = (TIFF, JPEG, PNG, WEBP, JP2, CODESTREAM)

_SIGNATURES: Final = (
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),  # BigTIFF
    (b"MM\0+", TIFF),
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\0\0\0\x0cjP  \r\n\x87\n", JP2),  # ISO/IEC 15444-1, I.5.1
    (b"\xff\x4f\xff\x51", CODESTREAM),  # SOC, SIZ
)

_OTHER_SIGNATURES: Final = (
    (b"GIF8", "GIF"),
    (b"%PDF", "PDF"),
    (b"BM", "BMP"),
    (b"#?R", "Radiance HDR"),
    (b"8BPS", "Photoshop"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"AT&TFORM", "DjVu"),
    (b"SIMPLE  =", "FITS"),
    (b"P1", "Netpbm"),
    (b"P4", "Netpbm"),
    (b"P5", "Netpbm"),
    (b"P6", "Netpbm"),
    (b"PK\x03\x04", "ZIP"),
    (b"<svg", "SVG"),
)

_ISO_BRANDS: Final = {b"avif": "AVIF", b"heic": "HEIF", b"heix": "HEIF", b"mif1": "HEIF"}


def sniff(head: bytes) -> MasterFormat:
    """Return the format of a file that starts with these `HEAD` bytes.

    Raises `MasterUnsupported`, which names the format found.
    """
    for signature, file_format in _SIGNATURES:
        if head.startswith(signature):
            return file_format
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    raise MasterUnsupported(seen=_other_format(head))


def check_suffix(suffix: str, file_format: MasterFormat) -> None:
    """Check that `suffix` (``.tif``, in any case) belongs to `file_format`. Raises `MasterMisnamed`."""
    if suffix.lower() not in file_format.suffixes:
        raise MasterMisnamed(suffix=suffix or "''", seen=file_format.name, expected=file_format.suffixes[0])


def is_image_suffix(suffix: str) -> bool:
    """Return whether the suffix is that of an image format, accepted or not."""
    return suffix.lower() in _IMAGE_SUFFIXES


_IMAGE_SUFFIXES: Final = frozenset(suffix for file_format in FORMATS for suffix in file_format.suffixes) | frozenset(
    (".gif", ".pdf", ".bmp", ".hdr", ".psd", ".exr", ".jxl", ".djvu", ".svg", ".avif", ".heic", ".heif", ".dng", ".pnm")
)


def _other_format(head: bytes) -> str | LocalizedText:
    for signature, name in _OTHER_SIGNATURES:
        if head.startswith(signature):
            return name
    if head[4:8] == b"ftyp":
        return _ISO_BRANDS.get(head[8:12], "ISO media")
    if b"<svg" in head:
        return "SVG"
    if not head.strip(b"\0"):
        return LocalizedText("内容全为零字节", "only zero bytes")
    return LocalizedText("不是图像", "not an image")
