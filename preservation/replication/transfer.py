"""Copy one object from one store to another and verify it by reading it back from the target.

Damaged content never reaches the target: the bytes are hashed while they are sent, and a digest mismatch aborts the
upload before the target store accepts the object, so that a good copy already there is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from preservation.digests import Digester, sha256
from preservation.progress import OnProgress
from repository.errors import DigestMismatch
from repository.storage.content import Chunk
from repository.storage.store import ObjectStore


@dataclass(frozen=True, slots=True)
class NamedStore:
    """A store and the name that operators know it by, which never contains a secret."""

    name: str
    store: ObjectStore

    def key(self, key: str) -> str:
        """Return a key with the name of its store, for messages."""
        return f"{self.name} → {key}"


@dataclass(frozen=True, slots=True)
class TransferTotals:
    """A count of transfers: `objects` of `bytes` were verified at the target, and `objects_put` had to be put there."""

    objects: int = 0
    bytes: int = 0
    objects_put: int = 0
    bytes_put: int = 0

    def __add__(self, other: TransferTotals) -> TransferTotals:
        return TransferTotals(
            self.objects + other.objects,
            self.bytes + other.bytes,
            self.objects_put + other.objects_put,
            self.bytes_put + other.bytes_put,
        )


def transfer_preserved(
    source: NamedStore,
    target: NamedStore,
    key: str,
    digest: str,
    *,
    exists: bool,
    on_progress: OnProgress,
    source_key: str = "",
) -> TransferTotals:
    """Copy the content with this SHA-256 to `key` at the target, and verify it by reading it there.

    `exists` states whether the target has an object under the key; a correct one is kept. `source_key` is the key at
    the source if it is another one. Raises `DigestMismatch` naming the store at fault, `StoreFault`.
    """
    if exists:
        digester = Digester("sha256")
        if sha256(digester.pass_through(target.store.chunks(key))) == digest:
            on_progress(digester.bytes)
            return TransferTotals(1, digester.bytes)
    size = _put_verified(source, source_key or key, target, key, digest=digest, on_progress=on_progress)
    if sha256(target.store.chunks(key)) != digest:
        raise DigestMismatch(key=target.key(key))
    return TransferTotals(1, size, 1, size)


def transfer_derived(source: NamedStore, target: NamedStore, key: str, on_progress: OnProgress) -> TransferTotals:
    """Copy an object that has no recorded digest, and compare the target's bytes with those sent."""
    digester = Digester("sha256")
    target.store.put(key, _report_progress(digester.pass_through(source.store.chunks(key)), on_progress))
    if sha256(target.store.chunks(key)) != digester.hexdigest("sha256"):
        raise DigestMismatch(key=target.key(key))
    return TransferTotals(1, digester.bytes, 1, digester.bytes)


def transfer_small(target: NamedStore, key: str, content: bytes, *, exists: bool) -> TransferTotals:
    """Put `content`, which the caller has verified, under `key` at the target, and read it back."""
    if exists and target.store.read(key) == content:
        return TransferTotals(1, len(content))
    target.store.put(key, content)
    if target.store.read(key) != content:
        raise DigestMismatch(key=target.key(key))
    return TransferTotals(1, len(content), 1, len(content))


def _put_verified(
    source: NamedStore, source_key: str, target: NamedStore, key: str, *, digest: str, on_progress: OnProgress
) -> int:
    digester = Digester("sha256")

    def verified() -> Iterator[Chunk]:
        """Yield each chunk one step late, and the last only after the digest of the whole has matched."""
        pending: Chunk = b""
        for chunk in digester.pass_through(source.store.chunks(source_key)):
            yield pending
            on_progress(len(pending))
            pending = chunk
        if digester.hexdigest("sha256") != digest:
            raise DigestMismatch(key=source.key(source_key))
        yield pending
        on_progress(len(pending))

    target.store.put(key, filter(None, verified()))
    return digester.bytes


def _report_progress(chunks: Iterator[Chunk], on_progress: OnProgress) -> Iterator[Chunk]:
    for chunk in chunks:
        yield chunk
        on_progress(len(chunk))
