"""The factory that `shanben serve` has uvicorn call in each of its processes: it loads the application quickly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from repository.loading import loading

if TYPE_CHECKING:
    from web.asgi import Site


def create() -> Site:
    """Load the composed application, and return it as `web.asgi.create` does."""
    with loading():
        from web.asgi import create as create_site  # noqa: PLC0415 - loaded while the collector is off
    return create_site()
