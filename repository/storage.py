"""The object store: one interface, three kinds (folder, S3, memory), one set of tests.

Keys are relative, with ``/`` between segments (`paths.py`; the rules of a clean key stand in `content.py`). An object,
once put, is there whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from repository.config import Settings
from repository.content import CHUNK, Content, Expendable, StoredObject
from repository.folder_store import FolderStore
from repository.remote_store import S3_SCHEME, s3_store

__all__ = ["CHUNK", "Content", "Expendable", "ObjectStore", "StoredObject", "open_store"]


class ObjectStore(Protocol):
    """What the house needs of a store. Every method may raise `StoreFault`; `KeyAbsent` when the key is not there."""

    def size(self, key: str) -> int:
        """The object's size in bytes."""

    def read(self, key: str) -> bytes:
        """The whole object."""

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """`length` bytes from `start`, clipped to the object; a negative `start` counts from the end.

        May answer from an object replaced by another process up to a second ago; `read` and `chunks` never do.
        """

    def chunks(self, key: str, size: int = CHUNK) -> Iterator[bytes]:
        """The object in pieces of at most `size` bytes, in bounded memory."""

    def put(self, key: str, content: Content) -> None:
        """Put under `key`, replacing what was there; durable when it returns."""

    def put_new(self, key: str, content: Content) -> None:
        """Put under a key that is free; durable when it returns. Raises `KeyTaken`, whatever lies there.

        The folder store decides this atomically. S3 stores look first and then put, because some gateways accept
        ``If-None-Match`` and ignore it: there, who may write a key is for the caller to settle (the database).
        """

    def exists(self, key: str) -> bool:
        """Whether something lies under `key`."""

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Every object whose key starts with ``prefix/`` (all for ''), in the order of the keys' bytes."""

    def delete(self, key: str) -> None:
        """Take the object away; an absent key is no fault."""


def open_store(settings: Settings) -> ObjectStore:
    """The store the settings name: a folder, or ``s3://bucket/prefix``. Raises `SettingInvalid`."""
    if settings.store_url.startswith(S3_SCHEME):
        return s3_store(settings)
    return FolderStore(Path(settings.store_url))
