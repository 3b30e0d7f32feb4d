"""The object store: one interface, three kinds (folder, S3, memory), one set of tests.

Keys are relative, with ``/`` between segments (`paths.py`; the rules of a clean key stand in `storage/content.py`). An
object, once put, is there whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from repository.config import Settings
from repository.storage.address import StoreAddress, distinct_replicas, parse_address
from repository.storage.content import CHUNK, Content, StoredObject
from repository.storage.folder import FolderStore
from repository.storage.s3 import s3_store


class ObjectStore(Protocol):
    """What the house needs of a store. Every method may raise `StoreFault`; `KeyNotFound` when the key is not there."""

    def size(self, key: str) -> int:
        """The object's size in bytes."""

    def read(self, key: str) -> bytes:
        """The whole object."""

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """`length` bytes from `start`, clipped to the object; a negative `start` counts from the end.

        May answer from an object replaced by another process up to a second ago; `read` and `chunks` never do.
        """

    async def read_range_async(self, key: str, start: int, length: int) -> bytes | bytearray:
        """Return what `read_range` returns, without blocking the event loop; `start` is not negative."""

    def chunks(self, key: str, size: int = CHUNK) -> Iterator[bytes]:
        """The object in pieces of at most `size` bytes, in bounded memory."""

    def put(self, key: str, content: Content) -> None:
        """Put under `key`, replacing what was there; durable when it returns."""

    def put_new(self, key: str, content: Content) -> None:
        """Put under a key that is free; durable when it returns. Raises `KeyExists`, whatever lies there.

        The folder store decides this atomically. S3 stores look first and then put, because some gateways accept
        ``If-None-Match`` and ignore it: there, who may write a key is for the caller to settle (the database).
        """

    def exists(self, key: str) -> bool:
        """Whether something lies under `key`."""

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Every object whose key starts with ``prefix/`` (all for ''), in the order of the keys' bytes."""

    def delete(self, key: str) -> None:
        """Take the object away; an absent key is no fault."""

    def remove_incomplete_uploads(self, older_than_seconds: float) -> int:
        """Take away what killed writers left half done so long ago: unfinished uploads, temporary files. How many."""


def open_store(settings: Settings) -> ObjectStore:
    """The store the settings name. Raises `SettingInvalid`; opens no connection."""
    return open_store_at(settings.store_url, settings)


def open_store_at(address: str, settings: Settings) -> ObjectStore:
    """The store at an address (`storage/address.py`), which takes what it leaves out from the settings.

    Raises `SettingInvalid`; opens no connection.
    """
    return _opened(parse_address(address, settings))


def open_replicas(settings: Settings) -> Mapping[str, ObjectStore]:
    """The settings' replicas by their names (`store_name`), in the order they are set.

    Raises `SettingInvalid`, also when two stores, the primary among them, are one, or one lies within another.
    """
    return {name: _opened(address) for name, address in distinct_replicas(settings).items()}


def _opened(address: StoreAddress) -> ObjectStore:
    return FolderStore(address) if isinstance(address, Path) else s3_store(address)
