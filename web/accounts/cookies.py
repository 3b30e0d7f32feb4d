"""The session cookie, and the check of every form for requests that other sites forge (CSRF).

The cookie is Flask's, signed with a secret in the database that all web processes share. It holds the token of a login,
which only the database can resolve, and the value that Flask-WTF compares with each form.
"""

from __future__ import annotations

from typing import Final

from flask import Flask, Response, g, request
from flask.sessions import SecureCookieSessionInterface
from flask_wtf.csrf import CSRFError, CSRFProtect

from repository.errors import CallError
from repository.localized import LocalizedText
from repository.repository import Repository

COOKIE: Final = "shanben_session"
MAX_FORM_BYTES: Final = 64 << 10
"""The largest form, in bytes. A view that takes more sets ``request.max_content_length``."""

_LONGER_FORMS: Final = {"text_correction.save": 384 << 10}
"""The size in bytes of longer forms, by their views: a page of Chinese text, escaped, and the places of lines."""

_CHANGING_NOTHING: Final = frozenset({"oai.respond", "similar.find"})
"""Views that accept a form of any site: they change nothing, and respond to everybody in the same way."""


class FormForged(CallError):
    """A form without the value of this session: it is too old, or another site made it."""

    code = "form.forged"
    text = LocalizedText(
        "表单已失效，或不是从本站提交的；请重新打开页面再提交，并允许浏览器保存 Cookie",
        "The form is no longer valid, or was not sent from this site; open the page again, and allow cookies",
    )


class _SessionCookies(SecureCookieSessionInterface):
    """Flask's session cookies, sent over HTTPS alone where the request or the public address uses it."""

    def __init__(self, *, is_public_secure: bool) -> None:
        self._is_public_secure = is_public_secure

    def get_cookie_secure(self, app: Flask) -> bool:
        """Return whether the cookie has the attribute ``Secure``."""
        return self._is_public_secure or request.is_secure


def install(app: Flask, repository: Repository) -> None:
    """Give an application its sessions, and check every form that it receives."""
    settings = repository.settings
    app.secret_key = repository.accounts.cookie_secret()
    app.session_interface = _SessionCookies(is_public_secure=settings.base_url.startswith("https://"))
    app.config.update(
        SESSION_COOKIE_NAME=COOKIE,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
        WTF_CSRF_CHECK_DEFAULT=False,  # `_check_form` does
    )
    protection = CSRFProtect(app)
    app.before_request(lambda: _check_form(protection))
    app.after_request(_forbid_caching_for_accounts)


def _forbid_caching_for_accounts(response: Response) -> Response:
    """Let nobody keep a page that was made for an account: a computer of a reading room has many readers."""
    if g.get("account"):  # `staff.current_reader` has looked it up
        response.headers["Cache-Control"] = "no-store"
    return response


def _check_form(protection: CSRFProtect) -> None:
    """Check a request that may change something. Raises `FormForged`."""
    if request.endpoint is None or request.endpoint in _CHANGING_NOTHING:
        return  # there is no such page, it does not accept the method, or no form is to be protected
    request.max_content_length = _LONGER_FORMS.get(request.endpoint, request.max_content_length)
    try:
        protection.protect()
    except CSRFError as fault:
        raise FormForged from fault
