"""The search within a work over HTTP: Content Search 2.0 and 1.0, with completion. Open to everybody, as access allows.

https://iiif.io/api/search/2.0/ and https://iiif.io/api/search/1.0/ . The text is one phrase; if the work does not have
it, its words are sought, which spaces separate. ``date`` and ``user`` are ignored: lines have neither.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from flask import Blueprint, Response, request

from iiif_server.auth.errors import access_refusal
from iiif_server.search.completion import completions
from iiif_server.search.content_search import (
    MEDIA_TYPES,
    MOTIVATIONS,
    ContentQuery,
    Json,
    annotation_list,
    annotation_page,
    distinct_hits,
    page_count,
    term_list,
    term_page,
)
from iiif_server.search.matching import Hit
from iiif_server.search.service import Search
from iiif_server.urls import CONTENT_SEARCH_VERSIONS, PLACEHOLDER
from repository.errors import RequestInvalid
from repository.localized import LocalizedText
from repository.repository import Repository
from web.site.held_work import held_work
from web.site.search_parameters import MOST_CHARACTERS, number_parameter
from web.site.urls import base_url

_MOST_PAGES: Final = 100_000
_MOST_OCCURRENCES: Final = 999_999
_NO_TEXT: Final = LocalizedText("请写要检索的文字", "write the text to search for")
_TOO_LONG: Final = LocalizedText("至多 {most} 字", "it may have at most {most} characters")
_NO_PAGE: Final = LocalizedText("结果共 {last} 页", "the result has {last} pages")


def blueprint(repository: Repository, search: Search) -> Blueprint:
    """Return the routes in both versions."""
    routes = Blueprint("content_search", __name__)
    services = _WorkSearch(repository, search)
    for version in CONTENT_SEARCH_VERSIONS:
        for name, view in (("search", services.find), ("autocomplete", services.complete)):
            routes.add_url_rule(
                f"/iiif/{name}/{version}/<work>", f"{name}{version}", view, defaults={"version": version}
            )
    return routes


class _WorkSearch:
    """Searches the text of a work, and completes what is typed for it."""

    def __init__(self, repository: Repository, search: Search) -> None:
        self._repository = repository
        self._search = search

    def find(self, work: str, version: int) -> Response:
        """Return a page of the hits in a work."""
        identifier = self._searchable(work)
        parameters = _parameters()
        hits = self._hits(identifier, parameters, version)
        last = page_count(len(hits))
        page = number_parameter("page", 1, 1, _MOST_PAGES)
        if page > last:
            raise RequestInvalid(part="page", reason=_NO_PAGE.format(last=last))
        query = ContentQuery(identifier, parameters, page, _ignored("page"))
        return self._respond((annotation_list if version == 1 else annotation_page)(query, hits), version)

    def complete(self, work: str, version: int) -> Response:
        """Return what may be meant by what somebody has typed."""
        identifier = self._searchable(work)
        parameters = _parameters()
        least = number_parameter("min", 1, 0, _MOST_OCCURRENCES)
        terms = completions(self._hits(identifier, parameters, version), least)
        ignored = _ignored("min")
        if version == 1:
            return self._respond(term_list(_requested(), identifier, terms, ignored), version)
        return self._respond(term_page(_requested(), terms, ignored), version)

    def _searchable(self, work: str) -> str:
        """Return the identifier of a work whose text the public may see.

        Raises `NotFound`, `Withdrawn`, `AccessRefused`, `AuthorizationNeeded`.
        """
        found, decision = held_work(self._repository, work)
        if not decision.shows_text:
            raise access_refusal(found.identifier, found.rights)
        return found.identifier

    def _hits(self, work: str, parameters: dict[str, str], version: int) -> Sequence[Hit]:
        motivations = parameters.get("motivation", "").split()
        if motivations and MOTIVATIONS[version].isdisjoint(motivations):
            return []
        return distinct_hits(self._search.hits_in_work(work, parameters["q"]).hits)

    def _respond(self, document: Json, version: int) -> Response:
        public = json.dumps(base_url(self._repository.settings))[1:-1]
        body = json.dumps(document, ensure_ascii=False).replace(PLACEHOLDER, public)
        response = Response(body, content_type=MEDIA_TYPES[version])
        response.headers["Cache-Control"] = "no-store"
        return response


def _parameters() -> dict[str, str]:
    """Return the text and the motivations of the request. Raises `RequestInvalid`."""
    text, motivation = request.args.get("q", ""), request.args.get("motivation", "")
    if not text.strip():
        raise RequestInvalid(part="q", reason=_NO_TEXT)
    for name, value in (("q", text), ("motivation", motivation)):
        if len(value) > MOST_CHARACTERS:
            raise RequestInvalid(part=name, reason=_TOO_LONG.format(most=MOST_CHARACTERS))
    return {"q": text, **({"motivation": motivation} if motivation.strip() else {})}


def _ignored(known: str) -> list[str]:
    """Return the names of the parameters that the answer does not depend on."""
    return sorted(set(request.args) - {"q", "motivation", known})


def _requested() -> str:
    """Return the address of the request under the placeholder of the public address."""
    query = request.query_string.decode("ascii", "replace")
    return f"{PLACEHOLDER}{request.path}?{query}"
