"""Finds a phrase in a block: the places, how alike each is, and where it stands on the picture. (pure)"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from typing import Final

from iiif_server.search.blocks import Block, BlockLine, BlockPage
from iiif_server.search.fold import TIERS, WILDCARD, Tier, fold, fold_lines, fold_positions, fold_single
from repository.model.work import Rectangle

CONTEXT: Final = 24
"""The characters before and after a hit that are shown with it, at least, if the page has them."""

MOST_CONTEXT: Final = 200
"""The characters before and after a hit that are shown with it, at most: a line may be a whole chapter."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase in the three tiers, one token a code point; `WILDCARD` stands for any one."""

    exact: str
    folded: str
    variant: str

    def tokens(self, tier: Tier) -> str:
        """Return the tokens of a tier."""
        return {Tier.EXACT: self.exact, Tier.FOLDED: self.folded, Tier.VARIANT: self.variant}[tier]

    @property
    def has_wildcard(self) -> bool:
        """Whether a character of the phrase stands for any; the only one of a phrase stands for itself."""
        return WILDCARD in self.variant and bool(self.variant.strip(WILDCARD))

    def pattern(self, tier: Tier, between: str = "", *, single: bool = False) -> re.Pattern[str]:
        """Return the pattern of the phrase in a tier, in the reading of `fold_single` if `single`.

        `between` is the pattern of what may stand between characters.
        """
        wild = "[^\n]" if self.has_wildcard else WILDCARD
        if single:
            parts = [_in_single_reading(each, fold(each, tier), between) for each in self.exact]
        else:
            parts = [re.escape(each) for each in self.tokens(tier)]
        return re.compile(between.join(wild if part == WILDCARD else part for part in parts))


def phrase_of(text: str) -> Phrase:
    """Return the phrase that a text is."""
    return Phrase(*(fold(text, tier) for tier in TIERS))


def _in_single_reading(character: str, tokens: str, between: str) -> str:
    """Return the pattern of a character of a phrase: one that stands for several tokens is itself, or these."""
    several = between.join(map(re.escape, tokens))
    return f"(?:{re.escape(character)}|{several})" if len(tokens) > 1 else several


@dataclass(frozen=True, slots=True)
class HitPart:
    """The part of a hit in one line: the page, the line from 0, the characters of it, and its box on the picture."""

    page: BlockPage
    line: int
    start: int
    end: int
    region: Rectangle | None


@dataclass(frozen=True, slots=True)
class Hit:
    """A place where a phrase was found, with the text around it on its page. `parts` are in reading order."""

    tier: Tier
    before: str
    match: str
    after: str
    parts: tuple[HitPart, ...]

    @property
    def page(self) -> BlockPage:
        """The page on which the hit begins."""
        return self.parts[0].page

    @property
    def text(self) -> str:
        """The lines with the hit; of long ones the part around it."""
        return f"{self.before}{self.match}{self.after}"

    @property
    def regions(self) -> list[Rectangle]:
        """The boxes of the hit on the picture of its page."""
        return [part.region for part in self.parts if part.region and part.page.number == self.page.number]


class _BlockCharacters:
    """The tokens of a block in the widest tier, with a line end after each line.

    Where a token comes from is found out for the lines that are asked for. If `single`, each character is one token.
    """

    def __init__(self, block: Block, *, single: bool = False) -> None:
        self.single = single
        self.lines: list[tuple[BlockPage, int, BlockLine]] = [
            (page, number, line)
            for page in (*block.pages, *block.tail)
            for number, line in enumerate(page.lines, page.first)
        ]
        self.own = sum(len(page.lines) for page in block.pages)
        whole = "\n".join([line.text.replace("\n", " ") for _, _, line in self.lines])
        self.tokens = fold_lines(whole, Tier.VARIANT, single=single)
        self._places: dict[int, list[int]] = {}
        self._line, self._start = 0, 0

    def places(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the line and the place in it of each token in a part of `tokens`. Parts are asked for in order."""
        self._line += self.tokens.count("\n", self._start, start)
        self._start = start
        line, first = self._line, self.tokens.rfind("\n", 0, start) + 1
        found = []
        for place in range(start, end):
            if self.tokens[place] == "\n":
                line, first = line + 1, place + 1
            else:
                found.append((line, self._places_of(line)[place - first]))
        return found

    def _places_of(self, line: int) -> list[int]:
        if line not in self._places:
            self._places[line] = fold_positions(self.lines[line][2].text, Tier.VARIANT, single=self.single)[1]
        return self._places[line]


def contains(block: Block, phrase: Phrase, tier: Tier) -> bool:
    """Return whether a phrase is in a block in a tier."""
    if phrase.pattern(tier).search(block.tokens(tier)):
        return True
    return phrase.has_wildcard and _is_in_single(block.tokens(tier, fold_single), phrase, tier)


def is_in(text: str, phrase: Phrase, tier: Tier) -> bool:
    """Return whether a phrase is in a text in a tier."""
    if phrase.pattern(tier).search(fold(text, tier)):
        return True
    return phrase.has_wildcard and _is_in_single(fold_single(text, tier), phrase, tier)


def _is_in_single(tokens: str, phrase: Phrase, tier: Tier) -> bool:
    return phrase.pattern(tier, single=True).search(tokens) is not None


def hits_in(block: Block, phrase: Phrase) -> Iterator[Hit]:
    """Yield the places where a phrase begins in a block, in reading order."""
    if not phrase.variant:
        return
    characters = _BlockCharacters(block)
    found = _hits(characters, phrase)
    if phrase.has_wildcard:
        single = _BlockCharacters(block, single=True)
        if single.tokens != characters.tokens:
            found = _without_doubles(merge(found, _hits(single, phrase), key=_order))
    yield from found


def _order(hit: Hit) -> tuple[int, int, int, str]:
    return hit.page.number, hit.parts[0].line, hit.parts[0].start, hit.match


def _without_doubles(hits: Iterable[Hit]) -> Iterator[Hit]:
    return (next(same) for _, same in groupby(hits, _order))


def _hits(characters: _BlockCharacters, phrase: Phrase) -> Iterator[Hit]:
    pattern = phrase.pattern(Tier.VARIANT, between="\n*", single=characters.single)
    match = pattern.search(characters.tokens)
    while match:
        places = characters.places(*match.span())
        if places[0][0] >= characters.own:
            return
        yield _hit(characters, places, phrase)
        match = pattern.search(characters.tokens, match.start() + 1)


def _hit(characters: _BlockCharacters, places: list[tuple[int, int]], phrase: Phrase) -> Hit:
    parts, pieces = [], []
    for number, group in groupby(places, lambda place: place[0]):
        found = [place for _, place in group]
        page, line_number, line = characters.lines[number]
        start, end = found[0], found[-1] + 1
        pieces.append((number, start, end))
        parts.append(HitPart(page, line_number, start, end, _region(line, start, end)))
    (first, start, _), (last, _, end) = pieces[0], pieces[-1]
    matched = _joined([characters.lines[number][2].text for number in range(first, last + 1)], cut=(start, end))
    before = _before(characters, first, start)
    after = _after(characters, last, end)
    return Hit(_tier(matched, phrase), before, matched, after, tuple(parts))


def _tier(matched: str, phrase: Phrase) -> Tier:
    """Return the first tier in which the matched text is the phrase."""
    for tier in (Tier.EXACT, Tier.FOLDED):
        if any(_equals(matched, phrase, tier, single=single) for single in (False, True)):
            return tier
    return Tier.VARIANT


def _equals(matched: str, phrase: Phrase, tier: Tier, *, single: bool) -> bool:
    """Return whether a text is a phrase, or has it: the first or the last character may stand for several."""
    tokens = fold_single(matched, tier) if single else fold(matched, tier)
    found = phrase.pattern(tier, single=single).search(tokens)
    return found is not None and (len(tokens) == len(phrase.tokens(tier)) or tier is not Tier.EXACT)


def _region(line: BlockLine, start: int, end: int) -> Rectangle | None:
    """Return the part of a line's box that some of its characters fill, which are taken to be equally long."""
    if line.box is None or not line.text:
        return None
    x, y, width, height = line.box
    length = len(line.text)
    side = max(width, height)
    low, high = start * side // length, -(-end * side // length)
    if height >= width:
        return Rectangle(x, y + low, width, max(1, high - low))
    return Rectangle(x + low, y, max(1, high - low), height)


def _joined(texts: list[str], cut: tuple[int, int]) -> str:
    """Return lines as one text, from a place in the first to one in the last."""
    start, end = cut
    if len(texts) == 1:
        return texts[0][start:end]
    joined = texts[0][start:]
    for text in (*texts[1:-1], texts[-1][:end]):
        joined += _gap(joined, text) + text
    return joined


def _gap(one: str, other: str) -> str:
    """Return a space between two lines of a script that has spaces."""
    return " " if one and other and one[-1].isascii() and other[0].isascii() and one[-1].isalnum() else ""


def _before(characters: _BlockCharacters, line: int, start: int) -> str:
    page, _, own = characters.lines[line]
    found = own.text[max(0, start - MOST_CONTEXT) : start]
    while len(found) < CONTEXT and line > 0 and characters.lines[line - 1][0].number == page.number:
        line -= 1
        text = characters.lines[line][2].text
        found = text + _gap(text, found) + found
    return found[-MOST_CONTEXT:]


def _after(characters: _BlockCharacters, line: int, end: int) -> str:
    page, _, own = characters.lines[line]
    found = own.text[end : end + MOST_CONTEXT]
    while len(found) < CONTEXT and line + 1 < len(characters.lines):
        line += 1
        if characters.lines[line][0].number != page.number:
            break
        text = characters.lines[line][2].text
        found += _gap(found, text) + text
    return found[:MOST_CONTEXT]
