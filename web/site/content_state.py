"""``?iiif-content=``: opens the reader at the place that a content state of IIIF names.

Content State API 1.0, section 3.1. Only works of this library are opened: the server requests nothing of other hosts,
and neither does the reader.
"""

from __future__ import annotations

import re
from typing import Final

from flask import Blueprint, request
from werkzeug.wrappers import Response as AnyResponse

from iiif_server import urls
from iiif_server.presentation.content_state import PARAMETER, parse_content_state
from repository.errors import CallError, RequestInvalid
from repository.localized import LocalizedText
from repository.repository import Repository
from web.site.urls import base_url, local_url, see_other

_PLACE: Final = re.compile(r"/iiif/presentation/[23]/([a-z0-9]+)/(?:manifest|canvas/([1-9][0-9]{0,8}))")


class ContentElsewhere(CallError):
    """A content state of another library's work."""

    code = "content.elsewhere"
    text = LocalizedText(
        "所指内容不在本馆（{uri}）；请在支持多馆的 IIIF 阅览器（如 Mirador）中打开",
        "What it refers to is not held here ({uri}); open it in a IIIF viewer for several libraries, such as Mirador",
    )


def blueprint(repository: Repository) -> Blueprint:
    """Return the route that opens a content state of any work."""
    routes = Blueprint("content_state", __name__)

    @routes.get(urls.READ)
    def read() -> AnyResponse:
        return opened(repository)

    return routes


def open_content_state(repository: Repository) -> AnyResponse | None:
    """Answer a request for the reader of a work that names a content state; None for other requests."""
    return opened(repository) if request.endpoint == "pages.read" and PARAMETER in request.args else None


def opened(repository: Repository) -> AnyResponse:
    """Redirect to the reader at the place that the request names. Raises `RequestInvalid`, `ContentElsewhere`."""
    text = request.args.get(PARAMETER, "")
    if not text:
        reason = LocalizedText("缺少 iiif-content", "it is missing")
        raise RequestInvalid(part=PARAMETER, reason=reason)
    state = parse_content_state(text)
    places = [place for uri in (state.canvas, state.manifest) if uri and (place := _place(uri, repository))]
    if not places:
        raise ContentElsewhere(uri=(state.canvas or state.manifest or "")[:200])
    work, page = places[0]
    region = f"#xywh={','.join(map(str, state.region))}" if state.region else ""
    return see_other(local_url(urls.reader_path(work, page)) + region)


def _place(uri: str, repository: Repository) -> tuple[str, int | None] | None:
    """Return the work, and the page if one is named, of a URI of this library."""
    bases = {base_url(repository.settings), request.url_root.rstrip("/")}
    path = next((uri.removeprefix(base) for base in bases if uri.startswith(f"{base}/")), "")
    found = _PLACE.fullmatch(path)
    return (found[1], int(found[2]) if found[2] else None) if found else None
