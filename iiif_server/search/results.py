"""What a search returns, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from iiif_server.search.documents import IndexedWork
from iiif_server.search.fold import Tier
from iiif_server.search.matching import Hit


@dataclass(frozen=True, slots=True)
class FacetCount:
    """A value of a facet, how many works of the result have it, and whether it is chosen."""

    value: str
    works: int
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class FoundWork:
    """A work with its first hits. `tier` is None where nothing was sought by words.

    `in_record` tells that its record has what was sought; `blocks` is about how much of its text has it, 0 for none.
    """

    work: IndexedWork
    tier: Tier | None
    in_record: bool
    blocks: int
    hits: tuple[Hit, ...] = ()


@dataclass(frozen=True, slots=True)
class Rescue:
    """Another search that finds something, for one that found nothing: what to search, and how many works have it.

    `drops_filters` tells that it is the same text without fields, years and facets.
    """

    text: str
    works: int
    drops_filters: bool = False


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A part of the works that a search found, and counts of all of them.

    `works` are works of this library or, if the query chose partners, partners' records; they are never both.
    `partners` are the first records that partners have beside works of this library, of `partner_total`.

    `tiers` counts works by the best tier in which they have what was sought; `total` is their sum. Counts are exact if
    `is_exact`: a phrase with a wildcard in very many places is not looked up in all of them. `all_words` tells that no
    work has the text as one phrase, and works with all its words are the result. `is_shortened` tells that the text was
    too long and only its beginning was sought.
    """

    total: int
    tiers: Mapping[Tier, int]
    works: tuple[FoundWork, ...]
    facets: Mapping[str, tuple[FacetCount, ...]]
    is_exact: bool = True
    all_words: bool = False
    is_shortened: bool = False
    rescues: tuple[Rescue, ...] = ()
    partners: tuple[FoundWork, ...] = ()
    partner_total: int = 0


@dataclass(frozen=True, slots=True)
class WorkHits:
    """A part of the hits in one work, in reading order, and how many there are; `is_exact` as in `SearchResult`."""

    total: int
    hits: tuple[Hit, ...]
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A title or a name that begins like what somebody types; `kind` is ``title`` or ``person``."""

    text: str
    kind: str
    works: int
