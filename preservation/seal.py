"""Seals names that the provenance log must not publish. (pure)

The log is public. Where an event concerns an account, a reason, a replica or a file of a deposit, it states a keyed
digest of the name in its place: HMAC-SHA-256 (RFC 2104) under the library's salt, which is never published. With the
salt the library can show that a sealed value stands for a given name; without it, nobody can try out names.
"""

from __future__ import annotations

import hmac
from typing import Final

SALT_SIZE: Final = 32


class NameSeal:
    """Seals names under one salt, which cannot be read from it."""

    __slots__ = ("_salt",)

    def __init__(self, salt: bytes) -> None:
        """Raise `ValueError` for a salt of another size than `SALT_SIZE` bytes."""
        if len(salt) != SALT_SIZE:
            raise ValueError("the salt has another size")
        self._salt = salt

    def of(self, kind: str, name: str) -> str:
        """Return the sealed form of a name: 64 hexadecimal digits. Equal names of different kinds differ."""
        return hmac.digest(self._salt, f"{kind}\0{name}".encode("utf-8", "surrogateescape"), "sha256").hex()
