"""The search for works by their text and records, and for all places in one work.

1. **Refresh**: the segments of the index (`local_segments`), and what readers may see (`SearchRecords.shown_works`),
   each at most once a second.
2. **Select** the works by the index alone: their tiers, facets and order (`selection`). Counts are of works.
3. **Read** the text of the works that are shown: the first hits in each, with their places on the pictures.
4. **Help** if nothing is found: all words instead of the phrase, shorter and vaguer forms of it, fewer conditions.

A process opens its segments with the first search.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from time import monotonic
from typing import Final

import numpy as np

from iiif_server.search.fold import TIERS, Tier, fold
from iiif_server.search.index import SearchIndex, ShownMasks, WorkPlace, open_index, shown_masks
from iiif_server.search.local_segments import LocalSegments, segments_folder
from iiif_server.search.matching import Hit, Phrase, hits_in, phrase_of
from iiif_server.search.open_segment import NONE, Numbers, OpenSegment, TextMatches, works_of_rows
from iiif_server.search.query import SearchQuery, parts_of, phrases_of, words_of
from iiif_server.search.results import FoundWork, Rescue, SearchResult, Suggestion, WorkHits
from iiif_server.search.selection import SegmentSelection, count_found, ordered, select_works
from repository.database.search import ShownWorks
from repository.repository import Repository

SHOWN_SECONDS: Final = 1.0
"""How old the knowledge of what readers may see is, at most."""

HITS: Final = 3
"""The hits of a work that a result has, unless more are asked for."""

MOST_HITS: Final = 10_000
"""The hits that are looked up in one work: a common character in a long book has more, each of which costs 0.1 ms."""

PARTNER_RECORDS: Final = 3
"""The records of partners that a result of works has with it."""

_READ_BLOCKS: Final = 6
"""The blocks of a work that are read for its first hits."""

_RESCUES: Final = 3
_TRIED: Final = 24
"""Other searches that are tried when nothing is found."""


class Search:
    """Searches of one repository, in one process. Safe to use from several threads."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._lock = threading.Lock()
        self._segments: LocalSegments | None = None
        self._index = SearchIndex(())
        self._shown: ShownWorks | None = None
        self._masks: ShownMasks | None = None
        self._next_shown = 0.0

    def search(self, query: SearchQuery, offset: int = 0, limit: int = 20, hits: int = HITS) -> SearchResult:
        """Return the works that a query finds, from `offset` on at most `limit`, each with its first `hits`.

        Raises `SegmentDamaged`, `StoreFault`, `StagingFault`, `DatabaseFault`.
        """
        index, shown = self._current()
        phrases = phrases_of(query.text)
        is_shortened = any(len(phrase.exact) < len(fold(query.text, Tier.EXACT)) for phrase in phrases)
        if query.text.strip() and not phrases:
            return SearchResult(0, dict.fromkeys(TIERS, 0), (), {})
        selection = select_works(index, shown, query, phrases)
        all_words = False
        if not selection.total and (words := words_of(query.text)):
            by_words = select_works(index, shown, query, words)
            if by_words.total:
                selection, phrases, all_words = by_words, words, True
        has_words = bool(phrases) or any(phrases_of(value) for value in query.fields.values())
        works = tuple(
            _found(
                index.segments[place.segment], shown, selection.parts, place, phrases if hits else (), hits, has_words
            )
            for place in ordered(index, selection.parts, query.sort, offset, limit)
        )
        partners = tuple(
            _found(index.segments[place.segment], shown, selection.partners, place, (), 0, has_words)
            for place in ordered(index, selection.partners, query.sort, 0, PARTNER_RECORDS)
        )
        rescues = () if selection.total else tuple(_rescues(index, shown, query))
        return SearchResult(
            selection.total,
            selection.tiers if has_words else {Tier.EXACT: 0, Tier.FOLDED: 0, Tier.VARIANT: 0},
            works,
            selection.facets,
            selection.is_exact,
            all_words,
            is_shortened,
            rescues,
            partners,
            count_found(selection.partners),
        )

    def hits_in_work(self, work: str, text: str, offset: int = 0, limit: int | None = None) -> WorkHits:
        """Return the places in one work that have a text, in reading order, from `offset` on at most `limit`.

        At most `MOST_HITS` places are counted; `is_exact` is False if there are more. None are returned for a work
        whose text readers may not see. Raises as `search`.
        """
        index, shown = self._current()
        place, phrases = index.place_of(work), phrases_of(text)
        if place is None or not phrases or not shown.texts[place.segment][place.work]:
            return WorkHits(0, ())
        segment = index.segments[place.segment]
        for alternatives in (phrases, words_of(text)):
            matches = [(phrase, segment.text_matches(phrase, place.work)) for phrase in alternatives]
            hits = _hits_of_work(segment, matches)
            found = list(islice(hits, MOST_HITS))
            if found:
                end = None if limit is None else offset + limit
                is_exact = all(matched.is_complete for _, matched in matches) and next(hits, None) is None
                return WorkHits(len(found), tuple(found[offset:end]), is_exact)
        return WorkHits(0, ())

    def suggest(self, text: str, limit: int = 10) -> list[Suggestion]:
        """Return titles and names that have a text in them, or whose pinyin or its initials begin with it."""
        index, shown = self._current()
        folded = fold(text, Tier.VARIANT)
        latin = "".join(each for each in text.casefold() if each.isascii() and each.isalnum())
        listed: set[tuple[str, str]] = set()
        if folded:
            is_latin = latin == folded
            for segment in index.segments:
                for found, kind, _ in segment.suggestions(folded, latin if is_latin else "", 4 * limit):
                    listed.add((found, kind))
        best = sorted(listed, key=lambda each: (not fold(each[0], Tier.VARIANT).startswith(folded), len(each[0]), each))
        visible = ((each, works) for each in best if (works := self._count_shown(index, shown, each)))
        return [Suggestion(found, kind, works) for (found, kind), works in islice(visible, limit)]

    def indexed(self) -> tuple[int, int]:
        """Return how many works the index has that readers may find, and of how many they may find the text."""
        index, shown = self._current()
        with_text = [
            int(mask[segment.facets["text"].works].sum())
            for mask, segment in zip(shown.texts, index.segments, strict=True)
        ]
        records = (mask & segment.is_own for mask, segment in zip(shown.records, index.segments, strict=True))
        return int(sum(mask.sum() for mask in records)), sum(with_text)

    def _count_shown(self, index: SearchIndex, shown: ShownMasks, suggestion: tuple[str, str]) -> int:
        """Return how many works that readers may see have a suggested title or name.

        The segments count the works that have been withdrawn too.
        """
        text, kind = suggestion
        phrase = phrase_of(text)
        return sum(
            int(((segment.record_tiers(phrase, (kind,)) < NONE) & mask & segment.is_own).sum())
            for segment, mask in zip(index.segments, shown.records, strict=True)
        )

    def _current(self) -> tuple[SearchIndex, ShownMasks]:
        """Return the index and what readers may find of it, both as of now."""
        with self._lock:
            if self._segments is None:
                folder = segments_folder(self._repository.settings)
                self._segments = LocalSegments(self._repository.store, folder)
            segments = self._segments
        paths = segments.paths()
        with self._lock:
            if list(self._index.paths) != paths:
                self._index = open_index(paths, self._index)
                self._masks = None
            shown = self._shown
            if shown is None or monotonic() >= self._next_shown:
                shown = self._repository.search.shown_works(self._shown)
                if shown is not self._shown:
                    self._shown, self._masks = shown, None
                self._next_shown = monotonic() + SHOWN_SECONDS
            if self._masks is None:
                self._masks = shown_masks(self._index, shown)
            return self._index, self._masks


def _found(  # noqa: PLR0917 - what one work of a result is made from
    segment: OpenSegment,
    shown: ShownMasks,
    parts: Sequence[SegmentSelection],
    place: WorkPlace,
    phrases: Sequence[Phrase],
    most: int,
    has_words: bool,
) -> FoundWork:
    part = parts[place.segment]
    hits: tuple[Hit, ...] = ()
    if phrases and shown.texts[place.segment][place.work]:
        matches = list(zip(phrases, part.matches, strict=True))
        each = max(1, most // len(matches))
        hits = tuple(hit for match in matches for hit in _first_hits(segment, place.work, *match, each))
    tier = TIERS[part.tiers[place.work]] if has_words else None
    number = place.work
    return FoundWork(segment.work(number), tier, bool(part.in_record[number]), int(part.blocks[number]), hits)


def _first_hits(segment: OpenSegment, work: int, phrase: Phrase, matches: TextMatches, most: int) -> Iterator[Hit]:
    """Yield the first hits in a work, those of the best tier that it has first."""
    left, seen = most, set[int]()
    for tier in TIERS:
        rows = _rows_of(matches.rows[tier], work)
        for row in [row for row in rows if row not in seen][:_READ_BLOCKS]:
            block = segment.block(row)
            found = hits_in(block, phrase) if block else ()
            for hit in islice((hit for hit in found if hit.tier is tier), left):
                left -= 1
                yield hit
            if tier is Tier.VARIANT or len(matches.rows[Tier.VARIANT]) == len(matches.rows[tier]):
                seen.add(row)
            if not left:
                return


def _rows_of(rows: Numbers, work: int) -> list[int]:
    start, end = np.searchsorted(works_of_rows(rows), [work, work + 1])
    return [int(row) for row in rows[start:end]]


def _hits_of_work(segment: OpenSegment, matches: Sequence[tuple[Phrase, TextMatches]]) -> Iterator[Hit]:
    """Yield all hits of some phrases in the blocks of one work, in reading order."""
    rows = sorted({int(row) for _, matched in matches for row in matched.rows[Tier.VARIANT]})
    for row in rows:
        block = segment.block(row)
        if block:
            found = [hit for phrase, _ in matches for hit in hits_in(block, phrase)]
            yield from sorted(found, key=lambda hit: (hit.page.number, hit.parts[0].line, hit.parts[0].start))


def _rescues(index: SearchIndex, shown: ShownMasks, query: SearchQuery) -> Iterator[Rescue]:
    """Yield other searches that find something."""
    bare = SearchQuery(text=query.text)
    if query != bare and query.text.strip():
        total = _count(index, shown, bare)
        if total:
            yield Rescue(query.text, total, drops_filters=True)
            return
    yield from islice(_others(index, shown, query, parts_of(query.text)[:_TRIED]), _RESCUES)


def _others(index: SearchIndex, shown: ShownMasks, query: SearchQuery, texts: Iterable[str]) -> Iterator[Rescue]:
    shortest = 0
    for text in texts:
        if len(text) < shortest:
            return
        total = _count(index, shown, replace(query, text=text))
        if total:
            shortest = len(text)
            yield Rescue(text, total)


def _count(index: SearchIndex, shown: ShownMasks, query: SearchQuery) -> int:
    return select_works(index, shown, query, phrases_of(query.text)).total


def chosen_facets(facets: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return the facets that have chosen values."""
    return {name: tuple(dict.fromkeys(values)) for name, values in facets.items() if values}
