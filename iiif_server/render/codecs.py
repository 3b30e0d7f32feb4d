"""The decoder of stored tiles, and the encoders of every output format.

The library for each was chosen by measurement (one core of two, a woodblock page, milliseconds a megapixel):

- JPEG is decoded by `imagecodecs` (libjpeg-turbo): 2.6, libvips 8.2. A whole picture in memory is encoded by it too:
  1.7 to 2.7, libvips 2.7 to 8.5 (more for smaller pictures). libvips encodes pictures that come in strips;
- PNG, TIFF and GIF are encoded by libvips: 6 to 35, 10 to 36, 170 to 220; `imagecodecs` takes twice as long for PNG;
- WebP and AVIF are encoded by `imagecodecs`: 28 to 48 (libvips 35 to 58), and 34 to 70 (as libvips). So is JPEG 2000,
  40 to 100, because the wheel of libvips has no encoder for it.

A JPEG of either library has the component identifiers 1, 2, 3 and no Adobe marker, so that every decoder reads it as
YCbCr (or grey); `imagecodecs` adds a JFIF marker, libvips does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import imagecodecs
import numpy
import pyvips
from numpy.typing import NDArray

from iiif_server.render.jpeg_header import upper_part
from iiif_server.render.pdf import PdfPage
from iiif_server.render.strips import Sink, written_to
from iiif_server.request.grammar import OutputFormat
from repository.errors import PyramidCorrupt

Pixels = NDArray[numpy.uint8]
"""Pixels by row, column and band of sRGB; of a grey picture by row and column."""

MEDIA_TYPES: Final[Mapping[OutputFormat, str]] = MappingProxyType(
    {
        OutputFormat.JPG: "image/jpeg",
        OutputFormat.PNG: "image/png",
        OutputFormat.WEBP: "image/webp",
        OutputFormat.TIF: "image/tiff",
        OutputFormat.GIF: "image/gif",
        OutputFormat.JP2: "image/jp2",
        OutputFormat.AVIF: "image/avif",
        OutputFormat.PDF: "application/pdf",
    }
)

STREAMED: Final = frozenset({OutputFormat.JPG, OutputFormat.PNG, OutputFormat.PDF})
"""Formats that are encoded while pixels arrive. Of the others the whole encoded picture is held in memory and, except
for TIFF, all pixels too.
"""

OPAQUE: Final = frozenset({OutputFormat.JPG, OutputFormat.PDF})
"""Formats that cannot be transparent."""

_FULL_CHROMA: Final = 90
"""The JPEG quality from which chroma has full resolution. Below it chroma is halved along both sides, as in tiles."""

_AVIF_SPEED: Final = 9
"""Takes a quarter of the time of 8 for a quarter more bytes; 10 is not faster."""

_WEBP_METHOD: Final = 2


def versions() -> str:
    """Return the versions of the libraries, which decide the bytes of an encoded picture."""
    return f"{pyvips.version(0)}.{pyvips.version(1)}.{pyvips.version(2)} {imagecodecs.__version__}"


def decode_tile(
    data: bytes, shape: tuple[int, int], grey: bool, rows: int | None = None, scratch: Pixels | None = None
) -> Pixels:
    """Return the pixels of a stored tile of `shape` (rows, columns): all rows, or at least the first `rows`.

    When `grey`, return the luma alone, which a JPEG stores separately (ITU-R BT.601). `scratch` is used for the result
    if it fits. Raises `PyramidCorrupt` when the tile is not a JPEG of this shape.
    """
    height, width = shape
    if rows is not None and rows < height:
        data, height = upper_part(data, rows, height)
    fits = scratch is not None and scratch.shape[1] == width and len(scratch) >= height
    try:
        tile: Pixels = imagecodecs.jpeg8_decode(
            data,
            outcolorspace="GRAYSCALE" if grey else None,
            out=scratch[:height] if scratch is not None and fits else None,
        )
    except (imagecodecs.Jpeg8Error, ValueError) as fault:
        raise PyramidCorrupt(key="", reason=str(fault)) from fault
    if tile.shape[:2] != (height, width):
        raise PyramidCorrupt(key="", reason=f"{tile.shape[1]}x{tile.shape[0]} ≠ {width}x{height}")
    return tile


def encode(  # noqa: PLR0917 - the parameters of `stream`
    picture: Any, wanted: OutputFormat, quality: int, two_tone: bool, sink: Sink, packet: bytes = b""
) -> None:
    """Encode a whole libvips picture in memory, 8-bit, of one to four bands. `quality` is that of JPEG, 1 to 100.

    A PDF carries the XMP `packet`, if there is one.

    Total memory, measured at 4 megapixels of three bands, in bytes a pixel: JPEG, PNG, TIFF and PDF 4 to 6, WebP 8,
    GIF 16, AVIF and JPEG 2000 29.
    """
    if wanted is OutputFormat.JPG:
        sink(_jpeg(picture, quality))
    elif wanted is OutputFormat.PDF:
        _pdf(picture, sink, packet, lambda write: write(_jpeg(picture, quality)))
    elif wanted is OutputFormat.WEBP:
        sink(bytes(imagecodecs.webp_encode(_coloured(picture), level=quality, lossless=False, method=_WEBP_METHOD)))
    elif wanted is OutputFormat.AVIF:
        level = max(1, quality - 15)  # looks like JPEG at `quality`
        sink(bytes(imagecodecs.avif_encode(_coloured(picture), level=level, speed=_AVIF_SPEED, numthreads=1)))
    elif wanted is OutputFormat.JP2:
        decibels = 30 + quality // 8
        encoded = imagecodecs.jpeg2k_encode(_pixels(picture), level=decibels, codecformat="jp2", reversible=False)
        sink(bytes(encoded))
    else:
        stream(picture, wanted, quality, two_tone, sink)


def stream(  # noqa: PLR0917 - the parameters of `encode`
    picture: Any, wanted: OutputFormat, quality: int, two_tone: bool, sink: Sink, packet: bytes = b""
) -> None:
    """Encode a libvips picture while its pixels arrive; formats not in `STREAMED` are held whole, as by `encode`."""
    if wanted is OutputFormat.PDF:
        _pdf(picture, sink, packet, lambda write: stream(picture, OutputFormat.JPG, quality, False, write))
    elif wanted in _OPTIONS or wanted is OutputFormat.JPG:
        options = {"Q": quality} if wanted is OutputFormat.JPG else _OPTIONS[wanted]
        if two_tone and picture.bands == 1:
            options = {**options, **_TWO_TONE.get(wanted, {})}
        suffix = f".{wanted.value}"
        if wanted in STREAMED:
            written_to(sink, lambda target: picture.write_to_target(target, suffix, keep="none", **options))
        else:
            sink(picture.write_to_buffer(suffix, keep="none", **options))
    else:
        encode(picture, wanted, quality, two_tone, sink)


_OPTIONS: Final[Mapping[OutputFormat, Mapping[str, object]]] = MappingProxyType(
    {
        OutputFormat.PNG: {"compression": 4},
        OutputFormat.TIF: {"compression": "deflate", "predictor": "none"},
        OutputFormat.GIF: {"effort": 3},
    }
)
_TWO_TONE: Final[Mapping[OutputFormat, Mapping[str, object]]] = MappingProxyType(
    {OutputFormat.PNG: {"bitdepth": 1}, OutputFormat.TIF: {"compression": "ccittfax4", "bitdepth": 1}}
)


def _jpeg(picture: Any, quality: int) -> bytes:
    subsampling = ("420" if quality < _FULL_CHROMA else "444") if picture.bands > 1 else None
    return bytes(imagecodecs.jpeg8_encode(_pixels(picture), level=quality, subsampling=subsampling))


def _pdf(picture: Any, sink: Sink, packet: bytes, write_jpeg: Callable[[Sink], object]) -> None:
    page = PdfPage(picture.width, picture.height, picture.bands == 1, sink, packet)
    page.open()
    write_jpeg(page.write)
    page.close()


def _pixels(picture: Any) -> Pixels:
    """Return the pixels of a picture; a single band has no axis.

    The shape is stated here, because `numpy()` of pyvips makes one grey pixel an array without axes.
    """
    bands = (picture.bands,) if picture.bands > 1 else ()
    return numpy.ndarray((picture.height, picture.width, *bands), numpy.uint8, picture.write_to_memory())


def _coloured(picture: Any) -> Pixels:
    """Return the pixels in three bands or four, for encoders that take no others."""
    return _pixels(picture.colourspace("srgb") if picture.bands < 3 else picture)
