"""A master as a sandboxed child sees it: open already, because the child cannot open files."""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import pyvips

from workers.masters.tiff import Edit


class MasterFile:
    """A master by its `descriptor` and the `name` of its file; `spool` is the descriptor of an empty file for pixels.

    Readers and sources are independent of each other: none moves the position of the descriptor.
    """

    def __init__(self, descriptor: int, name: str, spool: int) -> None:
        self._descriptor = descriptor
        self._spool = spool
        self._kept: list[mmap.mmap | pyvips.Source] = []  # libvips reads them as long as an image exists
        self.suffix = PurePath(name).suffix

    def open(self) -> io.BufferedReader:
        """Return a new reader of the file, from its start."""
        return io.BufferedReader(_DescriptorReader(self._descriptor), 1 << 16)

    def read_bytes(self) -> bytes:
        """Return the content."""
        with self.open() as file:
            return file.read()

    def source(self, edits: Sequence[Edit] = ()) -> pyvips.Source:
        """Return a new source of the content for libvips, with `edits`. The file must not be empty; it stays as it is.

        Without edits it is mapped into memory: a file that is cut while it is decoded ends the child. A copy that can
        be edited would count as memory of the child, however large the file.
        """
        if not edits:
            return pyvips.Source.new_from_memory(self._map(self._descriptor))
        reader = _EditedReader(self._descriptor, edits)
        source = pyvips.SourceCustom()
        source.on_read(reader.read)
        source.on_seek(reader.seek)
        self._kept.append(source)
        return source

    def spooled(self, image: Any) -> Any:
        """Return the image with its pixels in the spool file, so that they can be read in any order.

        Raises `pyvips.Error` when there is no space.
        """
        os.ftruncate(self._spool, 0)
        os.lseek(self._spool, 0, os.SEEK_SET)
        image.rawsave_target(pyvips.Target.new_to_descriptor(self._spool))
        pixels = self._map(self._spool)
        stored = pyvips.Image.new_from_memory(pixels, image.width, image.height, image.bands, image.format)
        return stored.copy(interpretation=image.interpretation)

    def _map(self, descriptor: int) -> mmap.mmap:
        mapped = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
        self._kept.append(mapped)
        return mapped


class _DescriptorReader(io.RawIOBase):
    """Reads at a position of its own (pread(2))."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = os.preadv(self._descriptor, [buffer], self._position)
        self._position += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_CUR:
            offset += self._position
        elif whence == os.SEEK_END:
            offset += os.fstat(self._descriptor).st_size
        if offset < 0:
            raise ValueError(f"seek to {offset}")
        self._position = offset
        return offset


class _EditedReader(_DescriptorReader):
    """Reads with `edits` over the bytes of the file."""

    def __init__(self, descriptor: int, edits: Sequence[Edit]) -> None:
        super().__init__(descriptor)
        self._edits = edits

    def readinto(self, buffer: Any) -> int:
        start = self._position
        count = super().readinto(buffer)
        for edit in self._edits:
            for position, value in enumerate(edit.data, edit.position - start):
                if 0 <= position < count:
                    buffer[position] = value
        return count
