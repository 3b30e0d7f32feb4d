"""Identifiers of works and images: minted from digests, and verified by a check character. (pure)

An identifier is a letter for its kind (``w`` work, ``i`` image), sixteen characters of the NOID alphabet (digits and
consonants, so that no words form and no characters are confused), and a check character over all of it by the NOID
Check Digit Algorithm. It is minted from a digest, so that the same content gets the same identifier. An identifier is
never used as a path: `paths.py` hashes or shards it.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

from repository.errors import IdentifierInvalid

ALPHABET = "0123456789bcdfghjkmnpqrstvwxz"
_ORDINAL = {character: ordinal for ordinal, character in enumerate(ALPHABET)}
_BODY = 16


class Kind(StrEnum):
    """The kind of an identifier, which is its first letter."""

    WORK = "w"
    IMAGE = "i"


def check_character(text: str) -> str:
    """Return NOID's check character: the sum of ordinals times positions (from 1), modulo the alphabet's size."""
    total = sum(position * _ORDINAL.get(character, 0) for position, character in enumerate(text, start=1))
    return ALPHABET[total % len(ALPHABET)]


def mint(kind: Kind, *parts: str) -> str:
    """Return the identifier of `parts`, which may contain any characters. The same parts give the same identifier."""
    framed = b"".join(len(raw).to_bytes(8, "big") + raw for raw in (part.encode() for part in (kind.value, *parts)))
    number = int.from_bytes(hashlib.sha256(framed).digest(), "big")
    body = ""
    for _ in range(_BODY):
        number, ordinal = divmod(number, len(ALPHABET))
        body += ALPHABET[ordinal]
    stem = kind.value + body
    return stem + check_character(stem)


def is_valid(identifier: str, kind: Kind) -> bool:
    """Return whether `identifier` has the form of its kind and a correct check character."""
    return (
        len(identifier) == _BODY + 2
        and identifier[0] == kind.value
        and all(character in _ORDINAL for character in identifier[1:])
        and check_character(identifier[:-1]) == identifier[-1]
    )


def parse(identifier: str, kind: Kind) -> str:
    """Return the identifier in lower case without surrounding space. Raises `IdentifierInvalid`."""
    candidate = identifier.strip().lower()
    if not is_valid(candidate, kind):
        raise IdentifierInvalid(identifier=identifier)
    return candidate
