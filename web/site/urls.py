"""Public URLs of the request being answered: under the configured base URL, else under the request's own.

Redirects are never to the address that the request names in ``Host``, which anybody can choose.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit, urlunsplit

from flask import Response, redirect, request

from repository.config import Settings


def base_url(settings: Settings) -> str:
    """Return the public base URL of the application, without a trailing slash."""
    return settings.base_url or request.url_root.rstrip("/")


def public_url(settings: Settings, path: str) -> str:
    """Return the public URL of a path of `iiif_server.urls`."""
    return f"{base_url(settings)}{path}"


def local_url(path: str) -> str:
    """Return the URL of a path of `iiif_server.urls` on this host, below the application's mount point."""
    return f"{request.root_path}{path}"


def see_other(url: str) -> Response:
    """Return a redirect to a URL of this host (RFC 9110, section 15.4.4), which no cache keeps."""
    response = redirect(url, HTTPStatus.SEE_OTHER)
    response.headers["Cache-Control"] = "no-store"
    return response  # type: ignore[return-value]  # flask.redirect is annotated with werkzeug's class


def origin(settings: Settings) -> str:
    """Return the scheme and host of the configured base URL; '' when none is configured."""
    parts = urlsplit(settings.base_url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


class PublicRedirects:
    """Changes every redirect within the site to the configured base URL, or to a path when none is configured."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, response: Response) -> Response:
        """Return the response. A redirect to another host is left as it is."""
        target = response.headers.get("Location")
        if target is None:
            return response
        parts = urlsplit(target)
        if parts.netloc in {"", request.host}:
            path = parts.path.removeprefix(request.root_path)
            # Two slashes or backslashes at the start would begin the name of another host.
            path = "/" + path.lstrip("/\\")
            start = self._settings.base_url or request.root_path
            response.headers["Location"] = start + urlunsplit(("", "", path, parts.query, parts.fragment))
        return response
