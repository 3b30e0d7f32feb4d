"""What readers ask for, as values, and the expressions of FTS5 for it. (pure)

A query without quotation marks or operators: what is typed is one phrase, whatever punctuation and spaces it has. If
nothing has the phrase and it has spaces, its words are searched, all of them in one work; the result says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from iiif_server.search.blocks import MOST_TOKENS
from iiif_server.search.fold import WILDCARD, Tier, encode, encode_pairs
from iiif_server.search.matching import Phrase, phrase_of
from repository.model.reign_years import Years

OWN_FACETS: Final = ("class", "dynasty", "edition", "published_in", "holder", "language", "access", "text")
"""The facets of a result that tell apart works of this library."""

FACETS: Final = ("partner", *OWN_FACETS)
"""The facets of a result. Without a chosen partner, it has works of this library alone (`facets`)."""

OWN: Final = ""
"""The value of the facet of partners that stands for this library; no source has such a name."""

ANY_PARTNER: Final = "*"
"""The value of the facet of partners that stands for all partners; no source has such a name."""

LONGEST: Final = 15
"""The most tokens that a character stands for: those of ﷺ."""

RECORD_FIELDS: Final = ("title", "person", "place", "class", "call_number")
"""The fields of a record that can be asked for alone."""


class Sort(StrEnum):
    """The order of a result."""

    RELEVANCE = "relevance"
    TITLE = "title"
    OLDEST = "date"
    LATEST = "-date"
    NEWEST = "new"


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What is sought: `text` in text and record, `fields` in those fields of the record, works of some `years`.

    `facets` has the chosen values of each facet; a work has one of them. Everything given must hold. Partners' records
    are sought instead of works if the facet of partners has chosen values.
    """

    text: str = ""
    fields: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    years: Years | None = None
    facets: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    sort: Sort = Sort.RELEVANCE

    @property
    def is_for_partners(self) -> bool:
        """Whether partners' records are sought, not works of this library."""
        return bool(self.facets.get("partner"))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is sought, so that all works are found."""
        return not self.text.strip() and not any(self.fields.values()) and self.years is None and not self.facets


def phrases_of(text: str) -> list[Phrase]:
    """Return the phrase that a text is, as a list; none if it has no characters to search for."""
    phrase = shortened(phrase_of(text))
    return [phrase] if phrase.variant else []


def words_of(text: str) -> list[Phrase]:
    """Return the words of a text that spaces separate; none for a single one."""
    words = [shortened(phrase) for word in text.split() if (phrase := phrase_of(word)).variant]
    return words if len(words) > 1 else []


def shortened(phrase: Phrase) -> Phrase:
    """Return a phrase of at most `MOST_TOKENS` characters in each tier."""
    if max(map(len, (phrase.exact, phrase.folded, phrase.variant))) <= MOST_TOKENS:
        return phrase
    # Cut in the exact tier, a character of which may be several in the others.
    for length in range(MOST_TOKENS, 0, -1):
        cut = phrase_of(phrase.exact[:length])
        if len(cut.variant) <= MOST_TOKENS:
            return cut
    return phrase_of("")


def pairs_expression(phrases: Iterable[str]) -> str:
    """Return the expression of FTS5 for any of some phrases of at least two tokens, by their pairs."""
    return " OR ".join(f'"{encode_pairs(phrase)}"' for phrase in phrases)


def record_expression(phrase: Phrase, tier: Tier, fields: tuple[str, ...] = (), longest: int = LONGEST) -> str:
    """Return the expression of FTS5 for a phrase by its characters; with a wildcard, one that finds more.

    `fields` are the columns to search, all by default. `longest` is the most tokens that one character stands for.
    """
    tokens = phrase.tokens(tier)
    names = " ".join(f'"{name}"' for name in fields)
    columns = f"{{{names}}} : " if fields else ""
    if not phrase.has_wildcard:
        return f"{columns}{_quoted(tokens)}"
    parts = [part for part in tokens.split(WILDCARD) if part]
    if len(parts) == 1:
        return f"{columns}{_quoted(parts[0])}"
    between = len(tokens) + tokens.count(WILDCARD) * (longest - 1)
    return f"{columns}NEAR({' '.join(map(_quoted, parts))}, {between})"


def _quoted(tokens: str) -> str:
    return f'"{encode(tokens)}"'


def parts_of(text: str) -> list[str]:
    """Return shorter or vaguer forms of a phrase that nothing has, the most promising first.

    One character may be anything; then the beginning or the end is left out.
    """
    characters = [character for character in text if phrase_of(character).variant]
    length = len(characters)
    vague = [
        "".join((*characters[:place], WILDCARD, *characters[place + 1 :]))
        for place in range(length)
        if 3 <= length <= 12
    ]
    halves = [size for size, _ in pairwise(range(length - 1, -1, -1))] if length <= 12 else [length // 2, length // 4]
    shorter = ["".join(part) for size in halves if size for part in (characters[:size], characters[-size:])]
    return list(dict.fromkeys((*vague, *shorter)))
