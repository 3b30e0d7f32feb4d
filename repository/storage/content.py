"""Keys and content of stores: what every kind of store has in common.

A key is relative, uses ``/`` between its segments, and means the same in every kind of store. It has no empty, ``.`` or
``..`` segment, no control character, at most 255 bytes in a segment (file systems) and 1,024 in all (S3). No key is the
folder of another: where ``a/b`` exists, ``a`` does not.
"""

from __future__ import annotations

import re
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
_CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class MovableFile:
    """A file that a store may move instead of copying it. It may no longer exist after the call."""

    path: Path


Chunk = bytes | memoryview
"""A piece of an object as it is read. A view shows the bytes where they were received, so that none are copied."""

Content = bytes | Path | MovableFile | Iterable[Chunk]
"""The content of an object: bytes, a file to copy, a file to move (`MovableFile`), or chunks."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """The key and the size in bytes of a stored object."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class ObjectLock:
    """A lock by which a store refuses to delete an object: until a time (RFC 3339), None for a legal hold."""

    key: str
    until: str | None


def check_key(key: str) -> str:
    """Return a valid key unchanged. Raises `StoreFault` for any other."""
    try:
        segments = key.encode().split(b"/")
    except UnicodeEncodeError as fault:
        raise StoreFault(
            key=repr(key), reason=LocalizedText("键名不是有效的 UTF-8", "the key is not valid UTF-8")
        ) from fault
    if (
        any(segment in {b"", b".", b".."} or len(segment) > _LONGEST_SEGMENT for segment in segments)
        or sum(map(len, segments)) + len(segments) - 1 > _LONGEST_KEY
        or _CONTROL_CHARACTER.search(key)
        or segments[0] == INCOMING.encode()
    ):
        raise StoreFault(key=repr(key), reason=LocalizedText("键名不合规范", "the key is not valid"))
    return key


def chunks_of(content: Content, size: int = CHUNK) -> Iterator[Chunk]:
    """Yield the content in chunks, of at most `size` bytes for a file or bytes. Raises `OSError`."""
    if isinstance(content, MovableFile):
        content = content.path
    if isinstance(content, bytes):
        yield from (content[start : start + size] for start in range(0, len(content), size))
    elif isinstance(content, Path):
        with content.open("rb", buffering=0) as file:
            while chunk := file.read(size):
                yield chunk
    else:
        yield from content
