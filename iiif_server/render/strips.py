"""Stream pictures through libvips: strips of pixels in, encoded bytes out, never the whole picture in memory.

libvips calls Python for both from its own threads, where an exception is lost. Therefore the exception is stored, the
stream ends, and the caller raises it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import SEEK_CUR, SEEK_END, SEEK_SET
from struct import Struct
from typing import Any, Final, TypeVar

import numpy
import pyvips
from numpy.typing import NDArray

from repository.errors import ShanbenError

Sink = Callable[[bytes], object]
"""Receives the encoded picture part by part."""

Value = TypeVar("Value")

_ROWS: Final = 16
"""Rows of a strip of the TIFF: enough to be fast, few enough to buffer little."""

_START: Final = b"II+\0" + (8).to_bytes(4, "little") + (16).to_bytes(8, "little")
"""Little-endian BigTIFF with positions of 8 bytes, whose directory follows."""

_ENTRY: Final = Struct("<HHQQ")
_SHORT, _LONG = 3, 16


class StripImage:
    """A libvips image whose pixels are an iterator of strips, from the top.

    Read `image` once, from the top, in one operation that ends in an encoder. libvips replaces strips that fail by
    black ones, so call `check` before passing on anything that was encoded. Memory is that of two strips.

    libvips reads it as an uncompressed BigTIFF, whose loader asks for one strip after the other. (The wheel has no
    loader for a simpler format. A plain TIFF cannot have more than 4 GiB.)
    """

    def __init__(self, width: int, height: int, strips: Iterator[NDArray[numpy.uint8]]) -> None:
        first = next(strips)
        bands = first.shape[2] if first.ndim > 2 else 1
        self._strips = strips
        self._header = _header(width, height, bands)
        self._length = len(self._header) + width * height * bands
        self._position = 0
        self._window = first.data.cast("B")
        self._start = len(self._header)
        self._fault: ShanbenError | None = None
        self._source = pyvips.SourceCustom()
        self._source.on_read(self._read)
        self._source.on_seek(self._seek)
        self.image: Any = pyvips.Image.new_from_source(self._source, "", access="sequential")

    def check(self) -> None:
        """Raise the error that ended the strips, if any."""
        if self._fault:
            raise self._fault

    def _seek(self, offset: int, whence: int) -> int:
        self._position = offset + {SEEK_SET: 0, SEEK_CUR: self._position, SEEK_END: self._length}[whence]
        return self._position

    def _read(self, length: int) -> bytes:
        """Return bytes from the loader's position; none at the end, after an error, and before the current strip."""
        if self._position < len(self._header):
            data = self._header[self._position : self._position + length]
        else:
            while self._position >= self._start + len(self._window) and self._advance():
                pass
            position = self._position - self._start
            data = bytes(self._window[position : position + length]) if position >= 0 else b""
        self._position += len(data)
        return data

    def _advance(self) -> bool:
        """Replace the current strip by the next; return whether there is one."""
        self._start += len(self._window)
        self._window = memoryview(b"")
        try:
            strip = next(self._strips, None)
        except ShanbenError as fault:
            self._fault = fault
            strip = None
        if strip is None:
            return False
        self._window = strip.data.cast("B")
        return True


def _header(width: int, height: int, bands: int) -> bytes:
    """Return the part of the BigTIFF before its pixels (TIFF 6.0, sections 2 to 6, with 64 bits for each position)."""
    count = -(-height // _ROWS)
    row = width * bands
    lengths = numpy.full(count, _ROWS * row, "<u8")
    lengths[-1] = (height - (count - 1) * _ROWS) * row
    entries = 10
    tables = len(_START) + 8 + entries * _ENTRY.size + 8
    pixels = tables + 2 * lengths.nbytes
    starts = pixels + numpy.arange(count, dtype="<u8") * (_ROWS * row)
    tags = [
        (256, _LONG, 1, width),
        (257, _LONG, 1, height),
        (258, _SHORT, bands, int.from_bytes(b"\x08\x00" * bands, "little")),
        (259, _SHORT, 1, 1),
        (262, _SHORT, 1, 1 if bands == 1 else 2),
        (273, _LONG, count, pixels if count == 1 else tables),
        (277, _SHORT, 1, bands),
        (278, _LONG, 1, _ROWS),
        (279, _LONG, count, int(lengths[0]) if count == 1 else tables + lengths.nbytes),
        (284, _SHORT, 1, 1),
    ]
    directory = b"".join(_ENTRY.pack(*entry) for entry in tags)
    return _START + entries.to_bytes(8, "little") + directory + bytes(8) + starts.tobytes() + lengths.tobytes()


def written_to(sink: Sink, write: Callable[[Any], Value]) -> None:
    """Call `write` with a libvips target whose bytes go to `sink`. Raises what either raises."""
    faults: list[OSError | ShanbenError] = []

    def take(data: Any) -> int:
        if faults:
            return -1
        try:
            sink(bytes(data))
        except (OSError, ShanbenError) as fault:
            faults.append(fault)
            return -1
        return len(data)

    target = pyvips.TargetCustom()
    target.on_write(take)
    try:
        write(target)
    except pyvips.Error as error:
        raise faults[0] if faults else error from error
    if faults:
        raise faults[0]
