"""The OpenAPI description of the addresses below ``/api/1/`` (OpenAPI 3.1). (pure)"""

from __future__ import annotations

from typing import Any, Final

from iiif_server import urls
from iiif_server.search.fold import TIERS
from iiif_server.search.query import OWN_FACETS, Sort

_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_TIER: Final = {"type": "string", "enum": [tier.value for tier in TIERS]}
_FIELDS: Final = {
    "q": "text in texts and records; □ stands for any one character",
    "title": "title",
    "person": "author or another person",
    "place": "place of publication, or statement of edition or date, which may name one",
    "classification": "classification",
    "call_number": "call number or identifier of the library",
    "date": "a year, a span of years, a reign year or a dynasty",
}


def description(server: str) -> dict[str, Any]:
    """Return the description of the interface at a public address."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Shanben", "version": "1", "description": "Search of works by their text and records."},
        "servers": [{"url": server or "/"}],
        "paths": {urls.API_SEARCH: {"get": _search()}, urls.API_SUGGEST: {"get": _suggest()}},
        "components": {"schemas": _schemas()},
    }


def _search() -> dict[str, Any]:
    facets = [_parameter(name, f"a chosen value of the facet {name}", many=True) for name in OWN_FACETS]
    partner = _parameter("partner", "records of this partner instead of works; * is all partners", many=True)
    numbers = [("offset", 0, 100_000), ("limit", 20, 100), ("hits", 3, 20)]
    return {
        "operationId": "search",
        "summary": "Works that have a text, each with its first hits, and facets.",
        "parameters": [
            *(_parameter(name, text) for name, text in _FIELDS.items()),
            *facets,
            partner,
            {**_parameter("sort", "order"), "schema": {"type": "string", "enum": [sort.value for sort in Sort]}},
            *(_number(*number) for number in numbers),
        ],
        "responses": {"200": _json("SearchResult"), "400": _problem()},
    }


def _suggest() -> dict[str, Any]:
    return {
        "operationId": "suggest",
        "summary": "Titles and names that have a text in them, or whose pinyin begins with it.",
        "parameters": [{**_parameter("q", "what somebody types"), "required": True}],
        "responses": {"200": _json("Suggestions")},
    }


def _parameter(name: str, text: str, *, many: bool = False) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "array", "items": _TEXT} if many else _TEXT
    return {"name": name, "in": "query", "description": text, "schema": schema}


def _number(name: str, default: int, most: int) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": 0, "maximum": most, "default": default}
    return {"name": name, "in": "query", "schema": schema}


def _json(schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": schema, "content": content}


def _problem() -> dict[str, Any]:
    return {"description": "A parameter is not valid (RFC 9457).", "content": {"application/problem+json": {}}}


def _object(required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required.split(), "properties": properties}


def _list(item: Any) -> dict[str, Any]:
    return {"type": "array", "items": item}


def _schemas() -> dict[str, Any]:
    boolean, nullable = {"type": "boolean"}, {"type": ["string", "null"]}
    region = {"type": "string", "description": "x,y,w,h in pixels of the image", "pattern": r"^\d+,\d+,\d+,\d+$"}
    hit = _object(
        "page text tier regions",
        page={"type": "integer", "minimum": 1},
        label=_TEXT,
        text=_TEXT,
        match=_TEXT,
        before=_TEXT,
        after=_TEXT,
        tier=_TIER,
        image=nullable,
        regions=_list(region),
        lines=_list(_object("page line start end", page=_COUNT, line=_COUNT, start=_COUNT, end=_COUNT)),
    )
    work = _object(
        "identifier title hits",
        identifier=_TEXT,
        title=_TEXT,
        creator=_list(_TEXT),
        date=_TEXT,
        tier=nullable,
        in_record=boolean,
        manifest=_TEXT,
        hits=_list(hit),
    )
    record = _object(
        "partner source identifier title address",
        partner=_TEXT,
        source=_TEXT,
        identifier=_TEXT,
        title=_TEXT,
        creator=_list(_TEXT),
        date=_TEXT,
        tier=nullable,
        address=_TEXT,
        page=nullable,
        manifest=nullable,
        thumbnail=nullable,
    )
    facet = _list(_object("value works chosen", value=_TEXT, works=_COUNT, chosen=boolean))
    result = _object(
        "total works facets",
        total=_COUNT,
        exact=boolean,
        tiers={"type": "object", "additionalProperties": _COUNT},
        offset=_COUNT,
        all_words=boolean,
        works=_list(work),
        partners=_object("total records", total=_COUNT, records=_list(record)),
        facets={"type": "object", "additionalProperties": facet},
        instead=_list(_object("q works", q=_TEXT, works=_COUNT, drops_conditions=boolean)),
    )
    suggestion = _object("text kind works", text=_TEXT, kind={"enum": ["title", "person"]}, works=_COUNT)
    return {"SearchResult": result, "Suggestions": _object("suggestions", suggestions=_list(suggestion))}
