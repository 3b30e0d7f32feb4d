"""Reads the main header of a JPEG 2000 codestream, and checks that every tile is there completely. (pure)

OpenJPEG leaves a tile black whose tile-parts are absent, and reports nothing.

Source: ISO/IEC 15444-1, A.4.2 (SOT), A.4.4 (EOC), A.5.1 (SIZ) and B.3 (the grid of tiles).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from repository.errors import MasterUnreadable, MasterUnsupported
from repository.localized import LocalizedText
from workers.masters.packets import TileComponent, check_packets, longest_run_of_zeros

START: Final = b"\xff\x4f\xff\x51"
"""SOC, and SIZ, which follows immediately."""

_SIZ: Final = struct.Struct(">HHIIIIIIIIH")
_SOT: Final = struct.Struct(">HHHIBB")
_SOT_MARKER: Final = 0xFF90
_SOT_LENGTH: Final = 10
_EOC: Final = b"\xff\xd9"
_SIGNED: Final = 0x80


@dataclass(frozen=True, slots=True)
class Codestream:
    """The size of the picture in pixels, the bit depth of each component, and the number of tiles.

    `sizes` are those of the components in the largest tile; `rest` is the offset, in the file, of what follows SIZ.
    """

    width: int
    height: int
    depths: tuple[int, ...]
    tiles: int
    sizes: tuple[TileComponent, ...]
    rest: int


def read_codestream(data: bytes, offset: int) -> Codestream:
    """Return what the codestream at `offset` says of its size. Raises `MasterUnreadable`, `MasterUnsupported`."""
    if len(data) < offset + 4 + _SIZ.size or data[offset : offset + 4] != START:
        raise MasterUnreadable(reason=LocalizedText("码流缺少文件头", "the codestream has no header"))
    length, _capabilities, right, bottom, left, top, *tiling, components = _SIZ.unpack_from(data, offset + 4)
    parts = data[offset + 4 + _SIZ.size : offset + 4 + _SIZ.size + 3 * components]
    if (
        right <= left
        or bottom <= top
        or components == 0
        or len(parts) < 3 * components
        or 0 in (*tiling[:2], *parts[1::3], *parts[2::3])
    ):
        raise MasterUnreadable(reason=LocalizedText("码流的尺寸无效", "the size in the codestream is not valid"))
    if any(depth & _SIGNED for depth in parts[::3]):
        raise MasterUnsupported(seen="JPEG 2000, signed samples")
    tile_width, tile_height, tile_left, tile_top = tiling
    tiles = -(-(right - tile_left) // tile_width) * -(-(bottom - tile_top) // tile_height)
    width, height = right - left, bottom - top
    sizes = tuple(
        TileComponent(min(width, tile_width) // across + 1, min(height, tile_height) // down + 1)
        for across, down in zip(parts[1::3], parts[2::3], strict=True)
    )
    return Codestream(width, height, tuple(depth + 1 for depth in parts[::3]), tiles, sizes, offset + 4 + length)


def check_tiles(data: bytes, stream: Codestream) -> None:
    """Check that all tiles are complete, and that their packets can be packets. Raises `MasterUnreadable`.

    The lengths of the tile-parts must lead to EOC. Bytes after that are no fault.
    """
    position, segments = _read_main_header(data, stream.rest)
    longest_run = longest_run_of_zeros(data, segments, stream.sizes)
    present: dict[int, int] = {}
    announced: dict[int, int] = {}
    while data[position : position + 2] != _EOC:
        if position + _SOT.size > len(data):
            raise _truncated()
        marker, length, tile, size, part, parts = _SOT.unpack_from(data, position)
        # The tile-parts of a tile are in order (A.4.2); those of other tiles may be between them.
        if marker != _SOT_MARKER or length != _SOT_LENGTH or tile >= stream.tiles or part != present.get(tile, 0):
            raise _damaged()
        present[tile] = part + 1
        announced[tile] = parts or announced.get(tile, 0)
        if size == 0:  # the last tile-part, which ends at EOC; packets contain no marker (B.10.1)
            size = data.find(_EOC, position + _SOT.size) - position
        if size < _SOT.size or position + size + 2 > len(data):
            raise _truncated()
        check_packets(data, position + _SOT.size, position + size, longest_run)
        position += size
    if len(present) < stream.tiles or any(count and present[tile] != count for tile, count in announced.items()):
        raise MasterUnreadable(reason=LocalizedText("缺少部分图块", "a part of its tiles is missing"))


def _read_main_header(data: bytes, position: int) -> tuple[int, dict[int, list[int]]]:
    """Return the offset of the first tile-part, and those of the lengths of the segments before it, by marker (A.3)."""
    segments: dict[int, list[int]] = {}
    while True:
        if position + 4 > len(data):
            raise _truncated()
        marker, length = struct.unpack_from(">HH", data, position)
        if marker == _SOT_MARKER:
            return position, segments
        if marker < 0xFF00 or length < 2:
            raise _damaged()
        segments.setdefault(marker, []).append(position + 2)
        position += 2 + length


def _truncated() -> MasterUnreadable:
    return MasterUnreadable(reason=LocalizedText("码流不完整", "the codestream is truncated"))


def _damaged() -> MasterUnreadable:
    return MasterUnreadable(reason=LocalizedText("码流已损坏", "the codestream is damaged"))
