"""Response headers that several blueprints share: cross-origin access (CORS), conditional requests, and caching."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from flask import Response, request

from iiif_server.cors import ANY_ORIGIN, PREFLIGHT
from iiif_server.urls import (
    API_ROOT,
    IIIF_ROOT,
    LOG_ROOT,
    OAI,
    OEMBED,
    is_record_path,
    is_text_path,
    parse_rendering_path,
)

_ASKED_AGAIN: Final = "public, no-cache"
_SERVICES: Final = (IIIF_ROOT, LOG_ROOT, API_ROOT, OAI, OEMBED)


def conditional(response: Response) -> Response:
    """Return the response, or 304 when If-None-Match has its ETag. One is added unless it has one."""
    response.add_etag()
    response.make_conditional(request)
    return response


def revalidated(response: Response) -> Response:
    """Return the response for caches that ask again each time, or 304.

    Everything that names a work is cached so, or not at all: a work that is withdrawn leaves all caches at once.
    """
    response.headers["Cache-Control"] = _ASKED_AGAIN
    return conditional(response)


def respond_to_preflight() -> Response | None:
    """Answer OPTIONS for a service as the image service does; None for other requests."""
    if request.method != "OPTIONS" or not _is_service():
        return None
    return Response(status=HTTPStatus.NO_CONTENT, headers=list(PREFLIGHT))


def allow_any_origin(response: Response) -> Response:
    """Let scripts of any origin read the responses of the services, errors included."""
    if _is_service():
        name, value = ANY_ORIGIN
        response.headers[name] = value
        response.headers["Access-Control-Expose-Headers"] = "ETag"
    return response


def _is_service() -> bool:
    path = request.path
    is_of_work = is_record_path(path) or is_text_path(path) or parse_rendering_path(path) is not None
    return path.startswith(_SERVICES) or is_of_work
