"""Public URLs of the request being answered: under the configured base URL, else under the request's own."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request

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


def origin(settings: Settings) -> str:
    """Return the scheme and host of the configured base URL; '' when none is configured."""
    parts = urlsplit(settings.base_url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
