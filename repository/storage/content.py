"""What goes into a store and under which keys: the words the stores share.

A key is relative, with ``/`` between its segments, and means the same in every kind of store: no empty, ``.`` or ``..``
segment, no control character, at most 255 bytes a segment (file systems) and 1,024 in all (S3). No key may be the
folder of another: where there is ``a/b`` there is no ``a``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from repository.errors import StoreFault
from repository.localized import LocalizedText

CHUNK: Final = 1 << 20
INCOMING: Final = ".incoming"
_LONGEST_KEY: Final = 1024
_LONGEST_SEGMENT: Final = 255


@dataclass(frozen=True, slots=True)
class MovableFile:
    """A file its owner gives away: a store may move it in. It may be gone once the call has returned."""

    path: Path


Content = bytes | Path | MovableFile | Iterable[bytes]
"""What can be put: bytes, a file (copied, never moved), a file given away (`MovableFile`), or chunks."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A key and the size of what lies under it, in bytes."""

    key: str
    size: int


def check_key(key: str) -> str:
    """The key itself, when it is clean. Raises `StoreFault`."""
    try:
        segments = key.encode().split(b"/")
    except UnicodeEncodeError as fault:
        raise StoreFault(
            key=repr(key), reason=LocalizedText("键名不是有效的 UTF-8", "the key is not valid UTF-8")
        ) from fault
    if (
        any(segment in {b"", b".", b".."} or len(segment) > _LONGEST_SEGMENT for segment in segments)
        or sum(map(len, segments)) + len(segments) - 1 > _LONGEST_KEY
        or any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in key)
        or segments[0] == INCOMING.encode()
    ):
        raise StoreFault(key=repr(key), reason=LocalizedText("键名不合规范", "the key is not a clean relative key"))
    return key


def chunks_of(content: Content, size: int = CHUNK) -> Iterator[bytes]:
    """The content in pieces; of a file or bytes at most `size` bytes each. Raises `OSError` for an unreadable file."""
    if isinstance(content, MovableFile):
        content = content.path
    if isinstance(content, bytes):
        yield from (content[start : start + size] for start in range(0, len(content), size))
    elif isinstance(content, Path):
        with content.open("rb", buffering=0) as file:
            while piece := file.read(size):
                yield piece
    else:
        yield from content
