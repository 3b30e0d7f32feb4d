"""The session of a request to an ASGI application beside the pages, as credentials for images.

The access cookie is sent below ``/iiif`` alone, and downloads are elsewhere. Their requests have the session's
own cookie, which Flask reads.
"""

from __future__ import annotations

from flask import Flask
from werkzeug.test import create_environ

from iiif_server.auth.credentials import NO_CREDENTIALS, AccessCookie, AccessKeys, RequestCredentials
from repository.database.accounts import session_reference
from repository.repository import Repository
from web.accounts.cookies import COOKIE
from web.accounts.staff import current_reader, current_token


class SessionCredentials:
    """Reads the session cookies of a repository's accounts. Safe to use from several threads."""

    def __init__(self, app: Flask, repository: Repository) -> None:
        self._app = app
        self._sessions = repository.account_sessions
        self._keys = AccessKeys(repository.accounts.cookie_secret())

    def __call__(self, field: str | None) -> RequestCredentials:
        """Return what the header field ``Cookie`` lets its sender see of images. Raises `DatabaseFault`."""
        if not field or COOKIE not in field:
            return NO_CREDENTIALS
        with self._app.request_context(create_environ(headers={"Cookie": field})):
            token = current_token() if current_reader(self._sessions) else None
        return (
            RequestCredentials(self._keys.cookie(AccessCookie(session_reference(token)))) if token else NO_CREDENTIALS
        )
