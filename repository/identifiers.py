"""Identifiers of works and images: minted from what they name, checked when typed. (pure)

An identifier is a letter for its kind (``w`` work, ``i`` image), sixteen characters of the NOID alphabet (digits and
consonants: no words form by chance, nothing is mistaken for something else), and a check character over all of it by
the NOID Check Digit Algorithm. It is minted from a digest, so that doing the same thing twice names the same thing. An
identifier never becomes a path by itself: `paths.py` hashes or shards it.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

from repository.errors import IdentifierInvalid

ALPHABET = "0123456789bcdfghjkmnpqrstvwxz"
_ORDINAL = {character: ordinal for ordinal, character in enumerate(ALPHABET)}
_BODY = 16


class Kind(StrEnum):
    """What an identifier names; its first letter."""

    WORK = "w"
    IMAGE = "i"


def check_character(text: str) -> str:
    """NOID's check character: each ordinal weighted by its place (from 1), summed, modulo the alphabet's size."""
    total = sum(place * _ORDINAL.get(character, 0) for place, character in enumerate(text, start=1))
    return ALPHABET[total % len(ALPHABET)]


def mint(kind: Kind, *parts: str) -> str:
    """The identifier of what `parts` name; the same parts give the same identifier. Parts may hold any characters."""
    framed = b"".join(len(raw).to_bytes(8, "big") + raw for raw in (part.encode() for part in (kind.value, *parts)))
    number = int.from_bytes(hashlib.sha256(framed).digest(), "big")
    body = ""
    for _ in range(_BODY):
        number, ordinal = divmod(number, len(ALPHABET))
        body += ALPHABET[ordinal]
    stem = kind.value + body
    return stem + check_character(stem)


def is_valid(identifier: str, kind: Kind) -> bool:
    """Whether `identifier` has the form and the check character of its kind."""
    return (
        len(identifier) == _BODY + 2
        and identifier[0] == kind.value
        and all(character in _ORDINAL for character in identifier[1:])
        and check_character(identifier[:-1]) == identifier[-1]
    )


def parse(identifier: str, kind: Kind) -> str:
    """The identifier, in lower case and without surrounding space. Raises `IdentifierInvalid`."""
    candidate = identifier.strip().lower()
    if not is_valid(candidate, kind):
        raise IdentifierInvalid(identifier=identifier)
    return candidate
