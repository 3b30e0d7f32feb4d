"""The feed of changes over HTTP (IIIF Change Discovery 1.0, section 4).

Caches may keep a page that has a successor, because it changes no more. They ask again for all others each time, so
that a withdrawal is seen at once.
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response

from iiif_server.discovery.activities import MEDIA_TYPE, PER_PAGE, Feed
from repository.clock import timestamp
from repository.errors import NotFound
from repository.repository import Repository
from web.site.cors import conditional, revalidated
from web.site.urls import base_url

_COMPLETE: Final = "public, max-age=3600"


def blueprint(repository: Repository) -> Blueprint:
    """Return the routes of the feed, open to everybody."""
    routes = Blueprint("discovery", __name__, url_prefix="/iiif/discovery/1")
    settings = repository.settings

    def feed() -> Feed:
        return Feed(base_url(settings), settings.provider, repository.changes.size())

    @routes.get("/changes")
    def changes() -> Response:
        return revalidated(_response(feed().collection()))

    @routes.get("/changes/page/<int:number>")
    def page(number: int) -> Response:
        found = feed()
        if number > found.last:
            raise NotFound(what=f"changes/page/{number}")
        # Only what the size counts, so that a page and its links are of one moment.
        start, end = number * PER_PAGE, min(found.size, (number + 1) * PER_PAGE)
        activities = repository.changes.activities(start, end)
        response = _response(found.page(number, activities, timestamp(repository.clock())))
        if number == found.last:
            return revalidated(response)
        response.headers["Cache-Control"] = _COMPLETE
        return conditional(response)

    return routes


def _response(document: bytes) -> Response:
    return Response(document, content_type=MEDIA_TYPE)
