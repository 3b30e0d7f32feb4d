"""The pages ``/login``, ``/logout`` and ``/staff``."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint, Response, current_app, make_response, redirect, render_template, request

from iiif_server import urls
from iiif_server.problems import status_of
from repository.accounts import ROLE_NAMES, Role
from repository.database.accounts import AccountSessions
from repository.errors import ShanbenError
from repository.repository import Repository
from web.accounts.login import LoginLimited, LoginRefused, Logins
from web.accounts.passwords import Passwords, PasswordsBusy
from web.accounts.staff import current_account, current_token, login_redirect, path_after_login, renew_session
from web.site.language import current_language
from web.site.urls import local_url
from web.trusted_networks import request_address

_PAGES: Final = {urls.PRESERVATION: "staff.preservation", urls.STATUS: "staff.status"}
"""The pages that every account may see, with the names of their titles. Those that the application has are listed."""


def blueprint(repository: Repository, passwords: Passwords) -> Blueprint:
    """Return the routes of the pages."""
    sessions = repository.account_sessions
    pages = _Pages(sessions, Logins(repository.accounts, sessions, repository.login_failures, passwords))
    routes = Blueprint("accounts", __name__)
    routes.get(urls.LOGIN, endpoint="login")(pages.show_login)
    routes.post(urls.LOGIN, endpoint="log_in")(pages.log_in)
    routes.get(urls.LOGOUT, endpoint="logout")(pages.show_logout)
    routes.post(urls.LOGOUT, endpoint="log_out")(pages.log_out)
    routes.get(urls.STAFF, endpoint="staff")(pages.show_staff)
    return routes


class _Pages:
    """The views of the pages."""

    def __init__(self, sessions: AccountSessions, logins: Logins) -> None:
        self._sessions = sessions
        self._logins = logins

    def show_login(self) -> Response:
        target = path_after_login(request.args.get("next"))
        return _redirect(target) if current_account(self._sessions) else _login_page(target, "", None)

    def log_in(self) -> Response:
        target, name = path_after_login(request.form.get("next")), request.form.get("name", "")
        earlier = current_token()
        try:
            token = self._logins.begin(name, request.form.get("password", ""), request_address(request))
        except (LoginRefused, LoginLimited, PasswordsBusy) as error:
            return _login_page(target, name, error)
        if earlier:
            self._logins.end(earlier)
        renew_session(token)
        return _redirect(target)

    def show_logout(self) -> Response:
        account = current_account(self._sessions)
        return _page("logout.html", account=account) if account else _redirect(urls.LOGIN)

    def log_out(self) -> Response:
        token = current_token()
        if token:
            self._logins.end(token)
        renew_session(None)
        return _redirect(urls.LOGIN)

    def show_staff(self) -> Response:
        account = current_account(self._sessions)
        if account is None:
            return login_redirect()
        role = ROLE_NAMES[account.role].in_language(current_language())
        is_administrator = account.role is Role.ADMINISTRATOR
        return _page("staff.html", account=account, role=role, pages=_listed(), is_administrator=is_administrator)


def _listed() -> dict[str, str]:
    """Return the pages of `_PAGES` that this application has."""
    served = {rule.rule for rule in current_app.url_map.iter_rules()}
    return {path: key for path, key in _PAGES.items() if path in served}


def _login_page(target: str, name: str, error: ShanbenError | None) -> Response:
    message = error.in_language(current_language()) if error else None
    response = _page("login.html", target=target, name=name, message=message)
    response.status_code = status_of(error) if error else HTTPStatus.OK
    if isinstance(error, LoginLimited):
        response.headers["Retry-After"] = str(error.details["seconds"])
    return response


def _page(template: str, **values: Any) -> Response:
    response = make_response(render_template(template, **values))
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    response.headers["Content-Language"] = current_language().value
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def _redirect(path: str) -> Response:
    response = redirect(local_url(path), HTTPStatus.SEE_OTHER)
    response.headers["Cache-Control"] = "no-store"
    return response  # type: ignore[return-value]  # flask.redirect is annotated with werkzeug's class
