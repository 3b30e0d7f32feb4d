"""``/api/1/search`` and ``/api/1/suggest`` for programs, and their OpenAPI description (OpenAPI 3.1)."""

from __future__ import annotations

import json
from typing import Any, Final

from flask import Blueprint, Response, request

from iiif_server import urls
from iiif_server.search.matching import Hit
from iiif_server.search.query import Sort
from iiif_server.search.results import FoundWork, SearchResult
from iiif_server.search.service import HITS, Search
from repository.repository import Repository
from web.services.search_description import description
from web.site.found_records import FoundRecord, found_records
from web.site.search_parameters import number_parameter, search_parameters
from web.site.urls import public_url

MOST_WORKS: Final = 100
MOST_HITS: Final = 20
_LAST_OFFSET: Final = 100_000
_LIMIT: Final = 20
_SUGGESTIONS: Final = 10


def blueprint(repository: Repository, search: Search) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("search_api", __name__)

    @routes.get(urls.API_SEARCH)
    def find() -> Response:
        parameters = search_parameters(Sort.RELEVANCE)
        offset = number_parameter("offset", 0, 0, _LAST_OFFSET)
        limit = number_parameter("limit", _LIMIT, 0, MOST_WORKS)
        hits = number_parameter("hits", HITS, 0, MOST_HITS)
        result = search.search(parameters.query, offset, limit, hits)
        return _json(_document(repository, result, offset, for_partners=parameters.query.is_for_partners))

    @routes.get(urls.API_SUGGEST)
    def suggest() -> Response:
        found = search.suggest(request.args.get("q", "")[:64], _SUGGESTIONS)
        return _json({"suggestions": [{"text": each.text, "kind": each.kind, "works": each.works} for each in found]})

    @routes.get(urls.API_DESCRIPTION)
    def openapi() -> Response:
        return _json(description(public_url(repository.settings, "")))

    return routes


def _document(repository: Repository, result: SearchResult, offset: int, *, for_partners: bool) -> dict[str, Any]:
    """Return a result; works of this library and records of partners are in lists of their own."""
    records = result.works if for_partners else result.partners
    published = repository.search.summaries([found.work.identifier for found in result.works])
    return {
        "total": 0 if for_partners else result.total,
        "exact": result.is_exact,
        "tiers": {tier.value: count for tier, count in result.tiers.items()},
        "offset": offset,
        "all_words": result.all_words,
        "works": [_work(repository, found) for found in result.works if found.work.identifier in published],
        "partners": {
            "total": result.total if for_partners else result.partner_total,
            "records": [_record(repository, each) for each in found_records(repository, records)],
        },
        "facets": {
            name: [{"value": each.value, "works": each.works, "chosen": each.is_chosen} for each in counts]
            for name, counts in result.facets.items()
        },
        "instead": [
            {"q": each.text, "works": each.works, "drops_conditions": each.drops_filters} for each in result.rescues
        ],
    }


def _work(repository: Repository, found: FoundWork) -> dict[str, Any]:
    work = found.work
    return {
        "identifier": work.identifier,
        "title": work.title,
        "creator": work.creator,
        "date": work.date,
        "tier": found.tier.value if found.tier else None,
        "in_record": found.in_record,
        "manifest": public_url(repository.settings, urls.manifest_path(work.identifier)),
        "hits": [_hit(hit) for hit in found.hits],
    }


def _record(repository: Repository, found: FoundRecord) -> dict[str, Any]:
    return {
        "partner": found.source.name,
        "source": found.source.shown_title,
        "identifier": found.record.identifier,
        "title": found.record.title,
        "creator": [name.shown for name in found.cleaned.names],
        "date": found.record.date,
        "tier": found.tier,
        "address": public_url(repository.settings, found.path),
        "page": found.cleaned.page or None,
        "manifest": found.cleaned.manifest or None,
        "thumbnail": found.cleaned.thumbnail or None,
    }


def _hit(hit: Hit) -> dict[str, Any]:
    page = hit.page
    return {
        "page": page.number,
        "label": page.label,
        "text": hit.text,
        "match": hit.match,
        "before": hit.before,
        "after": hit.after,
        "tier": hit.tier.value,
        "image": page.image or None,
        "regions": [region.xywh for region in hit.regions],
        "lines": [
            {"page": part.page.number, "line": part.line, "start": part.start, "end": part.end} for part in hit.parts
        ],
    }


def _json(document: dict[str, Any]) -> Response:
    response = Response(json.dumps(document, ensure_ascii=False), content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
