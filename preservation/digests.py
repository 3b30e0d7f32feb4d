"""Compute several digests in one pass over chunks. (pure)"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, TypeVar

_Chunk = TypeVar("_Chunk", bound=bytes | memoryview)

_CHUNK: Final = 1 << 18
MASTER_ALGORITHMS: Final = tuple(name for name in ("sha256", "sm3") if name in hashlib.algorithms_available)
"""The digests of masters: SHA-256, and SM3 (GB/T 32905) where this Python's OpenSSL has it."""


def master_algorithms(others: Iterable[str]) -> tuple[str, ...]:
    """Return the digests to compute of a master: those of every master, and `others`, each once."""
    return tuple(dict.fromkeys((*MASTER_ALGORITHMS, *others)))


class Digester:
    """Computes digests of a stream and counts its bytes."""

    def __init__(self, *algorithms: str) -> None:
        """Start one digest for each `hashlib` algorithm name. Raise `ValueError` for an unknown name."""
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
        self.bytes = 0

    def pass_through(self, chunks: Iterable[_Chunk]) -> Iterator[_Chunk]:
        """Yield the chunks unchanged, each after it has been hashed and counted."""
        for chunk in chunks:
            for running in self._hashes.values():
                running.update(chunk)
            self.bytes += len(chunk)
            yield chunk

    def hexdigest(self, algorithm: str) -> str:
        """Return the digest of all chunks so far, in lower-case hexadecimal."""
        return self._hashes[algorithm].hexdigest()


def digests(chunks: Iterable[bytes | memoryview], *algorithms: str) -> dict[str, str]:
    """Return the digests of the concatenated chunks by algorithm, in lower-case hexadecimal."""
    digester = Digester(*algorithms)
    for _ in digester.pass_through(chunks):
        pass
    return {name: digester.hexdigest(name) for name in algorithms}


def file_digests(file: BinaryIO, *algorithms: str) -> dict[str, str]:
    """Return the digests of the rest of a file, which is read once, by algorithm."""
    return digests(iter(lambda: file.read(_CHUNK), b""), *algorithms)


def sha256(chunks: Iterable[bytes | memoryview]) -> str:
    """Return the SHA-256 of the concatenated chunks, in lower-case hexadecimal."""
    return digests(chunks, "sha256")["sha256"]
