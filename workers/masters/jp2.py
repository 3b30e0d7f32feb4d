"""Reads the boxes of a JP2 or JPH file that say what its components mean. (pure)

OpenJPEG applies the palette, the order of the channels and the conversion from sYCC. Its conversion by an ICC profile
has an intent of its own, therefore `without_profile` hides the profile from it.

Source: ISO/IEC 15444-1, Annex I; ISO/IEC 15444-15, Annex D (JPH has the same boxes).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from repository.errors import MasterUnreadable, MasterUnsupported
from repository.localized import LocalizedText

SIGNATURE: Final = b"jP  "

OPACITY: Final = 1
PREMULTIPLIED: Final = 2
_COLOUR: Final = 0
_WHOLE_IMAGE: Final = (0, 65535)

_ENUMERATED: Final = 1
_PROFILES: Final = frozenset({2, 3})
_UNKNOWN_METHOD: Final = 5
_COLOUR_SPACES: Final = {16: "sRGB", 17: "greyscale", 18: "sYCC"}
_SIGNED: Final = 0x80


@dataclass(frozen=True, slots=True)
class ChannelDefinition:
    """An entry of the channel definition box (I.5.3.6): a channel, its type and the colour it belongs to."""

    channel: int
    kind: int
    association: int


@dataclass(frozen=True, slots=True)
class Boxes:
    """What the boxes before the codestream say.

    `codestream` is its offset in the file. `profile` is an ICC profile and `colour_space` an enumerated colour space
    (16 sRGB, 17 grey, 18 sYCC), or None. `palette` has the bit depth of each channel that a palette makes, or is empty.
    """

    codestream: int = -1
    profile: bytes | None = None
    colour_space: int | None = None
    palette: tuple[int, ...] = ()
    definitions: tuple[ChannelDefinition, ...] = ()


def read_boxes(data: bytes) -> Boxes:
    """Return what the boxes of a JP2 file say. Raises `MasterUnreadable`, `MasterUnsupported`."""
    found = Boxes()
    columns: tuple[int, ...] = ()
    for kind, start, end in _boxes(data, 0, len(data)):
        body = data[start : min(end, start + (1 << 24))] if kind != b"jp2c" else b""
        if kind == b"colr" and found.profile is None and found.colour_space is None:
            profile, space = _read_colour(body)
            found = replace(found, profile=profile, colour_space=space)
        elif kind == b"pclr":
            columns = _read_palette(body)
        elif kind == b"cmap":
            found = replace(found, palette=_read_mapping(body, columns))
        elif kind == b"cdef":
            found = replace(found, definitions=_read_definitions(body))
        elif kind == b"jp2c":
            return replace(found, codestream=start)
    raise MasterUnreadable(reason=LocalizedText("JP2 文件中没有码流", "the JP2 file contains no codestream"))


def without_profile(data: bytes) -> bytearray:
    """Return the file with colour specification boxes of a method that decoders ignore (I.5.3.3)."""
    changed = bytearray(data)
    for kind, start, _ in _boxes(data, 0, len(data)):
        if kind == b"colr":
            changed[start] = _UNKNOWN_METHOD
        elif kind == b"jp2c":
            break
    return changed


def decoded_order(definitions: Sequence[ChannelDefinition], channels: int) -> list[int]:
    """Return the channels in the order in which OpenJPEG gives them: it exchanges colours until each has its place."""
    order, places = list(range(channels)), list(range(channels))
    for definition in definitions:
        if definition.kind != _COLOUR or definition.association in _WHOLE_IMAGE:
            continue
        target = definition.association - 1
        if definition.channel >= channels or target >= channels:
            raise MasterUnreadable(
                reason=LocalizedText("JP2 通道定义有误", "the JP2 channel definitions are not valid")
            )
        place = places[definition.channel]
        other = order[target]
        order[place], order[target] = other, definition.channel
        places[other], places[definition.channel] = place, target
    return order


def _boxes(data: bytes, offset: int, limit: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start and end of the contents of every box in order, including the boxes inside the header box."""
    while offset + 8 <= limit:
        length, kind = struct.unpack_from(">I4s", data, offset)
        start = offset + 8
        if length == 1 and start + 8 <= limit:
            length = struct.unpack_from(">Q", data, start)[0]
            start += 8
        end = limit if length == 0 else offset + length
        if end < start or end > limit:
            raise MasterUnreadable(
                reason=LocalizedText("JP2 文件不完整", "a JP2 box extends beyond the end of the file")
            )
        yield kind, start, end
        if kind == b"jp2h":
            yield from _boxes(data, start, end)
        offset = end


def _read_colour(body: bytes) -> tuple[bytes | None, int | None]:
    """Return the ICC profile or the enumerated colour space of a colour specification box (I.5.3.3)."""
    method = body[0] if body else 0
    if method in _PROFILES:
        return body[3:], None
    if method == _ENUMERATED and len(body) >= 7:
        space = struct.unpack_from(">I", body, 3)[0]
        if space not in _COLOUR_SPACES:
            raise MasterUnsupported(seen=f"JPEG 2000, colour space {space}")
        return None, space
    return None, None


def _read_palette(body: bytes) -> tuple[int, ...]:
    """Return the bit depth of each column of a palette box (I.5.3.4)."""
    if len(body) < 3 or len(body) < 3 + body[2]:
        raise MasterUnreadable(reason=LocalizedText("JP2 调色板不完整", "the JP2 palette is truncated"))
    return tuple(_depth(value) for value in body[3 : 3 + body[2]])


def _depth(value: int) -> int:
    if value & _SIGNED:
        raise MasterUnsupported(seen="JPEG 2000, signed samples")
    return value + 1


def _read_mapping(body: bytes, columns: Sequence[int]) -> tuple[int, ...]:
    """Return the bit depth of each channel that a component mapping box (I.5.3.5) takes from the palette."""
    depths = []
    for _component, kind, column in struct.iter_unpack(">HBB", body[: len(body) // 4 * 4]):
        if kind != 1 or column >= len(columns):
            raise MasterUnsupported(seen="JPEG 2000, a palette for a part of the channels")
        depths.append(columns[column])
    return tuple(depths)


def _read_definitions(body: bytes) -> tuple[ChannelDefinition, ...]:
    count = int.from_bytes(body[:2], "big")
    if len(body) < 2 + 6 * count:
        raise MasterUnreadable(reason=LocalizedText("JP2 通道定义不完整", "the JP2 channel definitions are truncated"))
    return tuple(ChannelDefinition(*entry) for entry in struct.iter_unpack(">HHH", body[2 : 2 + 6 * count]))
