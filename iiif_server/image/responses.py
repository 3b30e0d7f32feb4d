"""Image requests, and those answers to them that are not pictures: info.json, redirects, preflights, refusals."""

from __future__ import annotations

import hashlib
import logging
from http import HTTPStatus
from typing import Final, NamedTuple

from iiif_server.problems import CORS, Response, matches, media_weight, preferred_language, problem, problem_document
from iiif_server.request.grammar import ApiVersion
from iiif_server.request.info import CONTEXTS, PROFILES, Described, Offered, image_info
from iiif_server.urls import IMAGE_PREFIXES, image_service_path, parse_image_path
from repository.errors import ShanbenError
from repository.localized import LocalizedText

PREFIXES: Final = IMAGE_PREFIXES
"""Where the image service of each version begins."""

_METHODS: Final = "GET, HEAD, OPTIONS"
_INFO_CACHED: Final = ("Cache-Control", "public, max-age=300")
_JSON_LD: Final = "application/ld+json"
_JSON: Final = "application/json"

_LOG: Final = logging.getLogger("shanben.image")


class ImageCall(NamedTuple):
    """One request. `path` begins with one of `PREFIXES`, percent-decoded once; `base_url` has no final slash."""

    path: str
    base_url: str
    method: str = "GET"
    if_none_match: str | None = None
    accept: str | None = None
    accept_language: str | None = None


class Address(NamedTuple):
    """The parts of a path: `rest` is what follows the image's identifier, without the slash between."""

    version: ApiVersion
    identifier: str
    rest: str


def address_of(path: str) -> Address:
    """The parts of a path that begins with one of `PREFIXES`."""
    parts = parse_image_path(path)
    assert parts is not None  # noqa: S101 - the caller has compared the prefix
    return Address(ApiVersion(parts.version), parts.image, parts.rest)


def base_uri(version: ApiVersion, identifier: str) -> str:
    """The path of an image's service."""
    return image_service_path(identifier, version)


def redirect(call: ImageCall, address: Address) -> Response:
    """From the base URI to the information document (section 2 of 2.1.1, 2.2 of 3.0)."""
    location = f"{call.base_url}{base_uri(address.version, address.identifier)}/info.json"
    return Response(HTTPStatus.SEE_OTHER, [("Location", location), CORS])


def information(call: ImageCall, version: ApiVersion, image: Described, offered: Offered) -> Response:
    """The information document, in the media type that the version's section 5.1 asks for."""
    body = image_info(version, image, offered)
    media_type = _media_type(version, call.accept)
    etag = f'"{hashlib.blake2b(media_type.encode() + body, digest_size=12).hexdigest()}"'
    headers = [
        ("Content-Type", media_type),
        ("ETag", etag),
        ("Link", f'<{PROFILES[version]}>;rel="profile"'),
        ("Vary", "Accept"),
        _INFO_CACHED,
        CORS,
    ]
    if matches(call.if_none_match, etag):
        return Response(HTTPStatus.NOT_MODIFIED, headers[1:])
    return Response(HTTPStatus.OK, headers, body)


def _media_type(version: ApiVersion, accept: str | None) -> str:
    """3.0: JSON-LD unless plain JSON is preferred, or a browser asks. 2.1: JSON unless JSON-LD is asked for by name."""
    linked, plain = (media_weight(accept, kind) if accept else 0.0 for kind in (_JSON_LD, _JSON))
    if version is ApiVersion.TWO:
        return _JSON_LD if accept and _JSON_LD in accept.lower() and linked and linked >= plain else _JSON
    if accept and (plain > linked or (plain == linked and "text/html" in accept)):
        return _JSON
    return f'{_JSON_LD};profile="{CONTEXTS[version]}"'


def preflight() -> Response:
    """The answer to OPTIONS: who may ask, and how (CORS)."""
    headers = [
        CORS,
        ("Access-Control-Allow-Methods", _METHODS),
        ("Access-Control-Allow-Headers", "*"),
        ("Access-Control-Max-Age", "86400"),
        ("Allow", _METHODS),
    ]
    return Response(HTTPStatus.NO_CONTENT, headers)


def method_refused(call: ImageCall) -> Response:
    """Nothing but reading is done here."""
    detail = LocalizedText("图像服务只接受 {methods}", "The image service takes only {methods}").format(
        methods=_METHODS
    )
    document = problem_document(
        HTTPStatus.METHOD_NOT_ALLOWED, "method", detail, preferred_language(call.accept_language), {}
    )
    return Response(HTTPStatus.METHOD_NOT_ALLOWED, [*document.headers, ("Allow", _METHODS), CORS], document.body)


def refusal(error: ShanbenError, call: ImageCall) -> Response:
    """An error of the domain as a problem document; those of ours are logged."""
    document = problem(error, preferred_language(call.accept_language))
    if document.status >= 500:
        _LOG.error("%s %s: %s", call.method, call.path, error)
    return Response(document.status, [*document.headers, CORS], document.body)
