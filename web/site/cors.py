"""What several blueprints do to their answers."""

from __future__ import annotations

from typing import Final

from flask import Response, request

_SERVICES: Final = ("/iiif/", "/log/")


def conditional(answer: Response) -> Response:
    """The answer, or 304 when the client's If-None-Match has its ETag (RFC 9110, section 13.1.2)."""
    answer.make_conditional(request)
    return answer


def open_services(answer: Response) -> Response:
    """Lets scripts of any origin read what the services answer (CORS), errors included."""
    if not request.path.startswith(_SERVICES):
        return answer
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.headers["Access-Control-Expose-Headers"] = "ETag"
    if request.method == "OPTIONS":
        answer.headers["Access-Control-Allow-Methods"] = "GET, HEAD, OPTIONS"
        answer.headers["Access-Control-Allow-Headers"] = "Accept, If-None-Match"
        answer.headers["Access-Control-Max-Age"] = "86400"
    return answer
