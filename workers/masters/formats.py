"""Which formats are taken as masters, told by their first bytes; and the names of those that are not. (pure)

A suffix is what somebody wrote; the first bytes are what a decoder will see. They must agree: a file that lies about
itself will be lost to somebody later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from repository.errors import MasterMisnamed, MasterUnsupported
from repository.localized import LocalizedText

HEAD: Final = 512
"""How many of a file's first bytes tell its format."""


@dataclass(frozen=True, slots=True)
class MasterFormat:
    """A format that is taken: its name for people, its media type, and the suffixes it goes by (lower case)."""

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

_REFUSED: Final = (
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
    """The format that a file's first `HEAD` bytes show. Raises `MasterUnsupported`, naming what they show instead."""
    for signature, form in _SIGNATURES:
        if head.startswith(signature):
            return form
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    raise MasterUnsupported(seen=_name_refused(head))


def check_suffix(suffix: str, form: MasterFormat) -> None:
    """That `suffix` (``.tif``) is one `form` goes by, in either case. Raises `MasterMisnamed`."""
    if suffix.lower() not in form.suffixes:
        raise MasterMisnamed(suffix=suffix or "''", seen=form.name, expected=form.suffixes[0])


def is_image_suffix(suffix: str) -> bool:
    """Whether a file of this suffix is meant as a picture, ours to take or to refuse by its content."""
    return suffix.lower() in _PICTURE_SUFFIXES


_PICTURE_SUFFIXES: Final = frozenset(suffix for form in FORMATS for suffix in form.suffixes) | frozenset(
    (".gif", ".pdf", ".bmp", ".hdr", ".psd", ".exr", ".jxl", ".djvu", ".svg", ".avif", ".heic", ".heif", ".dng", ".pnm")
)


def _name_refused(head: bytes) -> str | LocalizedText:
    for signature, name in _REFUSED:
        if head.startswith(signature):
            return name
    if head[4:8] == b"ftyp":
        return _ISO_BRANDS.get(head[8:12], "ISO media")
    if b"<svg" in head:
        return "SVG"
    if not head.strip(b"\0"):
        return LocalizedText("全为零字节", "only zero bytes")
    return LocalizedText("不是图像", "not an image")
