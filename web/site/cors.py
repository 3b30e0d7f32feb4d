"""Response headers that several blueprints share: cross-origin access (CORS) and conditional requests."""

from __future__ import annotations

from typing import Final

from flask import Response, request

from iiif_server.urls import IIIF_ROOT, LOG_ROOT

_SERVICES: Final = (IIIF_ROOT, LOG_ROOT)


def conditional(response: Response) -> Response:
    """Return the response, or 304 when If-None-Match has its ETag (RFC 9110, section 13.1.2)."""
    response.make_conditional(request)
    return response


def allow_any_origin(response: Response) -> Response:
    """Let scripts of any origin read the responses of the services, errors included."""
    if not request.path.startswith(_SERVICES):
        return response
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Expose-Headers"] = "ETag"
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "GET, HEAD, OPTIONS"
        response.headers["Access-Control-Allow-Headers"] = "Accept, If-None-Match"
        response.headers["Access-Control-Max-Age"] = "86400"
    return response
