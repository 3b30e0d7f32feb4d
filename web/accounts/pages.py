"""The pages ``/login`` and ``/logout``."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response, request

from iiif_server import urls
from iiif_server.problems import status_of
from repository.database.accounts import AccountSessions
from repository.errors import ShanbenError
from repository.repository import Repository
from web.accounts.access_cookie import AccessCookies
from web.accounts.login import LoginLimited, LoginRefused, Logins
from web.accounts.passwords import PasswordsBusy
from web.accounts.staff import (
    current_account,
    current_reader,
    current_token,
    path_after_login,
    renew_session,
    staff_response,
)
from web.site.language import current_language
from web.site.urls import local_url, see_other
from web.trusted_networks import request_address


def blueprint(repository: Repository, logins: Logins, cookies: AccessCookies) -> Blueprint:
    """Return the routes of the pages."""
    pages = _Pages(repository.account_sessions, logins, cookies)
    routes = Blueprint("accounts", __name__)
    routes.get(urls.LOGIN, endpoint="login")(pages.show_login)
    routes.post(urls.LOGIN, endpoint="log_in")(pages.log_in)
    routes.get(urls.LOGOUT, endpoint="logout")(pages.show_logout)
    routes.post(urls.LOGOUT, endpoint="log_out")(pages.log_out)
    return routes


class _Pages:
    """The views of the pages."""

    def __init__(self, sessions: AccountSessions, logins: Logins, cookies: AccessCookies) -> None:
        self._sessions = sessions
        self._logins = logins
        self._cookies = cookies

    def show_login(self) -> Response:
        target = path_after_login(request.args.get("next"))
        return see_other(local_url(target)) if current_account(self._sessions) else _login_page(target, "", None)

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
        is_staff = current_account(self._sessions) is not None
        response = see_other(local_url(target if is_staff or target != urls.STAFF else urls.HOME))
        self._cookies.set(response, token)
        return response

    def show_logout(self) -> Response:
        account = current_reader(self._sessions)
        return staff_response("logout.html", account=account) if account else see_other(local_url(urls.LOGIN))

    def log_out(self) -> Response:
        token = current_token()
        if token:
            self._logins.end(token)
        renew_session(None)
        response = see_other(local_url(urls.LOGIN))
        self._cookies.clear(response)
        return response


def _login_page(target: str, name: str, error: ShanbenError | None) -> Response:
    message = error.in_language(current_language()) if error else None
    response = staff_response("login.html", target=target, name=name, message=message)
    response.status_code = status_of(error) if error else HTTPStatus.OK
    if isinstance(error, LoginLimited):
        response.headers["Retry-After"] = str(error.details["seconds"])
    return response
