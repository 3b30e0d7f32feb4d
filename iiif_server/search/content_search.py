"""Documents of the search within a work: Content Search 2.0 and 1.0. (pure)

https://iiif.io/api/search/2.0/ and https://iiif.io/api/search/1.0/ . An annotation is the part of a hit in one line.
Its body is the text found there, and its target the part of the canvas where that stands, or the whole canvas if no
place is known. What stands before and after a hit comes beside the annotations: as annotations with the motivation
``contextualizing`` in 2.0 (section 4.3.1), as ``hits`` in 1.0 (section 3.4.2). A hit that a line end divides has
several annotations (sections 4.3.4 and 3.4.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from iiif_server.search.completion import Term
from iiif_server.search.matching import Hit, HitPart
from iiif_server.urls import canvas_path, content_search_path, stored_id

Json = dict[str, Any]

HITS_A_PAGE: Final = 250
"""The hits of one page of a result."""

CONTEXTS: Final = {version: f"http://iiif.io/api/search/{version}/context.json" for version in (1, 2)}
MEDIA_TYPES: Final = {version: f'application/ld+json;profile="{context}"' for version, context in CONTEXTS.items()}
"""The media type of documents in each version."""

_PRESENTATION_2: Final = "http://iiif.io/api/presentation/2/context.json"

MOTIVATIONS: Final = {
    1: frozenset({"painting", "sc:painting"}),
    2: frozenset({"supplementing", "contextualizing"}),
}
"""The motivations of the annotations in each version: others find nothing."""


@dataclass(frozen=True, slots=True)
class ContentQuery:
    """A request of the search within a work.

    `parameters` are those that make the address of the result, without ``page``; `ignored` are the names of others.
    `page` counts from 1.
    """

    work: str
    parameters: Mapping[str, str]
    page: int = 1
    ignored: Sequence[str] = ()

    def address(self, version: int, page: int | None = None) -> str:
        """Return the address of the result under the placeholder of the public address, or of a page of it."""
        pairs = {**self.parameters, **({} if page is None else {"page": str(page)})}
        return f"{stored_id(content_search_path(self.work, version))}?{urlencode(pairs)}"


@dataclass(frozen=True, slots=True)
class _ResultPage:
    """One page of a result: its hits, the place of its first annotation, and how many pages and annotations there are.

    `last` is the number of the last page.
    """

    hits: Sequence[Hit]
    start: int
    last: int
    annotations: int


def distinct_hits(hits: Sequence[Hit]) -> list[Hit]:
    """Return hits without those that stand where one before stands, as two words of a query may find."""
    found: dict[tuple[tuple[int, int, int, int], ...], Hit] = {}
    for hit in hits:
        found.setdefault(tuple(map(_place, hit.parts)), hit)
    return list(found.values())


def page_count(hits: int) -> int:
    """Return how many pages a result has."""
    return max(1, -(-hits // HITS_A_PAGE))


def annotation_page(query: ContentQuery, hits: Sequence[Hit]) -> Json:
    """Return a page of a result in version 2.0; `hits` are all hits in the work, each once."""
    part = _part(query, hits)
    address = query.address(2)
    paging: Json = {}
    if part.last > 1:
        paging["partOf"] = {
            "id": address,
            "type": "AnnotationCollection",
            "total": part.annotations,
            "first": _page_reference(query.address(2, 1)),
            "last": _page_reference(query.address(2, part.last)),
        }
        if query.page < part.last:
            paging["next"] = _page_reference(query.address(2, query.page + 1))
        if query.page > 1:
            paging["prev"] = _page_reference(query.address(2, query.page - 1))
        paging["startIndex"] = part.start
    additional = [_contextualizing(query, hit) for hit in part.hits]
    own = query.address(2, query.page) if part.last > 1 else address
    contexts = {"id": f"{own}#contexts", "type": "AnnotationPage", "items": additional}
    return {
        "@context": CONTEXTS[2],
        "id": own,
        "type": "AnnotationPage",
        **paging,
        **({"ignored": list(query.ignored)} if query.ignored else {}),
        "items": [_annotation(query, each) for each in _parts_of(part.hits)],
        **({"annotations": [contexts]} if additional else {}),
    }


def annotation_list(query: ContentQuery, hits: Sequence[Hit]) -> Json:
    """Return a page of a result in version 1.0; `hits` are all hits in the work, each once."""
    part = _part(query, hits)
    address = query.address(1)
    layer: Json = {"@id": address, "@type": "sc:Layer", "total": len(hits)}
    paging: Json = {}
    if part.last > 1:
        layer |= {"first": query.address(1, 1), "last": query.address(1, part.last)}
        if query.page < part.last:
            paging["next"] = query.address(1, query.page + 1)
        if query.page > 1:
            paging["prev"] = query.address(1, query.page - 1)
    if query.ignored:
        layer["ignored"] = list(query.ignored)
    return {
        "@context": [_PRESENTATION_2, CONTEXTS[1]],
        "@id": query.address(1, query.page) if part.last > 1 else address,
        "@type": "sc:AnnotationList",
        "within": layer,
        **paging,
        "startIndex": part.start,
        "resources": [_open_annotation(query, each) for each in _parts_of(part.hits)],
        "hits": [_search_hit(query, hit) for hit in part.hits],
    }


def term_page(address: str, terms: Sequence[Term], ignored: Sequence[str]) -> Json:
    """Return completions in version 2.0 (section 5.2); `address` is that of the request."""
    return {
        "@context": CONTEXTS[2],
        "id": address,
        "type": "TermPage",
        **({"ignored": list(ignored)} if ignored else {}),
        "items": [{"value": term.text, "total": term.count} for term in terms],
    }


def term_list(address: str, work: str, terms: Sequence[Term], ignored: Sequence[str]) -> Json:
    """Return completions in version 1.0 (section 4.3)."""
    listed = [
        {"match": term.text, "url": ContentQuery(work, {"q": term.text}).address(1), "count": term.count}
        for term in terms
    ]
    return {
        "@context": CONTEXTS[1],
        "@id": address,
        "@type": "search:TermList",
        **({"ignored": list(ignored)} if ignored else {}),
        "terms": listed,
    }


def _part(query: ContentQuery, hits: Sequence[Hit]) -> _ResultPage:
    sizes = [len(list(_parts_of(hits[start : start + HITS_A_PAGE]))) for start in range(0, len(hits), HITS_A_PAGE)]
    start = (query.page - 1) * HITS_A_PAGE
    shown = hits[start : start + HITS_A_PAGE]
    return _ResultPage(shown, sum(sizes[: query.page - 1]), page_count(len(hits)), sum(sizes))


def _parts_of(hits: Sequence[Hit]) -> Iterator[HitPart]:
    """Yield the parts of hits, those that several hits have once."""
    yield from {_place(part): part for hit in hits for part in hit.parts}.values()


def _place(part: HitPart) -> tuple[int, int, int, int]:
    return part.page.number, part.line, part.start, part.end


def _page_reference(address: str) -> Json:
    return {"id": address, "type": "AnnotationPage"}


def _identifier(query: ContentQuery, part: HitPart) -> str:
    """Return the name of an annotation: the page, the line and the characters in it."""
    page, line, start, end = _place(part)
    return f"{stored_id(canvas_path(query.work, page))}/line/{line + 1}/{start}-{end}"


def _target(query: ContentQuery, part: HitPart) -> str:
    canvas = stored_id(canvas_path(query.work, part.page.number))
    return f"{canvas}#xywh={part.region.xywh}" if part.region and part.page.image else canvas


def _annotation(query: ContentQuery, part: HitPart) -> Json:
    return {
        "id": _identifier(query, part),
        "type": "Annotation",
        "motivation": "supplementing",
        "body": {"type": "TextualBody", "value": _text(part), "format": "text/plain"},
        "target": _target(query, part),
    }


def _contextualizing(query: ContentQuery, hit: Hit) -> Json:
    last = len(hit.parts) - 1
    targets = []
    for place, part in enumerate(hit.parts):
        selector = {"type": "TextQuoteSelector", "exact": _text(part)}
        if place == 0 and hit.before:
            selector["prefix"] = hit.before
        if place == last and hit.after:
            selector["suffix"] = hit.after
        targets.append({"type": "SpecificResource", "source": _identifier(query, part), "selector": [selector]})
    return {
        "id": f"{_identifier(query, hit.parts[0])}/{len(hit.match)}",
        "type": "Annotation",
        "motivation": "contextualizing",
        "target": targets[0] if last == 0 else targets,
    }


def _open_annotation(query: ContentQuery, part: HitPart) -> Json:
    return {
        "@id": _identifier(query, part),
        "@type": "oa:Annotation",
        "motivation": "sc:painting",
        "resource": {"@type": "cnt:ContentAsText", "format": "text/plain", "chars": _text(part)},
        "on": _target(query, part),
    }


def _search_hit(query: ContentQuery, hit: Hit) -> Json:
    return {
        "@type": "search:Hit",
        "annotations": [_identifier(query, part) for part in hit.parts],
        "match": hit.match,
        "before": hit.before,
        "after": hit.after,
    }


def _text(part: HitPart) -> str:
    """Return the characters of a line that are part of a hit."""
    return part.page.lines[part.line - part.page.first].text[part.start : part.end]
