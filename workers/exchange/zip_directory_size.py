"""The size of a ZIP file's central directory, which `zipfile` reads into memory whole.

APPNOTE.TXT of PKWARE, sections 4.3.14 to 4.3.16.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

_END: Final = struct.Struct("<4s4H2LH")
_LOCATOR: Final = struct.Struct("<4sLQL")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_LONGEST_COMMENT: Final = 0xFFFF
_IN_ZIP64: Final = 0xFFFFFFFF


def zip_directory_size(file: Path) -> int | None:
    """Return the size in bytes that a ZIP file states for its directory; None if it states none. Raises `OSError`.

    A hostile file may state several sizes, of which readers take different ones: the largest counts.
    """
    with file.open("rb") as opened:
        length = opened.seek(0, 2)
        start = max(0, length - _END.size - _LONGEST_COMMENT)
        opened.seek(start)
        tail = opened.read()
        place = tail.rfind(b"PK\5\6")
        if place < 0 or len(tail) - place < _END.size:
            return None
        size: int = _END.unpack_from(tail, place)[5]
        sizes = [size] if size != _IN_ZIP64 else []
        return max([*sizes, *_zip64_sizes(opened, start + place)], default=None)


def _zip64_sizes(opened: IO[bytes], end: int) -> Iterator[int]:
    """Yield the sizes that ZIP64 end records state: the one that the locator names, and the one just before it."""
    locator = _read_at(opened, end - _LOCATOR.size, _LOCATOR.size)
    if locator.startswith(b"PK\6\7"):
        for place in (_LOCATOR.unpack(locator)[2], end - _LOCATOR.size - _END_64.size):
            record = _read_at(opened, place, _END_64.size)
            if record.startswith(b"PK\6\6"):
                yield _END_64.unpack(record)[8]


def _read_at(opened: IO[bytes], place: int, length: int) -> bytes:
    """Return bytes at a place that the file may have invented; b"" if it does not have all of them."""
    if not 0 <= place <= opened.seek(0, 2) - length:
        return b""
    opened.seek(place)
    return opened.read(length)
