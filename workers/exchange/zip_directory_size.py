"""The size of a ZIP file's central directory, which `zipfile` reads into memory whole.

APPNOTE.TXT of PKWARE, sections 4.3.14 to 4.3.16.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO, Final

_END: Final = struct.Struct("<4s4H2LH")
_LOCATOR: Final = struct.Struct("<4sLQL")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_LONGEST_COMMENT: Final = 0xFFFF
_IN_ZIP64: Final = 0xFFFFFFFF


def zip_directory_size(file: Path) -> int | None:
    """Return the size in bytes that a ZIP file states for its directory; None if it states none. Raises `OSError`."""
    with file.open("rb") as opened:
        length = opened.seek(0, 2)
        start = max(0, length - _END.size - _LONGEST_COMMENT)
        opened.seek(start)
        tail = opened.read()
        place = tail.rfind(b"PK\5\6")
        if place < 0 or len(tail) - place < _END.size:
            return None
        size: int = _END.unpack_from(tail, place)[5]
        return size if size != _IN_ZIP64 else _zip64_size(opened, start + place)


def _zip64_size(opened: IO[bytes], end: int) -> int | None:
    opened.seek(max(0, end - _LOCATOR.size))
    locator = opened.read(_LOCATOR.size)
    if len(locator) < _LOCATOR.size or not locator.startswith(b"PK\6\7"):
        return None
    opened.seek(_LOCATOR.unpack(locator)[2])
    record = opened.read(_END_64.size)
    if len(record) < _END_64.size or not record.startswith(b"PK\6\6"):
        return None
    size: int = _END_64.unpack(record)[8]
    return size
