"""What a TIFF's directories say before it is decoded: how many pages it holds, without its lower levels. (pure)

TIFF 6.0, section 2 ("Image File Directory") and section 8 (NewSubfileType); BigTIFF by its specification. A directory
that says it is a reduced-resolution version (bit 0) or a transparency mask (bit 2) of another is no page of its own.
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
    """A file open for reading bytes."""

    def seek(self, offset: int, /) -> int:
        """Go to `offset` bytes from the start."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """How numbers lie in this file: byte order, and the widths that classic TIFF and BigTIFF give them."""

    order: str
    big: bool

    @property
    def count(self) -> struct.Struct:
        """The number of a directory's entries."""
        return struct.Struct(self.order + ("Q" if self.big else "H"))

    @property
    def offset(self) -> struct.Struct:
        """Where something lies in the file."""
        return struct.Struct(self.order + ("Q" if self.big else "I"))

    @property
    def entry(self) -> struct.Struct:
        """Tag, type and count; then the first four bytes of the value, whose width the offset's is."""
        return struct.Struct(self.order + ("HHQ4s4x" if self.big else "HHI4s"))


@dataclass(frozen=True, slots=True)
class Directories:
    """How many pages there are, and whether the samples of any lie in planes of their own (section 8)."""

    pages: int
    separate_planes: bool


def read_directories(file: Readable) -> Directories:
    """What the directories say. Raises `MasterUnreadable` for a chain of them that does not end or leaves the file."""
    layout, offset = _read_header(file)
    seen: set[int] = set()
    pages, separate = 0, False
    while offset:
        if offset in seen or len(seen) >= MAX_DIRECTORIES:
            raise MasterUnreadable(
                reason=LocalizedText("TIFF 目录链循环或过长", "the chain of TIFF directories does not end")
            )
        seen.add(offset)
        tags, offset = _read_directory(file, layout, offset)
        pages += not tags.get(_NEW_SUBFILE_TYPE, 0) & _NOT_A_PAGE
        separate |= tags.get(_PLANAR_CONFIGURATION) == _SEPARATE
    return Directories(pages, separate)


def _read_header(file: Readable) -> tuple[_Layout, int]:
    file.seek(0)
    head = file.read(16)
    if len(head) < 8:
        raise _cut_short()
    layout = _Layout("<" if head[:2] == b"II" else ">", head[2:4] in {b"+\0", b"\0+"})
    place = 8 if layout.big else 4
    if len(head) < place + layout.offset.size:
        raise _cut_short()
    return layout, int(layout.offset.unpack_from(head, place)[0])


def _read_directory(file: Readable, layout: _Layout, offset: int) -> tuple[dict[int, int], int]:
    """The first number of each tag read here in the directory at `offset`, and where the next one is (0: nowhere)."""
    entries = _read_number(file, layout.count, offset)
    if entries > _MAX_ENTRIES:
        raise MasterUnreadable(reason=LocalizedText("TIFF 目录条目过多", "a TIFF directory with too many entries"))
    body = file.read(entries * layout.entry.size)
    if len(body) < entries * layout.entry.size:
        raise _cut_short()
    tags: dict[int, int] = {}
    for tag, form, _count, value in layout.entry.iter_unpack(body):
        if tag in {_NEW_SUBFILE_TYPE, _PLANAR_CONFIGURATION}:
            tags[tag] = struct.unpack(layout.order + ("I" if form == _LONG else "H2x"), value)[0]
    following = file.read(layout.offset.size)
    # Some writers leave out the last directory's link; a file that ends there has no next page.
    after = layout.offset.unpack(following)[0] if len(following) == layout.offset.size else 0
    return tags, after


def _read_number(file: Readable, form: struct.Struct, offset: int) -> int:
    try:
        file.seek(offset)
    except (OSError, OverflowError, ValueError) as fault:
        raise _cut_short() from fault
    data = file.read(form.size)
    if len(data) < form.size:
        raise _cut_short()
    return int(form.unpack(data)[0])


def _cut_short() -> MasterUnreadable:
    return MasterUnreadable(reason=LocalizedText("TIFF 目录指向文件之外", "a TIFF directory lies outside the file"))
