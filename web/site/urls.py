"""Public addresses: under the base address that is set, else under the one the request came to."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request

from repository.config import Settings


def base_url(settings: Settings) -> str:
    """The public address of this application, without a slash at its end."""
    return settings.base_url or request.url_root.rstrip("/")


def manifest_address(settings: Settings, work: str) -> str:
    """Where the manifest of a work is published."""
    return f"{base_url(settings)}/iiif/presentation/3/{work}/manifest"


def image_address(path: str) -> str:
    """The address of a picture on this host, from its path below the root of the Image API 3 service."""
    return f"{request.root_path}/iiif/image/3/{path}"


def origin(settings: Settings) -> str:
    """The scheme and host of the base address that is set; '' when none is."""
    parts = urlsplit(settings.base_url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
