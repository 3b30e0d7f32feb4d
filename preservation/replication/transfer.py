"""One object from a store to another, believed only when it was read back from where it went.

What is wrong at the source never arrives: the bytes are hashed on their way, and a difference ends the putting before
the target's store has taken anything, so that a good copy there stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from preservation.digests import Digester, sha256
from repository.errors import DigestMismatch
from repository.storage.store import ObjectStore

OnProgress = Callable[[int], None]
"""Told of bytes as they are done with; may be called from several threads."""


def ignore_progress(_: int) -> None:
    """For a transfer that nobody watches."""


@dataclass(frozen=True, slots=True)
class NamedStore:
    """A store, and the name people know it by (never one with a secret in it)."""

    name: str
    store: ObjectStore

    def key(self, key: str) -> str:
        """A key with the store it lies in, for messages."""
        return f"{self.name} → {key}"


@dataclass(frozen=True, slots=True)
class Transferred:
    """What was done: `objects` of `bytes` verified at the target; of those, what had to be put there."""

    objects: int = 0
    bytes: int = 0
    objects_put: int = 0
    bytes_put: int = 0

    def __add__(self, other: Transferred) -> Transferred:
        return Transferred(
            self.objects + other.objects,
            self.bytes + other.bytes,
            self.objects_put + other.objects_put,
            self.bytes_put + other.bytes_put,
        )


def transfer_held(
    source: NamedStore, target: NamedStore, key: str, digest: str, *, there: bool, told: OnProgress
) -> Transferred:
    """Have the bytes with this sha256 under `key` at the target, and verify them by reading them there.

    `there` says whether the target has anything under the key: what is right is kept. Raises `DigestMismatch` with
    the name of the store that is at fault, `StoreFault`.
    """
    if there:
        digester = Digester("sha256")
        if sha256(digester.transient(target.store.chunks(key))) == digest:
            told(digester.bytes)
            return Transferred(1, digester.bytes)
    size = _put_held(source, target, key, digest, told)
    if sha256(target.store.chunks(key)) != digest:
        raise DigestMismatch(key=target.key(key))
    return Transferred(1, size, 1, size)


def transfer_derived(source: NamedStore, target: NamedStore, key: str, told: OnProgress) -> Transferred:
    """Put an object of which no digest is on record, and compare what the target gives back with what was sent."""
    digester = Digester("sha256")
    target.store.put(key, _telling(digester.transient(source.store.chunks(key)), told))
    if sha256(target.store.chunks(key)) != digester.hexdigest("sha256"):
        raise DigestMismatch(key=target.key(key))
    return Transferred(1, digester.bytes, 1, digester.bytes)


def transfer_small(target: NamedStore, key: str, content: bytes, *, there: bool) -> Transferred:
    """Have `content`, verified by the caller, under `key` at the target; read back there."""
    if there and target.store.read(key) == content:
        return Transferred(1, len(content))
    target.store.put(key, content)
    if target.store.read(key) != content:
        raise DigestMismatch(key=target.key(key))
    return Transferred(1, len(content), 1, len(content))


def _put_held(source: NamedStore, target: NamedStore, key: str, digest: str, told: OnProgress) -> int:
    digester = Digester("sha256")

    def held() -> Iterator[bytes]:
        """The chunks, one late: the last is let go only when the whole was found right."""
        waiting = b""
        for chunk in digester.transient(source.store.chunks(key)):
            yield waiting
            told(len(waiting))
            waiting = chunk
        if digester.hexdigest("sha256") != digest:
            raise DigestMismatch(key=source.key(key))
        yield waiting
        told(len(waiting))

    target.store.put(key, filter(None, held()))
    return digester.bytes


def _telling(chunks: Iterator[bytes], told: OnProgress) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        told(len(chunk))
