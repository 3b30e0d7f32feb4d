"""Reads the image file directories of a TIFF file strictly, before the file is decoded. (pure)

Source: TIFF 6.0, section 2 (Image File Directory); the BigTIFF specification. libtiff forgives what this module
refuses: chains of directories that do not end, and values of tags that the end of the file cuts off. A colour profile
that is lost in this way would change the colours for good.

`tifffile` is not used here: it does not report chains that do not end (decision 16).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from repository.errors import MasterUnreadable
from repository.localized import LocalizedText

MAX_DIRECTORIES: Final = 4096
_MAX_ENTRIES: Final = 4096

_VALUE_SIZES: Final = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8,
}  # fmt: skip
"""The bytes of a value of each field type (section 2; IFD of Adobe PageMaker 6.0; LONG8, SLONG8, IFD8 of BigTIFF)."""

_UNSIGNED: Final = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_RATIONAL: Final = 5

_TAG_NAMES: Final = {
    270: LocalizedText("图像说明", "image description"),
    273: LocalizedText("条带位置", "strip offsets"),
    279: LocalizedText("条带长度", "strip byte counts"),
    320: LocalizedText("颜色表", "colour map"),
    324: LocalizedText("图块位置", "tile offsets"),
    325: LocalizedText("图块长度", "tile byte counts"),
    347: LocalizedText("JPEG 表", "JPEG tables"),
    34675: LocalizedText("ICC 配置文件", "ICC profile"),
}


class Readable(Protocol):
    """A file opened for reading bytes."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to `offset` bytes from the start, or from the end if `whence` is 2. Return the position."""

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
        """Tag, type, count, and the value field, which is as wide as an offset."""
        return struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """An entry of a directory: the field type, the number of values, and the position of the first one in the file."""

    kind: int
    count: int
    position: int

    @property
    def size(self) -> int:
        """The bytes that all values take; 0 for an unknown field type."""
        return self.count * _VALUE_SIZES.get(self.kind, 0)


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes to be written over those at a position of a copy of a file."""

    position: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory: its position in the file, and its entries by tag. Of entries with the same tag the first counts."""

    position: int
    entries: dict[int, DirectoryEntry]


class TiffFile:
    """The directories of an open TIFF file, and the values of their tags. `size` is the length of the file in bytes."""

    def __init__(self, file: Readable) -> None:
        """Read the header. Raises `MasterUnreadable`."""
        self._file = file
        self.size = file.seek(0, 2)
        self._layout, self._first = self._read_header()

    @property
    def byte_order(self) -> str:
        """``<`` for little-endian, ``>`` for big-endian numbers."""
        return self._layout.order

    def chain(self) -> Iterator[Directory]:
        """Yield the directories of the main chain in order.

        Raises `MasterUnreadable` if the chain does not end, or if a directory or the value of a tag is not completely
        in the file.
        """
        visited: set[int] = set()
        offset = self._first
        while offset:
            if offset in visited or len(visited) >= MAX_DIRECTORIES:
                raise MasterUnreadable(
                    reason=LocalizedText("TIFF 目录链循环或过长", "its chain of directories is circular or too long")
                )
            visited.add(offset)
            directory, offset = self._read_directory(offset)
            yield directory

    def directory(self, offset: int) -> Directory:
        """Return the directory at `offset`, which no chain contains (a sub-IFD). Raises `MasterUnreadable`."""
        return self._read_directory(offset)[0]

    def numbers(self, directory: Directory, tag: int, most: int) -> tuple[int, ...]:
        """Return the first `most` unsigned integers of a tag; none if the tag is absent or has another type."""
        entry = directory.entries.get(tag)
        if entry is None or entry.kind not in _UNSIGNED:
            return ()
        count = min(entry.count, most)
        return struct.unpack(f"{self.byte_order}{count}{_UNSIGNED[entry.kind]}", self._values(entry, count))

    def number(self, directory: Directory, tag: int, default: int) -> int:
        """Return the first unsigned integer of a tag, or `default`."""
        return next(iter(self.numbers(directory, tag, 1)), default)

    def rationals(self, directory: Directory, tag: int, most: int) -> tuple[Fraction, ...]:
        """Return the first `most` values of a tag of type RATIONAL or of unsigned integers.

        Raises `MasterUnreadable` for a denominator of zero.
        """
        entry = directory.entries.get(tag)
        if entry is None or entry.kind != _RATIONAL:
            return tuple(map(Fraction, self.numbers(directory, tag, most)))
        count = min(entry.count, most)
        parts = struct.unpack(f"{self.byte_order}{2 * count}I", self._values(entry, count))
        if 0 in parts[1::2]:
            raise _invalid(tag)
        return tuple(map(Fraction, parts[::2], parts[1::2]))

    def array(self, directory: Directory, tag: int, most: int) -> NDArray[np.uint64]:
        """Return the first `most` unsigned integers of a tag; none if the tag is absent or has another type."""
        entry = directory.entries.get(tag)
        if entry is None or entry.kind not in _UNSIGNED:
            return np.empty(0, np.uint64)
        count = min(entry.count, most)
        kind = f"{self.byte_order}u{_VALUE_SIZES[entry.kind]}"
        return np.frombuffer(self._values(entry, count), kind).astype(np.uint64)

    def data(self, directory: Directory, tag: int, most: int) -> bytes:
        """Return the first `most` bytes of the values of a tag; none if the tag is absent."""
        entry = directory.entries.get(tag)
        return self.read(entry.position, min(entry.size, most)) if entry else b""

    def edit(self, directory: Directory, tag: int, number: int) -> Edit:
        """Return the edit that makes `number` the value of a tag, which must be present with unsigned integers.

        Raises `MasterUnreadable` if the type of the tag is too small for it.
        """
        entry = directory.entries[tag]
        if number >= 1 << 8 * _VALUE_SIZES[entry.kind]:
            raise _invalid(tag)
        return Edit(entry.position, struct.pack(self.byte_order + _UNSIGNED[entry.kind], number))

    def read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes of the file, fewer at its end."""
        self._file.seek(offset)
        return self._file.read(size)

    def _values(self, entry: DirectoryEntry, count: int) -> bytes:
        return self.read(entry.position, count * _VALUE_SIZES[entry.kind])

    def _read_header(self) -> tuple[_Layout, int]:
        head = self._read_inside(0, min(16, self.size))
        if len(head) < 8:
            raise _outside()
        layout = _Layout("<" if head[:2] == b"II" else ">", head[2:4] in {b"+\0", b"\0+"})
        position = 8 if layout.big else 4
        if len(head) < position + layout.offset.size:
            raise _outside()
        return layout, int(layout.offset.unpack_from(head, position)[0])

    def _read_directory(self, offset: int) -> tuple[Directory, int]:
        """Return the directory at `offset`, and the offset of the next one."""
        layout = self._layout
        count = int(layout.count.unpack(self._read_inside(offset, layout.count.size))[0])
        if count > _MAX_ENTRIES:
            raise MasterUnreadable(reason=LocalizedText("TIFF 目录条目过多", "a TIFF directory has too many entries"))
        start = offset + layout.count.size
        body = self._read_inside(start, count * layout.entry.size)
        entries: dict[int, DirectoryEntry] = {}
        for number, (tag, kind, values, field) in enumerate(layout.entry.iter_unpack(body)):
            inline = start + number * layout.entry.size + layout.entry.size - layout.offset.size
            entry = DirectoryEntry(kind, values, inline)
            if entry.size > layout.offset.size:
                entry = DirectoryEntry(kind, values, layout.offset.unpack(field)[0])
            if entry.position + entry.size > self.size:
                raise _truncated(tag)
            entries.setdefault(tag, entry)
        link = self._file.read(layout.offset.size)
        # Some writers omit the link of the last directory at the end of the file.
        return Directory(offset, entries), layout.offset.unpack(link)[0] if len(link) == layout.offset.size else 0

    def _read_inside(self, offset: int, size: int) -> bytes:
        if offset + size > self.size:
            raise _outside()
        return self.read(offset, size)


def _outside() -> MasterUnreadable:
    return MasterUnreadable(reason=LocalizedText("TIFF 目录指向文件之外", "a TIFF directory is outside the file"))


def _invalid(tag: int) -> MasterUnreadable:
    return MasterUnreadable(reason=LocalizedText(f"TIFF 标签 {tag} 无效", f"the TIFF tag {tag} is not valid"))


def _truncated(tag: int) -> MasterUnreadable:
    name = _TAG_NAMES.get(tag, LocalizedText(str(tag), str(tag)))
    return MasterUnreadable(
        reason=LocalizedText(
            f"文件不完整，缺少标签“{name.zh}”的内容",
            f"the file is incomplete: the content of its tag “{name.en}” is cut off",
        )
    )
