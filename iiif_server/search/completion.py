"""Completes what is typed for the search within a work by what its text has. (pure)

Chinese has no spaces between words, so that a completion is what was typed and up to `MORE_CHARACTERS` that follow it
on the same page, before punctuation. Where letters of other scripts follow, a word counts as one character.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from iiif_server.search.fold import Tier, fold
from iiif_server.search.matching import Hit

MORE_CHARACTERS: Final = 4
MOST_TERMS: Final = 10

_STEP: Final = re.compile(r"[ \t]?[0-9A-Za-z\u00c0-\u024f'’-]+|\S")
_WORD: Final = re.compile(r"[0-9A-Za-z\u00c0-\u024f]")


@dataclass(frozen=True, slots=True)
class Term:
    """A completion as the text most often has it, and how often it is there in any form of its characters."""

    text: str
    count: int


def completions(hits: Iterable[Hit], least: int = 1) -> list[Term]:
    """Return the most frequent completions of what `hits` were found for, each at least `least` times in the text.

    One that is always followed by the same character is left out, because the longer one stands for it.
    """
    forms: dict[str, Counter[str]] = {}
    longer: dict[str, set[str]] = {}
    for hit in hits:
        before = None
        for text in _extended(hit):
            key = fold(text, Tier.VARIANT)
            forms.setdefault(key, Counter())[text] += 1
            if before is not None and before != key:
                longer.setdefault(before, set()).add(key)
            before = key
    counts = {key: found.total() for key, found in forms.items()}
    kept = [
        key
        for key, count in counts.items()
        if count >= least and all(counts[other] < count for other in longer.get(key, ()))
    ]
    best = sorted(kept, key=lambda key: (-counts[key], key))[:MOST_TERMS]
    return [Term(min(forms[key], key=lambda text: (-forms[key][text], text)), counts[key]) for key in best]


def _extended(hit: Hit) -> Iterator[str]:
    """Yield a hit, and the hit with one, two and more characters that follow it."""
    text, after = hit.match, hit.after
    unfinished = bool(_WORD.match(text[-1:])) and bool(_WORD.match(after[:1]))
    if not unfinished:
        yield text
    for step in list(_STEP.finditer(after))[:MORE_CHARACTERS]:
        if not fold(step[0], Tier.VARIANT):
            return
        text = hit.match + after[: step.end()]
        yield text
