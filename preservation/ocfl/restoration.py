"""Verify stored content of an OCFL object, and put good bytes in the place of missing or damaged ones.

Content is restored only from bytes that have the digest in the inventory, so that the object stays the same object: no
inventory changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from preservation.digests import Digester, sha256
from preservation.ocfl.inventory import Inventory
from repository import paths
from repository.errors import DigestMismatch, KeyNotFound
from repository.storage.content import Chunk, chunks_of
from repository.storage.store import ObjectStore


class Damage(StrEnum):
    """What is wrong with stored content."""

    MISSING = "missing"
    CHANGED = "changed"


def find_damage(store: ObjectStore, work: str, inventory: Inventory, digest: str) -> Damage | None:
    """Read the content files with this digest completely; return what is wrong with the first that is not intact.

    Returns None for a digest that the inventory does not list. Raises `StoreFault`.
    """
    return next((damage for _, damage in _damaged(store, work, inventory, digest)), None)


def restore(store: ObjectStore, work: str, inventory: Inventory, digest: str, source: Path | bytes) -> None:
    """Put `source` in the place of every missing or damaged content file with this digest, and read it back.

    Nothing is changed if `source` does not have the digest. Raises `DigestMismatch`, `StoreFault`.
    """
    for key, _ in _damaged(store, work, inventory, digest):
        store.put(key, _verified(source, digest, key))
        if sha256(store.chunks(key)) != digest:
            raise DigestMismatch(key=key)


def _damaged(store: ObjectStore, work: str, inventory: Inventory, digest: str) -> Iterator[tuple[str, Damage]]:
    for path in inventory.manifest.get(digest, ()):
        key = f"{paths.ocfl_object(work)}/{path}"
        try:
            if sha256(store.chunks(key)) != digest:
                yield key, Damage.CHANGED
        except KeyNotFound:
            yield key, Damage.MISSING


def _verified(source: Path | bytes, digest: str, key: str) -> Iterator[Chunk]:
    """Yield the chunks of `source`, the last only after the digest of the whole has matched."""
    digester = Digester("sha256")
    pending: Chunk = b""
    for chunk in digester.pass_through(chunks_of(source)):
        yield pending
        pending = chunk
    if digester.hexdigest("sha256") != digest:
        raise DigestMismatch(key=key)
    yield pending
