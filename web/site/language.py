"""Which language a page speaks: the reader's choice (a cookie), else what the browser asks for, else Chinese."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, urlencode

from flask import Request, Response, g, redirect, request

from iiif_server.problems import preferred_language
from repository.localized import Language

COOKIE: Final = "language"
PARAMETER: Final = "lang"
_YEAR: Final = 365 * 24 * 3600
_HAN_TAGS: Final = {"zh": "zh-Hant", "lzh": "lzh-Hant"}


def catalogue_tag(languages: Sequence[str]) -> str:
    """The ``lang`` of catalogued words: the record's own language, with the script that browsers choose fonts by."""
    tag = languages[0] if languages else "zh"
    return _HAN_TAGS.get(tag.lower(), tag)


def current_language() -> Language:
    """The language of the page being made."""
    if "language" not in g:
        chosen = request.cookies.get(COOKIE)
        accepted = request.headers.get("Accept-Language")
        g.language = Language(chosen) if chosen in set(Language) else preferred_language(accepted)
    return Language(g.language)


def switch_address(language: Language) -> str:
    """The address of this page that switches it to `language`."""
    return _address(request, [*_other_parameters(request), (PARAMETER, language.value)])


def switch_language() -> Response | None:
    """Before any request: a known ``?lang=`` becomes a cookie, and the reader is sent back to the same page."""
    wanted = request.args.get(PARAMETER)
    if request.method != "GET" or wanted not in set(Language):
        return None
    answer = redirect(_address(request, _other_parameters(request)), 303)
    answer.set_cookie(COOKIE, wanted, max_age=_YEAR, httponly=True, samesite="Lax", secure=request.is_secure)
    answer.headers["Cache-Control"] = "no-store"
    return answer  # type: ignore[return-value]  # flask.redirect speaks of werkzeug's class


def _other_parameters(asked: Request) -> list[tuple[str, str]]:
    return [(name, value) for name, value in asked.args.items(multi=True) if name != PARAMETER]


def _address(asked: Request, parameters: Sequence[tuple[str, str]]) -> str:
    """A path on this host: what begins with two slashes, or a backslash, would name another."""
    path = quote("/" + (asked.root_path + asked.path).lstrip("/\\"))
    return f"{path}?{urlencode(parameters)}" if parameters else path
