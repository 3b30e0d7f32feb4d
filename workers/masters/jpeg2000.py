"""Decodes JPEG 2000 and HTJ2K files by imagecodecs (OpenJPEG), and selects the channels that its picture shows.

OpenJPEG does not stream: the whole image is in memory during decoding. Measured with OpenJPEG 2.5.4, in bytes per
pixel: 5.3 for 8-bit grey, 15.9 for 8-bit RGB, 20.0 for 16-bit RGB. This is a working plane of 4 bytes per component,
and the result. `memory_needed` adds 2 bytes per component. An image that needs more than `MEMORY` is refused before
decoding: the limit is about 460 megapixels in grey and 150 in RGB.

HTJ2K is decoded by OpenJPEG too: OpenJPH is faster, but reports no damage within code-blocks, and reads no boxes.

Only channels of type 1 and 2 of the channel definition box are transparency. Other channels that are not colours are
not shown. Source: ISO/IEC 15444-1, I.5.3.6. The format has no orientation: OpenJPEG, Kakadu, Pillow and libvips all
show the image as coded and ignore the orientation of an EXIF or XMP box. So does this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

# By name: imagecodecs loads a decoder when its name is first used, and a sandboxed child can then read no file.
from imagecodecs import Jpeg2kError, jpeg2k_decode
from numpy.typing import NDArray

from repository.errors import MasterTooLarge, MasterUnreadable, MasterUnsupported
from repository.localized import LocalizedText
from workers.masters import jp2
from workers.masters.codestream import Codestream, check_tiles, read_codestream
from workers.masters.ignored import EXTRA_SAMPLES

MEMORY: Final = 3 << 30

_GREY: Final = 17
_PROFILE_SPACE: Final = slice(16, 20)  # ICC.1:2022, 7.2.6
_PROFILE_SPACES: Final = frozenset({b"GRAY", b"RGB "})
_ROWS: Final = 256


@dataclass(frozen=True, slots=True)
class Header:
    """The properties of an image that are known before decoding.

    `depths` are the bits of each decoded channel, in the decoder's order. `shown` are the channels of the picture: one
    colour (grey) or three (red, green, blue), and transparency if there is any. `premultiplied` says that the colours
    are multiplied by the opacity. `profile` is an ICC profile or None.
    """

    stream: Codestream
    depths: tuple[int, ...]
    shown: tuple[int, ...]
    premultiplied: bool
    profile: bytes | None

    @property
    def width(self) -> int:
        """The width in pixels."""
        return self.stream.width

    @property
    def height(self) -> int:
        """The height in pixels."""
        return self.stream.height

    @property
    def ignored(self) -> tuple[str, ...]:
        """Codes of the parts that the image does not show (`masters/ignored.py`)."""
        return (EXTRA_SAMPLES,) if len(self.shown) < len(self.depths) else ()


def read_header(data: bytes) -> Header:
    """Return the header of a JP2 file or a raw codestream. Raises `MasterUnreadable`, `MasterUnsupported`."""
    boxes = jp2.read_boxes(data) if data[4:8] == jp2.SIGNATURE else jp2.Boxes(codestream=0)
    stream = read_codestream(data, boxes.codestream)
    depths = boxes.palette or stream.depths
    order = jp2.decoded_order(boxes.definitions, len(depths))
    depths = tuple(depths[channel] for channel in order)
    kinds = {definition.channel: definition.kind for definition in boxes.definitions}
    shown, premultiplied = _shown_channels([kinds.get(channel) for channel in order], boxes)
    if max(depths[channel] for channel in shown) > 16:
        raise MasterUnsupported(seen=f"JPEG 2000, {max(depths)} bit")
    return Header(stream, depths, shown, premultiplied, boxes.profile)


def _shown_channels(kinds: list[int | None], boxes: jp2.Boxes) -> tuple[tuple[int, ...], bool]:
    """Return the channels that the picture shows, of channels with these types (None: not defined)."""
    if boxes.profile is not None and len(kinds) > 2 and boxes.profile[_PROFILE_SPACE] not in _PROFILE_SPACES:
        raise MasterUnsupported(seen=f"JPEG 2000, {boxes.profile[_PROFILE_SPACE].decode('ascii', 'replace').strip()}")
    colours = [place for place, kind in enumerate(kinds) if not kind]
    count = 1 if boxes.colour_space == _GREY or len(colours) <= 2 else 3
    opacity = [place for place, kind in enumerate(kinds) if kind in {jp2.OPACITY, jp2.PREMULTIPLIED}][:1]
    if len(colours) < count:
        raise MasterUnsupported(seen="JPEG 2000, no colours")
    premultiplied = any(kinds[place] == jp2.PREMULTIPLIED for place in opacity)
    return (*colours[:count], *opacity), premultiplied


def memory_needed(header: Header) -> int:
    """Return an upper bound, in bytes, of the memory that decoding takes; measured above."""
    sample = 1 if max(header.depths) <= 8 else 2
    return header.width * header.height * len(header.depths) * (4 + sample + 2)


def decode(data: bytes, header: Header, threads: int) -> NDArray[Any]:
    """Return the samples shown, of shape (height, width) or (height, width, channels), scaled to 8 or 16 bits.

    Raises `MasterTooLarge` before decoding, `MasterUnreadable` for a damaged or truncated codestream or one without
    some of its tiles, and `MasterUnsupported` for one that the decoder does not implement.
    """
    if memory_needed(header) > MEMORY:
        limit = f"JPEG 2000: {MEMORY >> 20} MiB"
        raise MasterTooLarge(width=header.width, height=header.height, limit=limit)
    check_tiles(data, header.stream)
    samples = _decode(data, header, threads)
    if samples.shape != (header.height, header.width, len(header.depths)):
        raise MasterUnreadable(
            reason=LocalizedText("解码后的尺寸与文件头不符", "the decoded size differs from the header")
        )
    if header.ignored:
        samples = samples[..., list(header.shown)]
    full = 8 if samples.dtype == np.uint8 else 16
    for place, channel in enumerate(header.shown):
        if header.depths[channel] != full:
            samples[..., place] = _stretch(samples[..., place], header.depths[channel], full)
    if header.premultiplied:
        _divide_by_opacity(samples)
    return np.ascontiguousarray(samples[..., 0] if samples.shape[2] == 1 else samples)


def _decode(data: bytes, header: Header, threads: int) -> NDArray[Any]:
    """Return the samples of all channels, of shape (height, width, channels)."""
    try:
        samples = jpeg2k_decode(data if header.profile is None else jp2.without_profile(data), numthreads=threads)
    except Jpeg2kError as fault:
        # Its message says only which function failed.
        raise MasterUnreadable(reason=LocalizedText("码流已损坏", "the codestream is damaged")) from fault
    except (NotImplementedError, ValueError) as fault:
        raise MasterUnsupported(seen=f"JPEG 2000: {fault}") from fault
    if samples.dtype not in (np.uint8, np.uint16):
        raise MasterUnsupported(seen=f"JPEG 2000, {samples.dtype}")
    return samples[..., np.newaxis] if samples.ndim == 2 else samples


def _stretch(samples: NDArray[Any], precision: int, full: int) -> NDArray[Any]:
    """Scale samples of `precision` bits to `full` bits, so that the largest value stays white."""
    largest, white = (1 << precision) - 1, (1 << full) - 1
    table = np.minimum(np.arange(white + 1, dtype=np.int64), largest) * white + largest // 2
    return np.take((table // largest).astype(samples.dtype), samples)


def _divide_by_opacity(samples: NDArray[Any]) -> None:
    """Undo the multiplication of the colours by the opacity, the last channel, in place and in bounded memory."""
    white = np.iinfo(samples.dtype).max
    for top in range(0, samples.shape[0], _ROWS):
        rows = samples[top : top + _ROWS]
        opacity = np.maximum(rows[..., -1:].astype(np.uint64), 1)
        divided = (rows[..., :-1].astype(np.uint64) * white + opacity // 2) // opacity
        rows[..., :-1] = np.minimum(divided, white).astype(samples.dtype)
