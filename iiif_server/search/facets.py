"""Facets of a result: which works have a value, and how many of those that are found.

Works of this library and records of partners are never in one list. The facet of partners tells them apart: its value
`OWN` is what is listed while none is chosen, and it counts both all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from iiif_server.search.index import SearchIndex, ShownMasks
from iiif_server.search.open_segment import Mask, Numbers, OpenSegment
from iiif_server.search.query import ANY_PARTNER, OWN, SearchQuery
from iiif_server.search.results import FacetCount
from repository.model.access import AccessVerdict
from repository.model.work import Access

MOST_VALUES: Final = 50
"""The values of a facet that are listed, the most frequent first."""

_NAMES: Final = {AccessVerdict.REDUCED: Access.REDUCED.value, AccessVerdict.REFUSED: Access.RESTRICTED.value}


def facet_masks(segment: OpenSegment, shown: ShownMasks, place: int, query: SearchQuery) -> dict[str, Mask]:
    """Return for each facet with chosen values which works have one of them."""
    masks: dict[str, Mask] = {}
    for name, chosen in query.facets.items():
        mask = np.zeros(len(segment), bool)
        for value, works in _works_by_value(segment, shown, place, name):
            if value in chosen:
                mask[works] = True
        masks[name] = mask
    if not query.is_for_partners:
        masks["partner"] = segment.is_own
    return masks


def _works_by_value(segment: OpenSegment, shown: ShownMasks, place: int, name: str) -> list[tuple[str, Numbers]]:
    if name == "access":
        limited = {
            _NAMES[verdict]: np.array(works) for verdict, works in shown.limited[place].items() if verdict in _NAMES
        }
        is_open = shown.records[place] & segment.is_own
        for works in limited.values():
            is_open[works] = False
        return [(Access.OPEN.value, np.flatnonzero(is_open)), *limited.items()]
    facet = segment.facets[name]
    pairs = [(value, facet.works[facet.codes == code]) for code, value in enumerate(facet.values)]
    if name == "text":
        return [(value, works[shown.texts[place][works]]) for value, works in pairs]
    if name == "partner":
        return [(OWN, np.flatnonzero(segment.is_own)), (ANY_PARTNER, np.flatnonzero(~segment.is_own)), *pairs]
    return pairs


def facet_counts(  # noqa: PLR0917 - the parts of one selection
    name: str,
    index: SearchIndex,
    shown: ShownMasks,
    query: SearchQuery,
    bases: Sequence[Mask],
    masks: Sequence[Mapping[str, Mask]],
) -> tuple[FacetCount, ...]:
    """Return the counts of a facet's values, under everything that is sought but the choice in this facet.

    Where partners have nothing, their facet has no values.
    """
    chosen = query.facets.get(name, (OWN,) if name == "partner" else ())
    counts: dict[str, int] = dict.fromkeys(chosen, 0)
    for place, segment in enumerate(index.segments):
        others = [mask for other, mask in masks[place].items() if other != name]
        found = np.logical_and.reduce([bases[place], *others])
        for value, number in _counted(segment, shown, place, name, found):
            if number or value in counts:
                counts[value] = counts.get(value, 0) + number
    if name == "partner" and not query.is_for_partners and not counts.get(ANY_PARTNER):
        return ()
    ordered = sorted(counts.items(), key=lambda item: (item[0] not in chosen, -item[1], item[0]))[:MOST_VALUES]
    return tuple(FacetCount(value, number, value in chosen) for value, number in ordered)


def _counted(segment: OpenSegment, shown: ShownMasks, place: int, name: str, found: Mask) -> list[tuple[str, int]]:
    if name in {"access", "text", "partner"}:
        return [
            (value, int(found[works].sum()))
            for value, works in _works_by_value(segment, shown, place, name)
            if len(works)
        ]
    facet = segment.facets[name]
    counts = np.bincount(facet.codes[found[facet.works]], minlength=len(facet.values))
    return list(zip(facet.values, counts.tolist(), strict=True))
