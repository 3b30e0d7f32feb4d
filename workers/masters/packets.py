"""Finds damage in the packets of a JPEG 2000 tile-part that decoders cannot see. (pure)

Packets have no checksums, and decoders give a picture for any bytes. But two kinds of bytes never occur:

- 0xFF followed by more than 0x8F: packet headers and code-blocks are coded so that no marker appears in them (B.10.1,
  C.3.1). Random bytes contain such a pair every 580 bytes on average.
- More zero bytes in a row than the tile has packets, and a margin: an empty packet is one zero byte, and arithmetic
  codes have no long runs of them. A lost sector of a disk is such a run. Code-blocks with bits that are not coded
  arithmetically (HTJ2K, selective bypass) may have long runs too, and are not examined for them.

Source: ISO/IEC 15444-1, A.6.1 (COD), A.6.2 (COC), B.6 (precincts), B.10 (packet headers).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from repository.errors import MasterUnreadable
from repository.localized import LocalizedText

_MARKER_IN_PACKET: Final = re.compile(
    rb"\xff(?<!\xff\x91\x00\x04\xff)(?<!\xff\x91\x00\x04.\xff)[\x90\x93-\xff]", re.DOTALL
)
"""SOP (0xFF91) and EPH (0xFF92) may be between packets; the number of the packet in SOP has any bytes (A.8.1)."""

_SOD: Final = 0xFF93
_COD: Final = 0xFF52
_COC: Final = 0xFF53
_CODING_MARKERS: Final = frozenset({_COD, _COC})
_SHORTEST: Final = {_COD: 12, _COC: 9}
_HAS_PRECINCTS: Final = 1
_NOT_ARITHMETIC: Final = 0x01 | 0x40  # selective bypass; HT code-blocks
_MARGIN: Final = 128


@dataclass(frozen=True, slots=True)
class TileComponent:
    """An upper bound of the width and height of a component in a tile, in samples."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class _Coding:
    """The coding style of a component: the exponents of the precincts' width and height, lowest resolution first."""

    style: int
    precincts: tuple[tuple[int, int], ...]

    def count_precincts(self, size: TileComponent) -> int:
        """Return an upper bound of the number of precincts at all resolutions (B.6)."""
        levels = len(self.precincts) - 1
        return sum(
            ((size.width >> (levels - level) + across) + 2) * ((size.height >> (levels - level) + down) + 2)
            for level, (across, down) in enumerate(self.precincts)
        )


def longest_run_of_zeros(
    data: bytes, segments: Mapping[int, list[int]], sizes: tuple[TileComponent, ...]
) -> int | None:
    """Return the largest number of zero bytes in a row that packets can have, or None if there is no limit.

    `segments` are those of the main header: offsets of their lengths, by marker. `sizes` are those of the components in
    the largest tile. Raises `MasterUnreadable`.
    """
    lengths = [
        (marker, int.from_bytes(data[start : start + 2], "big"))
        for marker in _SHORTEST
        for start in segments.get(marker, [])
    ]
    if len(segments.get(_COD, [])) != 1 or any(length < _SHORTEST[marker] for marker, length in lengths):
        raise _damaged()
    start = segments[_COD][0]
    layers = int.from_bytes(data[start + 4 : start + 6], "big")
    default = _read_coding(data, start + 7, data[start + 2])
    codings = dict.fromkeys(range(len(sizes)), default)
    for start in segments.get(_COC, []):
        wide = len(sizes) > 256
        component = int.from_bytes(data[start + 2 : start + (4 if wide else 3)], "big")
        codings[component] = _read_coding(data, start + (5 if wide else 4), data[start + (4 if wide else 3)])
    if any(coding.style & _NOT_ARITHMETIC for coding in codings.values()):
        return None
    packets = layers * sum(codings[place].count_precincts(size) for place, size in enumerate(sizes))
    return packets + _MARGIN


def check_packets(data: bytes, start: int, end: int, longest_run: int | None) -> None:
    """Check the packets of the tile-part whose header ends its SOT segment at `start`, and which ends at `end`.

    Raises `MasterUnreadable`.
    """
    markers = dict(_segments(data, start, end))
    if _SOD not in markers:
        raise _damaged()
    packets = markers[_SOD]
    if _MARKER_IN_PACKET.search(data, packets, end):
        raise _damaged()
    if longest_run is None or markers.keys() & _CODING_MARKERS:  # the tile has a coding style of its own
        return
    if data.find(bytes(longest_run + 1), packets, end) >= 0:
        raise _damaged()


def _segments(data: bytes, position: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield marker and offset of the length of each segment of a tile-part header, to SOD, which has no length."""
    while position + 4 <= end:
        marker, length = struct.unpack_from(">HH", data, position)
        yield marker, position + 2
        if marker == _SOD or marker < 0xFF00:
            return
        position += 2 + length


def _read_coding(data: bytes, start: int, style: int) -> _Coding:
    """Return the parameters (SPcod, SPcoc) at `start`; `style` is the byte Scod or Scoc."""
    levels, code_block = data[start], data[start + 3]
    exponents = data[start + 5 : start + 6 + levels] if style & _HAS_PRECINCTS else b"\xff" * (levels + 1)
    if levels > 32 or len(exponents) != levels + 1:
        raise _damaged()
    return _Coding(code_block, tuple((value & 0x0F, value >> 4) for value in exponents))


def _damaged() -> MasterUnreadable:
    return MasterUnreadable(reason=LocalizedText("码流已损坏", "the codestream is damaged"))
