"""Several digests in one pass over chunks. (pure)"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator


class Digester:
    """Digests of chunks as they go by."""

    def __init__(self, *algorithms: str) -> None:
        """Algorithms by their `hashlib` names. Raises `ValueError` for one that is unknown."""
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
        self.bytes = 0

    def transient(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The same chunks, each taken into account before it is handed on."""
        for chunk in chunks:
            for running in self._hashes.values():
                running.update(chunk)
            self.bytes += len(chunk)
            yield chunk

    def hexdigest(self, algorithm: str) -> str:
        """The digest of all that went by, in lower-case hexadecimal."""
        return self._hashes[algorithm].hexdigest()


def digests(chunks: Iterable[bytes], *algorithms: str) -> dict[str, str]:
    """The digests of all chunks together, by algorithm, in lower-case hexadecimal."""
    digester = Digester(*algorithms)
    for _ in digester.transient(chunks):
        pass
    return {name: digester.hexdigest(name) for name in algorithms}


def sha256(chunks: Iterable[bytes]) -> str:
    """The sha256 of all chunks together, in lower-case hexadecimal."""
    return digests(chunks, "sha256")["sha256"]
