"""Counts the pages of a TIFF file by its image file directories, before the file is decoded. (pure)

Source: TIFF 6.0, section 2 (Image File Directory) and section 8 (NewSubfileType); the BigTIFF specification. A
directory that is marked as a reduced-resolution version (bit 0) or a transparency mask (bit 2) is not a page.

`tifffile` is not used here: it does not report chains that do not end (decision 16).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Protocol

from repository.errors import MasterUnreadable
from repository.localized import LocalizedText

MAX_DIRECTORIES: Final = 4096
_MAX_ENTRIES: Final = 4096

_NEW_SUBFILE_TYPE: Final = 254
_NOT_A_PAGE: Final = 0b101
_PLANAR_CONFIGURATION: Final = 284
_SEPARATE: Final = 2
_LONG: Final = 4


class Readable(Protocol):
    """A file opened for reading bytes."""

    def seek(self, offset: int, /) -> int:
        """Move to `offset` bytes from the start."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """The encoding of numbers in a file: the byte order, and the field widths of classic TIFF or BigTIFF."""

    order: str
    big: bool

    @property
    def count(self) -> struct.Struct:
        """The number of entries of a directory."""
        return struct.Struct(self.order + ("Q" if self.big else "H"))

    @property
    def offset(self) -> struct.Struct:
        """A position in the file."""
        return struct.Struct(self.order + ("Q" if self.big else "I"))

    @property
    def entry(self) -> struct.Struct:
        """Tag, type, count and the first four bytes of the value field, which is as wide as an offset."""
        return struct.Struct(self.order + ("HHQ4s4x" if self.big else "HHI4s"))


@dataclass(frozen=True, slots=True)
class Directories:
    """The number of pages, and whether any stores its samples in separate planes (PlanarConfiguration, section 8)."""

    pages: int
    separate_planes: bool


def read_directories(file: Readable) -> Directories:
    """Read the chain of directories. Raises `MasterUnreadable` if it does not end, or leads out of the file."""
    layout, offset = _read_header(file)
    visited: set[int] = set()
    pages, separate = 0, False
    while offset:
        if offset in visited or len(visited) >= MAX_DIRECTORIES:
            raise MasterUnreadable(
                reason=LocalizedText("TIFF 目录链循环或过长", "the chain of TIFF directories is circular or too long")
            )
        visited.add(offset)
        tags, offset = _read_directory(file, layout, offset)
        pages += not tags.get(_NEW_SUBFILE_TYPE, 0) & _NOT_A_PAGE
        separate |= tags.get(_PLANAR_CONFIGURATION) == _SEPARATE
    return Directories(pages, separate)


def _read_header(file: Readable) -> tuple[_Layout, int]:
    file.seek(0)
    head = file.read(16)
    if len(head) < 8:
        raise _outside()
    layout = _Layout("<" if head[:2] == b"II" else ">", head[2:4] in {b"+\0", b"\0+"})
    position = 8 if layout.big else 4
    if len(head) < position + layout.offset.size:
        raise _outside()
    return layout, int(layout.offset.unpack_from(head, position)[0])


def _read_directory(file: Readable, layout: _Layout, offset: int) -> tuple[dict[int, int], int]:
    """Return the first value of each tag needed from the directory at `offset`, and the next directory's offset."""
    entries = _read_number(file, layout.count, offset)
    if entries > _MAX_ENTRIES:
        raise MasterUnreadable(reason=LocalizedText("TIFF 目录条目过多", "a TIFF directory has too many entries"))
    body = file.read(entries * layout.entry.size)
    if len(body) < entries * layout.entry.size:
        raise _outside()
    tags: dict[int, int] = {}
    for tag, field_type, _count, value in layout.entry.iter_unpack(body):
        if tag in {_NEW_SUBFILE_TYPE, _PLANAR_CONFIGURATION}:
            tags[tag] = struct.unpack(layout.order + ("I" if field_type == _LONG else "H2x"), value)[0]
    link = file.read(layout.offset.size)
    # Some writers omit the link of the last directory at the end of the file.
    return tags, layout.offset.unpack(link)[0] if len(link) == layout.offset.size else 0


def _read_number(file: Readable, encoding: struct.Struct, offset: int) -> int:
    try:
        file.seek(offset)
    except (OSError, OverflowError, ValueError) as fault:
        raise _outside() from fault
    data = file.read(encoding.size)
    if len(data) < encoding.size:
        raise _outside()
    return int(encoding.unpack(data)[0])


def _outside() -> MasterUnreadable:
    return MasterUnreadable(reason=LocalizedText("TIFF 目录指向文件之外", "a TIFF directory is outside the file"))
