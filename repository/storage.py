"""The object store: one interface, three kinds (folder, S3, memory), one set of tests.

Keys are relative, with ``/`` between segments (`paths.py`). An object, once put, is there whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Content = bytes | Path | Iterable[bytes]
"""What can be put: bytes, a file (moved in when the store can, else copied: it may be gone after), or chunks."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A key and the size of what lies under it, in bytes."""

    key: str
    size: int


class ObjectStore(Protocol):
    """What the house needs of a store. Every method may raise `StoreFault`; `KeyAbsent` when the key is not there."""

    def size(self, key: str) -> int:
        """The object's size in bytes."""

    def read(self, key: str) -> bytes:
        """The whole object."""

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """`length` bytes from `start`, clipped to the object; a negative `start` counts from the end."""

    def chunks(self, key: str, size: int = 1 << 20) -> Iterator[bytes]:
        """The object in pieces of at most `size` bytes, in bounded memory."""

    def put(self, key: str, content: Content) -> None:
        """Put under `key`, replacing what was there; durable when it returns."""

    def put_new(self, key: str, content: Content) -> None:
        """Put under a key that is free; durable when it returns. Raises `KeyTaken`."""

    def exists(self, key: str) -> bool:
        """Whether something lies under `key`."""

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Every object whose key starts with ``prefix/`` (all for ''), in the order of the keys' bytes."""

    def delete(self, key: str) -> None:
        """Take the object away; an absent key is no fault."""
