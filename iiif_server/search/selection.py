"""Selects the works of an index that a query finds: their tiers, facets and order. No text is read for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from iiif_server.search.facets import facet_counts, facet_masks
from iiif_server.search.fold import TIERS, Tier
from iiif_server.search.index import SearchIndex, ShownMasks, WorkPlace
from iiif_server.search.matching import Phrase
from iiif_server.search.open_segment import NO_YEAR, NONE, Mask, Numbers, OpenSegment, TextMatches, Tiers, works_of_rows
from iiif_server.search.query import FACETS, SearchQuery, Sort, phrases_of
from iiif_server.search.results import FacetCount
from repository.model.reign_years import Years

_HEADING: Final = ("title", "person")
"""The fields of a record by which a work comes first."""


@dataclass(frozen=True, slots=True)
class SegmentSelection:
    """The works of one segment that a query finds.

    `tiers` has the best tier of each work, `NONE` for those that are not found; `matches` what each phrase matches.
    `in_record`, `in_heading` tell whether the record has the text, and its title or a name; `blocks` count the rows.
    """

    tiers: Tiers
    in_record: Mask
    in_heading: Mask
    blocks: Numbers
    matches: tuple[TextMatches, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """The works of all segments that a query finds, and the facets of the result.

    `partners` are the records of partners that the same query would find, none if `parts` are such records.
    """

    parts: list[SegmentSelection]
    partners: list[SegmentSelection]
    facets: Mapping[str, tuple[FacetCount, ...]]
    total: int
    tiers: Mapping[Tier, int]
    is_exact: bool


def select_works(index: SearchIndex, shown: ShownMasks, query: SearchQuery, phrases: Sequence[Phrase]) -> Selection:
    """Return what a query finds; each of `phrases` must be in a work's text or record. Raises `SegmentDamaged`."""
    fields = [
        (name, phrase) for name, value in sorted(query.fields.items()) for phrase in phrases_of(value) if value.strip()
    ]
    parts, partners, bases, chosen = [], [], [], []
    for place, segment in enumerate(index.segments):
        part = _select(segment, shown.texts[place], phrases)
        tiers = _with_fields(segment, part.tiers, fields)
        base = shown.records[place] & (tiers < NONE) & _within(segment, query.years)
        masks = facet_masks(segment, shown, place, query)
        parts.append(_kept(part, tiers, [base, *masks.values()]))
        if not query.is_for_partners:
            others = [mask for name, mask in masks.items() if name != "partner"]
            partners.append(_kept(part, tiers, [base, *others, ~segment.is_own]))
        bases.append(base)
        chosen.append(masks)
    found = np.concatenate([part.tiers for part in parts] or [np.zeros(0, np.uint8)])
    counts = np.bincount(found, minlength=NONE + 1)[:NONE]
    return Selection(
        parts,
        partners,
        {name: facet_counts(name, index, shown, query, bases, chosen) for name in FACETS},
        int(np.sum(counts)),
        {tier: int(counts[number]) for number, tier in enumerate(TIERS)},
        all(matches.is_complete for part in parts for matches in part.matches),
    )


def _kept(part: SegmentSelection, tiers: Tiers, masks: Sequence[Mask]) -> SegmentSelection:
    """Return the works of a segment with these tiers that are in all masks."""
    return replace(part, tiers=np.where(np.logical_and.reduce(masks), tiers, NONE).astype(np.uint8))


def _select(segment: OpenSegment, text_mask: Mask, phrases: Sequence[Phrase]) -> SegmentSelection:
    size = len(segment)
    worst: Tiers = np.zeros(size, np.uint8)
    in_record, in_heading = np.ones(size, bool), np.ones(size, bool)
    blocks: Numbers = np.zeros(size, np.int64)
    matches = []
    for phrase in phrases:
        matched = segment.text_matches(phrase)
        matches.append(matched)
        text = _text_tiers(size, matched)
        text[~text_mask] = NONE
        rows = np.bincount(works_of_rows(matched.rows[Tier.VARIANT]), minlength=size)
        blocks += np.where(text_mask, rows, 0)
        record = segment.record_tiers(phrase)
        in_record &= record < NONE
        in_heading &= segment.record_tiers(phrase, _HEADING) < NONE if in_record.any() else False
        worst = np.maximum(worst, np.minimum(text, record))
    if not phrases:
        in_record[:] = in_heading[:] = False
    return SegmentSelection(worst, in_record, in_heading, blocks, tuple(matches))


def _text_tiers(size: int, matches: TextMatches) -> Tiers:
    tiers: Tiers = np.full(size, NONE, np.uint8)
    for number, tier in reversed(list(enumerate(TIERS))):
        tiers[works_of_rows(matches.rows[tier])] = number
    return tiers


def _with_fields(segment: OpenSegment, tiers: Tiers, fields: Sequence[tuple[str, Phrase]]) -> Tiers:
    for name, phrase in fields:
        tiers = np.maximum(tiers, segment.record_tiers(phrase, (name,)))
    return tiers


def _within(segment: OpenSegment, years: Years | None) -> Mask:
    """Return which works have a year in common with a period; those without years have none."""
    if years is None:
        return np.ones(len(segment), bool)
    first, last = segment.years[:, 0], segment.years[:, 1]
    within: Mask = (first != NO_YEAR) & (first <= years.last) & (last >= years.first)
    return within


def count_found(parts: Sequence[SegmentSelection]) -> int:
    """Return how many works are found in all segments."""
    return sum(int((part.tiers < NONE).sum()) for part in parts)


def ordered(
    index: SearchIndex, parts: Sequence[SegmentSelection], sort: Sort, offset: int, limit: int
) -> list[WorkPlace]:
    """Return some of the works that are found in the segments, in an order: where they are."""
    numbers = [np.flatnonzero(part.tiers < NONE) for part in parts]
    if not sum(map(len, numbers)):
        return []
    segments = np.repeat(np.arange(len(numbers)), [len(each) for each in numbers])
    works = np.concatenate(numbers)

    def column(values: Sequence[Numbers | Mask | Tiers]) -> Numbers:
        return np.concatenate([one[each] for one, each in zip(values, numbers, strict=True)]).astype(np.int64)

    if sort is Sort.RELEVANCE:
        keys = [
            column(index.ranks["title"]),
            -column([part.blocks for part in parts]),
            -column([part.in_heading for part in parts]),
            column([part.tiers for part in parts]),
        ]
    else:
        keys = [column(index.ranks["title"]), column(index.ranks[sort.value])]
    order = np.lexsort(keys)[offset : offset + limit]
    return [WorkPlace(int(segments[each]), int(works[each])) for each in order]
