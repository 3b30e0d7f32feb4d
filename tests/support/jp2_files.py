"""JP2 and JPH files written by hand (ISO/IEC 15444-1, Annex I), and the tile-parts of codestreams. (pure)"""

from __future__ import annotations

import struct


def box(kind: bytes, body: bytes) -> bytes:
    """Return a box."""
    return struct.pack(">I4s", 8 + len(body), kind) + body


def enumerated(space: int) -> bytes:
    """Return a colour specification box of an enumerated colour space: 16 sRGB, 17 grey, 18 sYCC."""
    return box(b"colr", struct.pack(">BBBI", 1, 0, 0, space))


def profiled(profile: bytes) -> bytes:
    """Return a colour specification box with an ICC profile."""
    return box(b"colr", struct.pack(">BBB", 2, 0, 0) + profile)


def definitions(*entries: tuple[int, int, int]) -> bytes:
    """Return a channel definition box of entries (channel, type, association)."""
    return box(b"cdef", struct.pack(">H", len(entries)) + b"".join(struct.pack(">HHH", *entry) for entry in entries))


def palette(colours: list[tuple[int, int, int]]) -> bytes:
    """Return a palette of 8-bit colours, and the mapping of the first component to its three columns."""
    table = struct.pack(">HB3B", len(colours), 3, 7, 7, 7) + b"".join(map(bytes, colours))
    return box(b"pclr", table) + box(b"cmap", b"".join(struct.pack(">HBB", 0, 1, column) for column in range(3)))


def jp2(codestream: bytes, *boxes: bytes) -> bytes:
    """Return a JP2 file of a codestream (JPH: the same for HTJ2K) with these boxes in its header box."""
    right, bottom, left, top = struct.unpack_from(">4I", codestream, 8)
    components, depth = struct.unpack_from(">HB", codestream, 40)
    header = box(b"ihdr", struct.pack(">IIHBBBB", bottom - top, right - left, components, depth, 7, 0, 0))
    start = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 " + bytes(4) + b"jp2 ")
    return start + box(b"jp2h", header + b"".join(boxes)) + box(b"jp2c", codestream)


def tile_parts(codestream: bytes) -> tuple[bytes, list[bytes]]:
    """Return the main header of a codestream, and its tile-parts; EOC follows them."""
    position = codestream.index(b"\xff\x90\x00\x0a")
    header, parts = codestream[:position], []
    while codestream[position : position + 2] == b"\xff\x90":
        (length,) = struct.unpack_from(">I", codestream, position + 6)
        parts.append(codestream[position : position + length])
        position += length
    return header, parts
