"""The authorization services of IIIF: access, token, probe, logout.

Authorization Flow 2.0 (https://iiif.io/api/auth/2.0/) and Authentication 1.0 (https://iiif.io/api/auth/1.0/) for older
viewers. A viewer opens the access service in a tab, where its reader logs in or consents; it then gets an access token
from a hidden frame, and asks the probe service with that. Images are opened by the cookie alone.
"""

from __future__ import annotations

import json
import secrets
from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint, Response, request

from iiif_server import urls
from iiif_server.auth.credentials import (
    COOKIE,
    NO_CREDENTIALS,
    AccessCookie,
    AccessToken,
    RequestCredentials,
    credentials_of,
)
from iiif_server.auth.results import (
    FAULTS_OF_VERSION_1,
    TokenFault,
    full_probe_result,
    parse_origin,
    probe_result,
    token_error,
    token_message,
)
from iiif_server.problems import status_of
from repository import identifiers
from repository.errors import DatabaseFault, NotFound, ShanbenError
from repository.identifiers import Kind
from repository.model.access import NO_PRIVILEGES, Privileges, decide
from repository.model.accounts import PRIVILEGES
from repository.repository import Repository
from web.accounts.access_cookie import AccessCookies
from web.accounts.login import LoginLimited, LoginRefused, Logins
from web.accounts.passwords import PasswordsBusy
from web.accounts.staff import current_reader, current_token, renew_session, staff_response
from web.site.language import current_language
from web.site.urls import base_url
from web.trusted_networks import request_address

_PRIVATE: Final = "private, no-store"
_MOST_MESSAGE: Final = 1000
_UNSAFE: Final = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
_NAVIGATION: Final = frozenset({"", "document"})


def blueprint(repository: Repository, logins: Logins, cookies: AccessCookies) -> Blueprint:
    """Return the routes of the services, of both versions."""
    routes = Blueprint("authorization", __name__, url_prefix="/iiif/auth")
    services = _Services(repository, logins, cookies)
    versions = "/<any('1', '2'):version>"
    routes.get(f"{versions}/access/<work>", endpoint="access")(services.show_access)
    routes.post(f"{versions}/access/<work>", endpoint="grant")(services.grant)
    routes.get(f"{versions}/token/<work>", endpoint="token")(services.token)
    routes.get(f"{versions}/logout", endpoint="logout")(services.log_out)
    routes.get("/2/probe/<image>", endpoint="probe")(services.probe)
    return routes


class _Services:
    """The views."""

    def __init__(self, repository: Repository, logins: Logins, cookies: AccessCookies) -> None:
        self._repository = repository
        self._sessions = repository.account_sessions
        self._logins = logins
        self._cookies = cookies

    # The access service

    def show_access(self, version: str, work: str) -> Response:
        """Show the login, or ask a reader who has logged in: only a gesture here lets browsers send the cookie later
        (Authorization Flow 2.0, appendix A).
        """
        identifiers.parse(work, Kind.WORK)
        return self._access_page(version, parse_origin(request.args.get("origin")))

    def grant(self, version: str, work: str) -> Response:
        """Log in, if a name is given, and set the cookie."""
        identifiers.parse(work, Kind.WORK)
        origin = parse_origin(request.form.get("origin"))
        name = request.form.get("name", "")
        if "name" in request.form:
            try:
                token = self._logins.begin(name, request.form.get("password", ""), request_address(request))
            except (LoginRefused, LoginLimited, PasswordsBusy) as error:
                return self._access_page(version, origin, name, error)
            if earlier := current_token():
                self._logins.end(earlier)
            renew_session(token)
        held = current_token() if current_reader(self._sessions) else None
        if held is None:
            return self._access_page(version, origin)
        nonce = secrets.token_urlsafe()
        response = staff_response("auth_done.html", nonce=nonce)
        response.headers["Content-Security-Policy"] = _policy(nonce, "'none'", style=True)
        self._cookies.set(response, held, origin)
        return response

    def _access_page(
        self, version: str, origin: str | None, name: str = "", error: ShanbenError | None = None
    ) -> Response:
        response = staff_response(
            "auth_access.html",
            account=current_reader(self._sessions),
            viewer=origin if origin != self._own_origin() else None,
            origin=origin or "",
            name=name,
            logout=urls.auth_path(int(version), "logout"),
            message=error.in_language(current_language()) if error else None,
            is_insecure=not self._cookies.reaches_other_sites,
        )
        response.status_code = status_of(error) if error else HTTPStatus.OK
        if isinstance(error, LoginLimited):
            response.headers["Retry-After"] = str(error.details["seconds"])
        return response

    def _own_origin(self) -> str | None:
        parts = base_url(self._repository.settings).split("/", 3)
        return parse_origin("/".join(parts[:3]))

    # The token service

    def token(self, version: str, work: str) -> Response:
        """Give a token to a script of the frame's parent; in version 1, without a message's id, to a program."""
        number, message = int(version), request.args.get("messageId", "")[:_MOST_MESSAGE]
        identifier, origin = identifiers.parse(work, Kind.WORK), parse_origin(request.args.get("origin"))
        is_program = number == 1 and "messageId" not in request.args
        found = self._token(identifier, origin, is_program=is_program)
        document = (
            token_error(number, found, message)
            if isinstance(found, TokenFault)
            else token_message(number, found, message)
        )
        if is_program:
            status = FAULTS_OF_VERSION_1[found][1] if isinstance(found, TokenFault) else HTTPStatus.OK
            return _json(document, status)
        return _message_page(document, origin)

    def _token(self, work: str, origin: str | None, *, is_program: bool) -> str | TokenFault:
        """Return a new token for a work, or why there is none."""
        if not is_program and (origin is None or "messageId" not in request.args):
            return TokenFault.REQUEST
        cookie = self._presented()
        if isinstance(cookie, TokenFault):
            return cookie
        if not is_program and origin not in {*cookie.origins, self._own_origin()}:
            return TokenFault.ORIGIN
        return self._cookies.keys.token(AccessToken(cookie.session, work), self._repository.clock().timestamp())

    def _presented(self) -> AccessCookie | TokenFault:
        """Return the cookie of the request, if its session is open, or what is wrong with it."""
        cookie = self._cookies.read()
        if cookie is None:
            return TokenFault.INVALID if COOKIE in request.cookies else TokenFault.MISSING
        try:
            account = self._sessions.account_of(cookie.session)
        except DatabaseFault:
            return TokenFault.UNAVAILABLE
        return cookie if account else TokenFault.EXPIRED

    # The probe service

    def probe(self, image: str) -> Response:
        """Return what a request for an image, or for a tier of it, would get."""
        name, tier = urls.parse_tier(image)
        held = self._repository.catalogue.image(identifiers.parse(name, Kind.IMAGE))
        if held is None or tier not in {"", urls.FULL_TIER}:
            raise NotFound(what=image)
        credentials = credentials_of(None, request.headers.get("Authorization"))
        now, privileges = self._repository.clock(), self._privileges(credentials, held.work)
        public, seen = (decide(held.rights, held.state, now, each) for each in (NO_PRIVILEGES, privileges))
        result = full_probe_result if tier else probe_result
        return _json(result(name, base_url(self._repository.settings), public=public, seen=seen))

    def _privileges(self, credentials: RequestCredentials, work: str) -> Privileges:
        if credentials is NO_CREDENTIALS:
            return NO_PRIVILEGES
        if token := credentials.partner_token:
            partner = self._repository.partner_tokens.find(token)
            return partner.privileges if partner else NO_PRIVILEGES
        read = self._cookies.keys.read_token(credentials.bearer, self._repository.clock().timestamp())
        account = self._sessions.account_of(read.session) if read and read.work == work else None
        return PRIVILEGES[account.role] if account else NO_PRIVILEGES

    # The logout service

    def log_out(self, version: str) -> Response:
        """End the session, as the specification asks of a GET. A page that only holds this address ends nothing."""
        if request.headers.get("Sec-Fetch-Dest", "") not in _NAVIGATION:
            raise NotFound(what=request.path)
        if token := current_token():
            self._logins.end(token)
        if cookie := self._cookies.read():
            self._sessions.end_of(cookie.session)
        renew_session(None)
        response = staff_response("auth_logout.html")
        self._cookies.clear(response)
        return response


def _json(document: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Response:
    response = Response(json.dumps(document, ensure_ascii=False), status, content_type="application/json")
    response.headers["Cache-Control"] = _PRIVATE
    response.headers["Vary"] = "Authorization, Cookie"
    return response


def _message_page(document: dict[str, Any], origin: str | None) -> Response:
    """Return the page that sends a message to the frame's parent, if that has the origin.

    An error without a valid origin, which holds nothing secret, is sent to any.
    """
    nonce = secrets.token_urlsafe()
    message, target = (json.dumps(each, ensure_ascii=False).translate(_UNSAFE) for each in (document, origin or "*"))
    page = (
        '<!doctype html>\n<html lang="zh"><meta charset="utf-8"><title>IIIF</title>\n<body>\n'
        f'<script nonce="{nonce}">\nwindow.parent.postMessage(\n{message},\n{target}\n);\n</script>\n</body></html>\n'
    )
    response = Response(page, content_type="text/html; charset=utf-8")
    response.headers["Cache-Control"] = _PRIVATE
    response.headers["Content-Security-Policy"] = _policy(nonce, origin or "*")
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _policy(nonce: str, ancestors: str, *, style: bool = False) -> str:
    """Return the policy of a page with one script, which pages of `ancestors` may hold in a frame (CSP level 3)."""
    parts = ["default-src 'none'", f"script-src 'nonce-{nonce}'", "base-uri 'none'"]
    if style:
        parts += ["style-src 'self'", "img-src 'self'", "font-src 'self'", "form-action 'self'"]
    return "; ".join([*parts, f"frame-ancestors {ancestors}"])
