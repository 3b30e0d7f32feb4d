"""The parameters of a search in an address, the same for ``/search``, ``/works`` and ``/api/1/search``.

``q`` is text; ``title``, ``person``, ``place``, ``classification``, ``call_number`` and ``date`` ask for fields of the
record; ``class``, ``dynasty``, ``edition``, ``published_in``, ``holder``, ``language``, ``access`` and ``text`` choose
values of facets, each as often as wanted; ``sort`` is an order. ``partner`` chooses the partners whose records are
sought instead of works of this library, which ``/works`` does not offer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from flask import request

from iiif_server.search.dates import read_years
from iiif_server.search.query import FACETS, SearchQuery, Sort
from repository.errors import RequestInvalid
from repository.localized import LocalizedText
from repository.whole_numbers import parse_whole_number

FIELDS: Final = {
    "title": "title",
    "person": "person",
    "place": "place",
    "classification": "class",
    "call_number": "call_number",
}
"""The parameters of fields, and the fields of a record that they search."""

MOST_CHARACTERS: Final = 1000
_NO_DATE: Final = LocalizedText(
    "请写公元年（1607、1573-1620）、年号纪年（万历三十五年）或朝代（明）",
    "write a year (1607), years (1573-1620), a reign year (万历三十五年) or a dynasty (明)",
)
_NO_SORT: Final = LocalizedText("请写 {known} 之一", "write one of {known}")
_TOO_LONG: Final = LocalizedText("至多 {most} 字", "it may have at most {most} characters")
_NO_NUMBER: Final = LocalizedText("请写 {first} 至 {last} 之间的数字", "write a number from {first} to {last}")


@dataclass(frozen=True, slots=True)
class SearchParameters:
    """The parameters of the request, and the query that they are."""

    query: SearchQuery
    pairs: tuple[tuple[str, str], ...]

    def address(self, path: str, changed: Mapping[str, Sequence[str]]) -> str:
        """Return the address of the same search at `path` with some parameters replaced; empty ones are left out."""
        kept = [(name, value) for name, value in self.pairs if name not in changed and name != "page"]
        added = [(name, value) for name, values in changed.items() for value in values if value]
        pairs = [*kept, *added]
        return f"{path}?{urlencode(pairs)}" if pairs else path

    def toggled(self, path: str, facet: str, value: str) -> str:
        """Return the address of the same search with a value of a facet chosen, or not chosen any more.

        Of partners, one is chosen in the place of another.
        """
        chosen = self.query.facets.get(facet, ())
        if facet == "partner":
            return self.address(path, {facet: [] if value in chosen else [value]})
        values = [each for each in chosen if each != value] if value in chosen else [*chosen, value]
        return self.address(path, {facet: values})


def search_parameters(sort: Sort = Sort.RELEVANCE, facets: Sequence[str] = FACETS) -> SearchParameters:
    """Return the search of the request; `sort` is the order by default. Raises `RequestInvalid`."""
    names = ("q", *FIELDS, "date", "sort", *facets)
    pairs = tuple((name, value) for name in names for value in request.args.getlist(name) if value.strip())
    for name, value in pairs:
        if len(value) > MOST_CHARACTERS:
            raise RequestInvalid(part=name, reason=_TOO_LONG.format(most=MOST_CHARACTERS))
    first = dict(reversed(pairs))
    years = read_years(first["date"]) if "date" in first else None
    if "date" in first and years is None:
        raise RequestInvalid(part="date", reason=_NO_DATE)
    query = SearchQuery(
        first.get("q", ""),
        {field: first[name] for name, field in FIELDS.items() if name in first},
        years,
        {name: _chosen(pairs, name) for name in facets if name in first},
        _sort(first.get("sort", sort.value)),
    )
    return SearchParameters(query, pairs)


def _chosen(pairs: Iterable[tuple[str, str]], facet: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for name, value in pairs if name == facet))


def _sort(value: str) -> Sort:
    if value not in set(Sort):
        raise RequestInvalid(part="sort", reason=_NO_SORT.format(known=", ".join(Sort)))
    return Sort(value)


def number_parameter(name: str, default: int, first: int, last: int) -> int:
    """Return a parameter that is a number from `first` to `last`. Raises `RequestInvalid`."""
    number = parse_whole_number(request.args.get(name, str(default)), last, first)
    if number is None:
        raise RequestInvalid(part=name, reason=_NO_NUMBER.format(first=first, last=last))
    return number
