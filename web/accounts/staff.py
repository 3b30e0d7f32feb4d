"""The account of the current request, and the responses with a page, for all pages of staff."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlencode

from flask import Response, g, make_response, render_template, request, session

from iiif_server import urls
from repository.database.accounts import AccountSessions
from repository.errors import AccessRefused
from repository.localized import LocalizedText
from repository.model.access import NO_PRIVILEGES, Privileges
from repository.model.accounts import PRIVILEGES, Account
from web.site.page_headers import set_unkept_headers
from web.site.urls import local_url, see_other

_TOKEN: Final = "login"  # noqa: S105 - the name of a value in the session
_PATH: Final = re.compile(r"/(?!/)[!-\[\]-~]*")
"""A path of this site, with its query: ASCII without spaces, control characters and backslashes, and no host."""


class LoginRequired(AccessRefused):
    """A page for staff was requested without an account."""

    code = "access.login"
    text = LocalizedText(
        "此页只供管理人员查看；请用账号登录，或在服务器本机打开",
        "This page is for staff; log in with an account, or open it on the server",
    )


def current_account(sessions: AccountSessions) -> Account | None:
    """Return the account of staff that made the current request; None for a reader and for the public."""
    account = current_reader(sessions)
    return account if account and account.is_staff else None


def current_reader(sessions: AccountSessions) -> Account | None:
    """Return the account, of any role, that made the current request; None without a session that is still open."""
    if "account" not in g:
        token = session.get(_TOKEN)
        g.account = sessions.account(token) if isinstance(token, str) else None
    account: Account | None = g.account
    return account


def current_privileges(sessions: AccountSessions) -> Privileges:
    """Return what the current request's account may see beyond the public."""
    account = current_reader(sessions)
    return PRIVILEGES[account.role] if account else NO_PRIVILEGES


def current_token() -> str | None:
    """Return the token of the current session, whether it is still open or not."""
    token = session.get(_TOKEN)
    return token if isinstance(token, str) else None


def renew_session(token: str | None) -> None:
    """Replace everything in the session cookie by the token of a login, or by nothing.

    The value that forms are checked against is replaced too, so that nothing from before a login is valid after it.
    """
    session.clear()
    g.pop("account", None)
    if token is not None:
        session[_TOKEN] = token


def login_redirect() -> Response:
    """Return a redirect to the login page, which leads back to the current page."""
    return see_other(login_url(request.full_path.rstrip("?")))


def staff_response(template: str, **values: Any) -> Response:
    """Return a page for staff: no cache keeps it, no search engine lists it, and no other site learns its address."""
    response = set_unkept_headers(make_response(render_template(template, **values)))
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def login_url(path: str) -> str:
    """Return the URL of the login page that leads to a path of this site."""
    return f"{local_url(urls.LOGIN)}?{urlencode({'next': path})}"


def path_after_login(text: str | None) -> str:
    """Return the path that a login leads to: `text` if it is one of this site, else the staff page.

    An address with a host would let a link to the login page end at another site.
    """
    return text if text and _PATH.fullmatch(text) else urls.STAFF
