"""The directory of an uncompressed ZIP file: the part of PKWARE's APPNOTE 6.3.10 that a pyramid needs. (pure)

The file has entries (local header, name, bytes, and a data descriptor after those written as a stream), the directory
(one record for each entry) and the end record: 22 bytes without comment, preceded by 76 bytes of ZIP64 when a number
does not fit. Section numbers below are those of APPNOTE.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple

LOCAL_HEADER: Final = Struct("<4s5H3I2H")  # 4.3.7
DESCRIPTOR: Final = Struct("<4s3I")  # 4.3.9, with its signature
RECORD: Final = Struct("<4s6H3I5H2I")  # 4.3.12
END: Final = Struct("<4s4H2IH")  # 4.3.16
END_64: Final = Struct("<4sQ2H2I4Q")  # 4.3.14
LOCATOR_64: Final = Struct("<4sIQI")  # 4.3.15
OFFSET_64: Final = Struct("<2HQ")  # 4.5.3, holding an offset alone

LONGEST_END: Final = END_64.size + LOCATOR_64.size + END.size

_MADE_BY_UNIX: Final = 0x030A
_STREAMED: Final = 8  # general purpose bit 3: sizes and CRC follow the bytes (4.4.4)
_DATE: Final = 0x0021  # 1 January 1980: the first there is
_MODE: Final = 0o100664 << 16
_WIDE: Final = 0xFFFFFFFF
_MANY: Final = 0xFFFF


class ZipInvalid(ValueError):
    """Bytes that are not a directory of stored entries; the message says why."""


class Entry(NamedTuple):
    """A stored entry. `offset` is that of its local header, `record` the bytes of its directory record."""

    name: bytes
    size: int
    crc: int
    offset: int
    streamed: bool
    record: bytes

    @property
    def start(self) -> int:
        """The offset of its bytes, if its local header has no extra field (libvips writes none)."""
        return self.offset + LOCAL_HEADER.size + len(self.name)

    @property
    def end(self) -> int:
        """The offset after it."""
        return self.start + self.size + (DESCRIPTOR.size if self.streamed else 0)


@dataclass(frozen=True, slots=True)
class End:
    """The end record: the number of entries, offset and size of the directory, and its own length."""

    count: int
    offset: int
    size: int
    length: int

    @property
    def total(self) -> int:
        """The size of the whole file in bytes."""
        return self.offset + self.size + self.length


def read_end(tail: bytes) -> End:
    """Parse the end record from the last bytes of a file (`LONGEST_END` suffice). Raises `ZipInvalid`."""
    if len(tail) < END.size:
        raise ZipInvalid("shorter than the end record")
    signature, disk, first_disk, here, count, size, offset, comment = END.unpack_from(tail, len(tail) - END.size)
    if signature != b"PK\5\6" or disk or first_disk or comment or here != count:
        raise ZipInvalid("no end record")
    if count == _MANY or _WIDE in (size, offset):
        return _read_end_64(tail)
    return End(count, offset, size, END.size)


def _read_end_64(tail: bytes) -> End:
    if len(tail) < LONGEST_END:
        raise ZipInvalid("shorter than the ZIP64 end records")
    start = len(tail) - LONGEST_END
    signature, length, _, _, disk, first_disk, here, count, size, offset = END_64.unpack_from(tail, start)
    locator, locator_disk, position, disks = LOCATOR_64.unpack_from(tail, start + END_64.size)
    sound = signature == b"PK\6\6" and locator == b"PK\6\7" and length == END_64.size - 12 and here == count
    if not sound or disk or first_disk or locator_disk or disks != 1 or position != offset + size:
        raise ZipInvalid("no ZIP64 end record")
    return End(count, offset, size, LONGEST_END)


def read_entries(directory: bytes, position: int = 0) -> Iterator[Entry]:
    """Yield the entries of a directory from `position` on, in order. Raises `ZipInvalid` at the first invalid one.

    A valid entry is stored, neither encrypted nor split, without comment and without extra fields except for the ZIP64
    offset where it is needed.
    """
    while position < len(directory):
        entry = _read_entry(directory, position)
        yield entry
        position += len(entry.record)


def _read_entry(directory: bytes, position: int) -> Entry:
    if len(directory) - position < RECORD.size:
        raise ZipInvalid("a record is truncated")
    signature, _, _, flags, method, _, _, crc, packed, size, name_length, extra_length, comment, disk, _, _, offset = (
        RECORD.unpack_from(directory, position)
    )
    if signature != b"PK\1\2" or flags not in (0, _STREAMED) or method or packed != size or comment or disk:
        raise ZipInvalid("a record is not that of a stored entry")
    name_end = position + RECORD.size + name_length
    end = name_end + extra_length
    if end > len(directory):
        raise ZipInvalid("a record is truncated")
    name = directory[position + RECORD.size : name_end]
    if offset == _WIDE or extra_length:
        offset = _wide_offset(directory[name_end:end], offset)
    return Entry(name, size, crc, offset, flags == _STREAMED, directory[position:end])


def _wide_offset(extra: bytes, offset: int) -> int:
    if offset != _WIDE or len(extra) != OFFSET_64.size:
        raise ZipInvalid("a record has an extra field that is not a ZIP64 offset")
    kind, length, wide = OFFSET_64.unpack(extra)
    if (kind, length) != (1, 8):
        raise ZipInvalid("a record has an extra field that is not a ZIP64 offset")
    return int(wide)


def local_entry(name: bytes, content_length: int, crc: int) -> bytes:
    """Return the local header and name of a stored entry, to be followed by its bytes without a descriptor."""
    size = content_length
    return LOCAL_HEADER.pack(b"PK\3\4", 10, 0, 0, 0, _DATE, crc, size, size, len(name), 0) + name


def streamed_header(name: bytes) -> bytes:
    """Return the local header and name of a stored entry whose descriptor follows its bytes."""
    return LOCAL_HEADER.pack(b"PK\3\4", 10, _STREAMED, 0, 0, _DATE, 0, 0, 0, len(name), 0) + name


def descriptor(size: int, crc: int) -> bytes:
    """Return what follows the bytes of a streamed entry."""
    return DESCRIPTOR.pack(b"PK\7\10", crc, size, size)


def record(name: bytes, size: int, crc: int, offset: int, streamed: bool = False) -> bytes:
    """Return the directory record of a stored entry whose local header is at `offset`."""
    extra = OFFSET_64.pack(1, 8, offset) if offset >= _WIDE else b""
    needed = 45 if extra else 10
    fields = (_MADE_BY_UNIX, needed, _STREAMED if streamed else 0, 0, 0, _DATE, crc, size, size, len(name), len(extra))
    return RECORD.pack(b"PK\1\2", *fields, 0, 0, 0, _MODE, min(offset, _WIDE)) + name + extra


def end_record(count: int, offset: int, size: int) -> bytes:
    """Return the end record for a directory of `count` entries at `offset`, with ZIP64 where a number needs it."""
    wide = count >= _MANY or offset >= _WIDE or size >= _WIDE
    end = END.pack(b"PK\5\6", 0, 0, *[min(count, _MANY)] * 2, min(size, _WIDE), min(offset, _WIDE), 0)
    if not wide:
        return end
    end_64 = END_64.pack(b"PK\6\6", END_64.size - 12, 45, 45, 0, 0, count, count, size, offset)
    return end_64 + LOCATOR_64.pack(b"PK\6\7", 0, offset + size, 1) + end
