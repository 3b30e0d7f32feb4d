"""One segment, opened for searching: which works a phrase is in, how alike, and in which blocks.

What a search needs of every work is held in arrays, about 100 bytes a work besides its record.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from iiif_server.search.blocks import Block
from iiif_server.search.documents import IndexedWork
from iiif_server.search.fold import TIERS, Tier, fold
from iiif_server.search.matching import Phrase, contains, is_in
from iiif_server.search.query import pairs_expression, record_expression
from repository.database.search_segment import BLOCK_BITS, CHARACTERS, PAIRS, SegmentDamaged, SegmentReader
from repository.model.harvest import parts_of_identifier
from repository.storage.local_copies import hold_file

Mask = npt.NDArray[np.bool_]
Tiers = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]

NONE: Final = len(TIERS)
"""The tier of a work in which nothing is found; the others are their places in `TIERS`."""

NO_YEAR: Final = np.int32(1 << 20)
MOST_WRITTEN: Final = 64
"""The most forms of a phrase that are sought by pairs of characters; a phrase with more is sought by single ones."""

VERIFIED_BLOCKS: Final = 2000
"""Blocks that are read to find where a phrase with a wildcard really is; others are taken to have none."""


@dataclass(frozen=True, slots=True)
class FacetValues:
    """The values of a facet: for each pair of a work and a value that it has, the two as numbers."""

    works: Numbers
    codes: Numbers
    values: list[str]


@dataclass(frozen=True, slots=True)
class TextMatches:
    """The blocks that have a phrase in each tier, in order. `is_complete` is false if not all could be verified."""

    rows: dict[Tier, Numbers]
    is_complete: bool = True


class OpenSegment:
    """A segment. Safe to use from several threads. Every method may raise `SegmentDamaged`.

    `is_own` tells the works of this library from partners' records. Its file is not removed as long as it exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            weakref.finalize(self, os.close, hold_file(path))
        except OSError as fault:
            raise SegmentDamaged(file=path.name, reason=fault.strerror or str(fault)) from fault
        self._lock = threading.Lock()
        self._idle: list[SegmentReader] = []
        with self.reader() as reader:
            self._documents = [document for _, document in reader.works()]
        works = [self.work(number) for number in range(len(self._documents))]
        self.identifiers = [work.identifier for work in works]
        self.number_of = {identifier: number for number, identifier in enumerate(self.identifiers)}
        self.removed: Mask = np.array([work.removed for work in works], bool)
        self.is_own: Mask = np.array([not parts_of_identifier(work.identifier)[1] for work in works], bool)
        self.pinyin = [work.pinyin for work in works]
        self.accessioned = [work.accessioned for work in works]
        years = [work.years or (int(NO_YEAR), -int(NO_YEAR)) for work in works]
        self.years = np.array(years, np.int32).reshape(-1, 2)
        names = ("class", "dynasty", "edition", "published_in", "holder", "language", "text", "partner")
        self.facets = {name: _facet(works, name) for name in names}

    def __len__(self) -> int:
        return len(self._documents)

    def work(self, number: int) -> IndexedWork:
        """Return the record of a work."""
        return msgspec.msgpack.decode(self._documents[number], type=IndexedWork)

    @contextmanager
    def reader(self) -> Iterator[SegmentReader]:
        """Yield a reader for this thread; it is used again later."""
        with self._lock:
            reader = self._idle.pop() if self._idle else None
        if reader is None:
            reader = SegmentReader(self._path)
        try:
            yield reader
        finally:
            with self._lock:
                self._idle.append(reader)

    def text_matches(self, phrase: Phrase, work: int | None = None) -> TextMatches:
        """Return the blocks that have a phrase; those of one work if it is given."""
        with self.reader() as reader:
            return self._text_matches(reader, phrase, work)

    def _text_matches(self, reader: SegmentReader, phrase: Phrase, work: int | None) -> TextMatches:
        """Look into the widest tier, and into the narrower ones where they may differ: they have a part of its blocks.

        If the exact tier has all of them, so has the folded one.
        """
        widest = self._text_rows(reader, phrase, Tier.VARIANT, work)
        is_complete = not phrase.has_wildcard or len(widest) <= VERIFIED_BLOCKS
        if phrase.has_wildcard:
            widest = self._verified(reader, phrase, Tier.VARIANT, widest)

        def narrowed(tier: Tier) -> Numbers:
            return self._narrowed(reader, phrase, tier, widest, work)

        if not len(widest):
            folded = exact = widest
        elif self._is_same(phrase, Tier.FOLDED):
            folded = widest
            exact = widest if self._is_same(phrase, Tier.EXACT) else narrowed(Tier.EXACT)
        elif self._is_same(phrase, Tier.EXACT):
            folded = exact = narrowed(Tier.FOLDED)
        else:
            exact = narrowed(Tier.EXACT)
            folded = widest if len(exact) == len(widest) else narrowed(Tier.FOLDED)
        return TextMatches({Tier.EXACT: exact, Tier.FOLDED: folded, Tier.VARIANT: widest}, is_complete)

    def _narrowed(
        self, reader: SegmentReader, phrase: Phrase, tier: Tier, widest: Numbers, work: int | None
    ) -> Numbers:
        """Return which blocks of the widest tier have a phrase in a narrower one."""
        if phrase.has_wildcard:
            return self._verified(reader, phrase, tier, widest)
        return self._text_rows(reader, phrase, tier, work)

    def _text_rows(self, reader: SegmentReader, phrase: Phrase, tier: Tier, work: int | None) -> Numbers:
        written = None if phrase.has_wildcard else self._written(phrase, tier)
        if written == []:
            return np.zeros(0, np.int64)
        if written is None or len(written[0]) == 1:
            expression = record_expression(phrase, tier, longest=self._longest)
            return _numbers(reader.text_rows(CHARACTERS, tier, expression, work))
        return _numbers(reader.text_rows(PAIRS, Tier.EXACT, pairs_expression(written), work))

    def _written(self, phrase: Phrase, tier: Tier) -> list[str] | None:
        """Return the strings that the texts of the segment may have where a phrase is found in a tier.

        None if that is more than `MOST_WRITTEN`, or if a character of the texts stands for several tokens.
        """
        if tier is Tier.EXACT:
            return [phrase.exact]
        choices = [self._written_as[tier].get(token, frozenset()) for token in phrase.tokens(tier)]
        if prod(map(len, choices)) > MOST_WRITTEN:
            return None
        if any(len(fold(each, tier)) != 1 for choice in choices for each in choice):
            return None
        return ["".join(each) for each in product(*choices)]

    @cached_property
    def _written_as(self) -> dict[Tier, dict[str, frozenset[str]]]:
        """The characters of the texts that each token of the two wider tiers stands for."""
        folded = {token: frozenset(forms) for token, forms in self._forms[Tier.FOLDED].items()}
        empty = frozenset[str]()
        variant = {
            token: empty.union(*(folded.get(form, empty) for form in forms))
            for token, forms in self._forms[Tier.VARIANT].items()
        }
        return {Tier.FOLDED: folded, Tier.VARIANT: variant}

    def _is_same(self, phrase: Phrase, tier: Tier) -> bool:
        """Return whether a phrase has the same matches in a tier as in the next wider one.

        That is so if no text of the segment has another form of any of its characters.
        """
        wider = TIERS[TIERS.index(tier) + 1]
        tokens, wide = phrase.tokens(tier), phrase.tokens(wider)
        forms = self._forms[wider]
        return len(tokens) == len(wide) and all(
            forms.get(other, frozenset()) <= {one} for one, other in zip(tokens, wide, strict=True)
        )

    @cached_property
    def _longest(self) -> int:
        """The most tokens that a character of the texts stands for."""
        with self.reader() as reader:
            return max((len(fold(character, Tier.VARIANT)) for character in reader.characters()), default=1)

    @cached_property
    def _forms(self) -> dict[Tier, dict[str, set[str]]]:
        """The characters of the texts that each token of the two wider tiers stands for, in the tier before."""
        forms: dict[Tier, dict[str, set[str]]] = {}
        with self.reader() as reader:
            characters = set(reader.characters())
        for tier in TIERS[1:]:
            found: dict[str, set[str]] = {}
            for character in characters:
                for token in fold(character, tier):
                    found.setdefault(token, set()).add(character)
            forms[tier] = found
            characters = set(found)
        return forms

    def _verified(self, reader: SegmentReader, phrase: Phrase, tier: Tier, rows: Numbers) -> Numbers:
        blocks = ((row, reader.block(int(row))) for row in rows[:VERIFIED_BLOCKS])
        kept = [row for row, body in blocks if body and contains(Block.of_bytes(body), phrase, tier)]
        return np.array(kept, np.int64)

    def record_tiers(self, phrase: Phrase, fields: tuple[str, ...] = ()) -> Tiers:
        """Return for each work the tier in which its record has a phrase, in some fields or in any."""
        tiers: Tiers = np.full(len(self), NONE, np.uint8)
        with self.reader() as reader:
            for place, tier in reversed(list(enumerate(TIERS))):
                rows = _numbers(reader.record_rows(tier, record_expression(phrase, tier, fields)))
                if phrase.has_wildcard:
                    rows = np.array([row for row in rows if self._record_has(row, phrase, tier, fields)], np.int64)
                if not len(rows):
                    break
                tiers[rows] = place
        return tiers

    def _record_has(self, number: int, phrase: Phrase, tier: Tier, fields: tuple[str, ...]) -> bool:
        values = [
            value for name, found in self.work(number).fields.items() if not fields or name in fields for value in found
        ]
        return any(is_in(value, phrase, tier) for value in values)

    def block(self, row: int) -> Block | None:
        """Return the block of a row; None if there is none."""
        with self.reader() as reader:
            body = reader.block(row)
        return Block.of_bytes(body) if body else None

    def suggestions(self, folded: str, latin: str, limit: int) -> list[tuple[str, str, int]]:
        """Return at most `limit` suggestions, as `SegmentReader.suggestions`: text, kind, and how often."""
        with self.reader() as reader:
            return reader.suggestions(folded, latin, limit)


def _numbers(listed: str) -> Numbers:
    return np.fromstring(listed, np.int64, sep=",")


def works_of_rows(rows: Numbers) -> Numbers:
    """Return the works of blocks."""
    return rows >> BLOCK_BITS


def _facet(works: Sequence[IndexedWork], name: str) -> FacetValues:
    codes: dict[str, int] = {}
    pairs = [
        (number, codes.setdefault(value, len(codes)))
        for number, work in enumerate(works)
        for value in work.facets.get(name, [])
    ]
    found = np.array(pairs, np.int64).reshape(-1, 2)
    return FacetValues(found[:, 0], found[:, 1], list(codes))
