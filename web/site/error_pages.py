"""Errors as people and programs see them: a readable page in both languages, or a problem document (RFC 9457)."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, make_response, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from iiif_server.problems import Problem, media_weight, problem, problem_document
from repository.errors import ShanbenError
from repository.localized import Language, LocalizedText
from web.messages.interface import MESSAGES
from web.site.language import current_language

_FOR_PROGRAMS: Final = ("/iiif/", "/log/", "/health/", "/api/")


def register(app: Flask) -> None:
    """Has every error of the application answered here."""
    app.register_error_handler(ShanbenError, lambda fault: _answer_domain(app, fault))
    app.register_error_handler(HTTPException, _answer_http)


def _answer_domain(app: Flask, fault: ShanbenError) -> Response:
    told = {language: problem(fault, language) for language in Language}
    status = told[Language.CHINESE].status
    if status >= 500 and status != HTTPStatus.NOT_IMPLEMENTED:
        # Where it went wrong tells nothing of a server that is away, and there is one such line a request.
        trace = None if fault.transient else fault
        app.logger.error("%s at %s: %s", fault.code, request.path, fault, exc_info=trace)
    return _answer(told)


def _answer_http(fault: HTTPException) -> AnyResponse:
    if fault.code is None or fault.code < 400:
        return AnyResponse.force_type(fault.get_response())
    status = HTTPStatus(fault.code)
    words = MESSAGES.get(f"message.{status.value}", LocalizedText(status.phrase, status.phrase))
    told = {language: problem_document(status, f"http.{status.value}", words, language, {}) for language in Language}
    answer = _answer(told)
    if allowed := getattr(fault, "valid_methods", None):
        answer.headers["Allow"] = ", ".join(sorted(allowed))
    return answer


def _answer(told: dict[Language, Problem]) -> Response:
    chosen = told[current_language()]
    if _is_for_program():
        return Response(chosen.body, status=chosen.status, headers=list(chosen.headers))
    messages = {language: str(json.loads(document.body)["detail"]) for language, document in told.items()}
    title = f"error.{chosen.status}" if f"error.{chosen.status}" in MESSAGES else "error.title"
    page = render_template("error.html", status=chosen.status, title=title, messages=messages, words=MESSAGES)
    answer = make_response(page, chosen.status)
    answer.headers["Cache-Control"] = "no-store"
    if retry := dict(chosen.headers).get("Retry-After"):
        answer.headers["Retry-After"] = retry
    return answer


def _is_for_program() -> bool:
    """Services answer in JSON; pages do when JSON is asked for by name and preferred."""
    if request.path.startswith(_FOR_PROGRAMS):
        return True
    accept = request.headers.get("Accept", "")
    named = [kind for kind in ("application/problem+json", "application/json") if kind in accept]
    return any(media_weight(accept, kind) > media_weight(accept, "text/html") for kind in named)
