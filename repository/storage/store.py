"""The object store: one protocol, three implementations (folder, S3, memory), one set of tests.

`paths.py` defines the keys, `storage/content.py` their syntax. A put is atomic: an object exists completely or not at
all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from repository.config import Settings
from repository.errors import KeyNotFound
from repository.storage.address import StoreAddress, parse_address, replica_addresses
from repository.storage.content import CHUNK, Chunk, Content, ObjectLock, StoredObject
from repository.storage.folder import FolderStore
from repository.storage.s3 import s3_store


class ObjectStore(Protocol):
    """Objects by key. Every method may raise `StoreFault`, and `KeyNotFound` for a key that does not exist."""

    def size(self, key: str) -> int:
        """Return the object's size in bytes."""

    def read(self, key: str) -> bytes:
        """Return the whole object."""

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return `length` bytes from `start`, clipped to the object; a negative `start` counts from the end."""

    async def read_range_async(self, key: str, start: int, length: int) -> bytes | bytearray:
        """Return what `read_range` returns, without blocking the event loop; `start` is not negative.

        The bytes may be those of an object that another process replaced less than a second ago, which no other method
        returns. Tiles are read so: their CRC-32 tells.
        """

    def chunks(self, key: str, size: int = CHUNK) -> Iterator[Chunk]:
        """Return the object in chunks of at most `size` bytes, in bounded memory."""

    def put(self, key: str, content: Content) -> None:
        """Store an object, replacing an existing one; it is durable when the call returns."""

    def put_new(self, key: str, content: Content) -> None:
        """Store an object under a new key; it is durable when the call returns. Raises `KeyExists`.

        The folder store decides this atomically. S3 stores check and then put, because some gateways accept
        ``If-None-Match`` and ignore it: with S3 the caller must ensure by the database that a key has one writer.
        """

    def exists(self, key: str) -> bool:
        """Return whether an object exists."""

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield every object whose key starts with ``prefix/`` (all for ''), in the byte order of the keys."""

    def delete(self, key: str) -> None:
        """Delete the object if it exists."""

    def lock_below(self, prefix: str) -> ObjectLock | None:
        """Return the lock, of any object below ``prefix/``, that ends last; None if nothing there is locked."""

    def erase(self, prefix: str) -> int:
        """Delete every object below ``prefix/`` with all versions that the store keeps of it; return how many.

        The objects are deleted one after another. Raises `StoreDenied` for one that is locked.
        """

    def remove_incomplete_uploads(self, older_than_seconds: float) -> int:
        """Delete incomplete uploads and temporary files of this age that killed writers left; return how many."""


def read_if_present(store: ObjectStore, key: str) -> bytes | None:
    """Return an object of the store; None when it does not exist."""
    try:
        return store.read(key)
    except KeyNotFound:
        return None


def put_if_changed(store: ObjectStore, key: str, content: bytes) -> bool:
    """Store an object; return False when the same bytes are stored already."""
    if read_if_present(store, key) == content:
        return False
    store.put(key, content)
    return True


def open_store(settings: Settings) -> ObjectStore:
    """Return the store of the settings, without connecting. Raises `SettingInvalid`."""
    return open_store_at(settings.store_url, settings)


def open_store_at(address: str, settings: Settings) -> ObjectStore:
    """Return the store at an address (`storage/address.py`), without connecting. Raises `SettingInvalid`."""
    return _open(parse_address(address, settings))


def open_replicas(settings: Settings) -> Mapping[str, ObjectStore]:
    """Return the settings' replicas by name (`store_name`), in the order of the setting, without connecting.

    Raises `SettingInvalid`, also when two stores, including the primary, are the same or one contains the other.
    """
    return {name: _open(address) for name, address in replica_addresses(settings).items()}


def _open(address: StoreAddress) -> ObjectStore:
    return FolderStore(address) if isinstance(address, Path) else s3_store(address)
