"""What several blueprints do to their answers."""

from __future__ import annotations

from flask import Response, request


def conditional(answer: Response) -> Response:
    """The answer, or 304 when the client's If-None-Match has its ETag (RFC 9110, section 13.1.2)."""
    answer.make_conditional(request)
    return answer


def open_to_scripts(answer: Response) -> Response:
    """Lets scripts of any origin read the answer (CORS), errors included, and answers their questions beforehand."""
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.headers["Access-Control-Expose-Headers"] = "ETag"
    if request.method == "OPTIONS":
        answer.headers["Access-Control-Allow-Methods"] = "GET, HEAD, OPTIONS"
        answer.headers["Access-Control-Allow-Headers"] = "Accept, If-None-Match"
        answer.headers["Access-Control-Max-Age"] = "86400"
    return answer
