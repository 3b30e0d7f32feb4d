"""Errors for people and programs: a readable page, or a problem document (RFC 9457).

Both are in the reader's language, or in both languages when that is unknown.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, make_response, render_template, request
from werkzeug.exceptions import BadHost, HTTPException
from werkzeug.wrappers import Response as AnyResponse

from iiif_server.problems import Problem, media_weight, problem, problem_document
from iiif_server.urls import (
    API_ROOT,
    HEALTH_ROOT,
    IIIF_ROOT,
    LOG_ROOT,
    OAI,
    OEMBED,
    is_auth_page,
    is_record_path,
    is_text_path,
)
from repository.errors import ShanbenError
from repository.localized import Language
from web.messages.interface import MESSAGES
from web.site.language import current_language, readers_language

_LANGUAGES: Final = (*Language, None)
"""The languages of problem documents; None stands for both."""

_FOR_PROGRAMS: Final = (IIIF_ROOT, LOG_ROOT, HEALTH_ROOT, API_ROOT, OAI, OEMBED)


def register(app: Flask) -> None:
    """Register the handlers for every error of the application."""
    app.register_error_handler(ShanbenError, lambda error: _handle_domain_error(app, error))
    app.register_error_handler(HTTPException, _handle_http_error)


def _handle_domain_error(app: Flask, error: ShanbenError) -> Response:
    documents = {language: problem(error, language) for language in _LANGUAGES}
    status = documents[None].status
    if status >= 500 and status != HTTPStatus.NOT_IMPLEMENTED:
        # A transient error, such as a server that is down, is logged at every request: a traceback would add nothing.
        trace = None if error.transient else error
        app.logger.error("%s at %s: %s", error.code, request.path, error, exc_info=trace)
    return _error_response(documents)


def _handle_http_error(error: HTTPException) -> AnyResponse:
    if error.code is None or error.code < 400:
        return AnyResponse.force_type(error.get_response())
    status = HTTPStatus(error.code)
    detail = MESSAGES.get(f"message.{status.value}", MESSAGES["message.500" if status >= 500 else "message.400"])
    documents = {
        language: problem_document(status, f"http.{status.value}", detail, language, {}) for language in _LANGUAGES
    }
    response = _error_response(documents)
    if allowed := getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def _error_response(documents: dict[Language | None, Problem]) -> Response:
    """Return the problem document in the reader's language, or a page made of those in each language."""
    known = readers_language()
    document = documents[known]
    if _wants_problem_document():
        return Response(document.body, status=document.status, headers=list(document.headers))
    first = current_language()
    languages = [first] if known else [first, *(language for language in Language if language is not first)]
    members = {language: json.loads(documents[language].body) for language in languages}
    details = {language: str(found["detail"]) for language, found in members.items()}
    own_title = MESSAGES.get(f"error.{document.status}")
    titles = {
        language: own_title.in_language(language) if own_title else found["title"]
        for language, found in members.items()
    }
    code = members[first]["code"]
    page = render_template("error.html", status=document.status, titles=titles, details=details, code=code)
    response = make_response(page, document.status)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Language"] = ", ".join(languages)
    response.vary.update(["Accept-Language", "Cookie"])
    if retry := dict(document.headers).get("Retry-After"):
        response.headers["Retry-After"] = retry
    return response


def _wants_problem_document() -> bool:
    """Return whether the path is a service's, or the client names JSON and prefers it to HTML.

    A client whose ``Host`` is no host name gets one too: a page needs URLs, and none can be built for it.
    """
    path = request.path
    is_for_programs = path.startswith(_FOR_PROGRAMS) and not is_auth_page(path)
    is_file = is_record_path(path) or is_text_path(path)
    if is_for_programs or is_file or isinstance(request.routing_exception, BadHost):
        return True
    accept = request.headers.get("Accept", "")
    named = [kind for kind in ("application/problem+json", "application/json") if kind in accept]
    return any(media_weight(accept, kind) > media_weight(accept, "text/html") for kind in named)
