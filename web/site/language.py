"""The language of a page: the reader's choice (a cookie), else the browser's preference, else Chinese."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, urlencode

from flask import Response, g, request

from iiif_server.problems import preferred_language, stated_language
from repository.localized import Language
from web.site.urls import see_other

COOKIE: Final = "language"
PARAMETER: Final = "lang"
_YEAR_SECONDS: Final = 365 * 24 * 3600


def catalogue_tag(languages: Sequence[str]) -> str:
    """Return the ``lang`` of catalogued text: the record's first language.

    No script is added: for ``zh-Hant`` browsers choose the forms and the punctuation of Taiwan.
    """
    return languages[0] if languages else "zh"


def current_language() -> Language:
    """Return the language of the current request's page."""
    if "language" not in g:
        g.language = readers_language() or preferred_language(request.headers.get("Accept-Language"))
    return Language(g.language)


def readers_language() -> Language | None:
    """Return the language that the reader has chosen, or that the browser prefers; None when that is unknown."""
    chosen = request.cookies.get(COOKIE)
    return Language(chosen) if chosen in set(Language) else stated_language(request.headers.get("Accept-Language"))


def switch_url(language: Language) -> str:
    """Return the URL that shows the current page in `language`, and remembers the choice."""
    return _current_url([*_other_parameters(), (PARAMETER, language.value)])


def switch_language() -> Response | None:
    """Answer ``?lang=`` with a cookie and a redirect to the same page; None for other requests."""
    chosen = request.args.get(PARAMETER)
    if request.method != "GET" or chosen not in set(Language):
        return None
    response = see_other(_current_url(_other_parameters()))
    response.set_cookie(COOKIE, chosen, max_age=_YEAR_SECONDS, httponly=True, samesite="Lax", secure=request.is_secure)
    return response


def _other_parameters() -> list[tuple[str, str]]:
    return [(name, value) for name, value in request.args.items(multi=True) if name != PARAMETER]


def _current_url(parameters: Sequence[tuple[str, str]]) -> str:
    """Return the current path with `parameters`.

    Leading slashes and backslashes are reduced to one slash: two would start the name of another host.
    """
    path = quote("/" + (request.root_path + request.path).lstrip("/\\"))
    return f"{path}?{urlencode(parameters)}" if parameters else path
