"""Image requests and responses, and those responses that carry no image: info.json, redirects, refusals."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, NamedTuple

from iiif_server.auth.credentials import NO_CREDENTIALS, RequestCredentials
from iiif_server.cors import ANY_ORIGIN, METHODS, PREFLIGHT
from iiif_server.entity_tags import entity_tag, matches
from iiif_server.image.resolved import Headers
from iiif_server.metrics import RequestClass
from iiif_server.problems import CHALLENGE, media_weight, problem, problem_document, stated_language
from iiif_server.render.pool import RenderedStream
from iiif_server.request.grammar import ApiVersion
from iiif_server.request.info import CONTEXTS, PROFILES, Described, Offered, image_info
from iiif_server.urls import ImagePath, image_info_path
from repository.errors import ShanbenError
from repository.localized import LocalizedText

_INFO_CACHE_CONTROL: Final = ("Cache-Control", "public, max-age=300, s-maxage=5")
_PRIVATE: Final = ("Cache-Control", "private, no-store")
_JSON_LD: Final = "application/ld+json"
_JSON: Final = "application/json"

_LOG: Final = logging.getLogger("shanben.image")


class ImageCall(NamedTuple):
    """One request. `path` is percent-decoded once, its encoded slashes excepted; `base_url` has no trailing slash.

    `client` identifies the client for the rendering budget; it is empty for a client without a limit. `credentials` is
    what the request presents to see more than the public.
    """

    path: str
    base_url: str
    method: str = "GET"
    if_none_match: str | None = None
    accept: str | None = None
    accept_language: str | None = None
    client: str = ""
    credentials: RequestCredentials = NO_CREDENTIALS


class ImageResponse(NamedTuple):
    """A response. A `RenderedStream` must be read to its end or closed."""

    status: int
    headers: Headers
    body: bytes | bytearray | RenderedStream = b""
    request_class: RequestClass = "info"


def redirect(call: ImageCall, path: ImagePath) -> ImageResponse:
    """Redirect from the base URI to the information document (section 2 of 2.1.1, 2.2 of 3.0)."""
    location = f"{call.base_url}{image_info_path(path.image, path.version)}"
    return ImageResponse(HTTPStatus.SEE_OTHER, encode_headers([("Location", location), ANY_ORIGIN]))


def information(
    call: ImageCall,
    version: ApiVersion,
    image: Described,
    offered: Offered,
    *,
    is_public: bool = True,
    status: HTTPStatus = HTTPStatus.OK,
) -> ImageResponse:
    """Return the information document, in the media type that section 5.1 of each version asks for.

    No cache keeps it if it is not public, as where its `status` is 401.
    """
    body = image_info(version, image, offered)
    media_type = _media_type(version, call.accept)
    etag = entity_tag(media_type.encode() + body)
    headers = encode_headers([
        ("Content-Type", media_type),
        ("ETag", etag),
        ("Link", f'<{PROFILES[version]}>;rel="profile"'),
        ("Vary", "Accept, Authorization, Cookie" if image.services or not is_public else "Accept"),
        _INFO_CACHE_CONTROL if is_public else _PRIVATE,
        ANY_ORIGIN,
        *([CHALLENGE] if status is HTTPStatus.UNAUTHORIZED else []),
    ])  # fmt: skip
    if status is HTTPStatus.OK and matches(call.if_none_match, etag):
        return ImageResponse(HTTPStatus.NOT_MODIFIED, headers[1:], b"", "not-modified")
    return ImageResponse(status, headers, body)


def lower_tier(call: ImageCall, path: str) -> ImageResponse:
    """Redirect a client without an access token to a lower tier (Authentication 1.0, section 3.2)."""
    headers = encode_headers([("Location", f"{call.base_url}{path}"), _PRIVATE, ANY_ORIGIN])
    return ImageResponse(HTTPStatus.FOUND, headers)


def _media_type(version: ApiVersion, accept: str | None) -> str:
    """3.0: JSON-LD unless the client prefers plain JSON or is a browser. 2.1: JSON unless JSON-LD is named."""
    linked, plain = (media_weight(accept, kind) if accept else 0.0 for kind in (_JSON_LD, _JSON))
    if version is ApiVersion.TWO:
        return _JSON_LD if accept and _JSON_LD in accept.lower() and linked and linked >= plain else _JSON
    if accept and (plain > linked or (plain == linked and "text/html" in accept)):
        return _JSON
    return f'{_JSON_LD};profile="{CONTEXTS[version]}"'


def preflight() -> ImageResponse:
    """Return the response to OPTIONS."""
    return ImageResponse(HTTPStatus.NO_CONTENT, encode_headers(PREFLIGHT))


def method_refused(call: ImageCall) -> ImageResponse:
    """Return 405: the image service is read-only."""
    detail = LocalizedText("图像服务只接受 {methods}；请改用 GET", "The image service accepts only {methods}; use GET")
    document = problem_document(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "method",
        detail.format(methods=METHODS),
        stated_language(call.accept_language),
        {},
    )
    headers = encode_headers([*document.headers, ("Allow", METHODS), ANY_ORIGIN])
    return ImageResponse(document.status, headers, document.body, "refused")


def refusal(error: ShanbenError, call: ImageCall) -> ImageResponse:
    """Return a domain error as a problem document; a fault of the server is logged."""
    document = problem(error, stated_language(call.accept_language))
    if document.status >= 500:
        _LOG.error("%s %a: %s", call.method, call.path, error)
    return ImageResponse(document.status, encode_headers([*document.headers, ANY_ORIGIN]), document.body, "refused")


def encode_headers(headers: Sequence[tuple[str, str]]) -> Headers:
    """Return header fields in the form of ASGI."""
    return tuple((name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers)
