"""What a page for people says to caches and search engines."""

from __future__ import annotations

from flask import Response

from web.site.language import current_language


def set_page_headers(response: Response) -> Response:
    """Let only the browser cache a page, and revalidate it: pages differ by language and access."""
    response.headers.setdefault("Content-Language", current_language().value)
    response.headers.setdefault("Cache-Control", "private, no-cache")
    response.vary.update(["Accept-Language", "Cookie"])
    return response


def set_unkept_headers(response: Response) -> Response:
    """Let nobody store a page, and no search engine list it."""
    response.headers.setdefault("Content-Language", current_language().value)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    return response
