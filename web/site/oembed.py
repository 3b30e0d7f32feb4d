"""oEmbed 1.0: what another site needs to show a work of this one, given the address of its page or of its reader.

With the setting `embedders`, the answer is of the type ``rich``: the reader in a frame. Otherwise it is a ``link`` with
a picture. The specification's section 2.3.4 names the members. An answer may not be kept: the work may be withdrawn.
"""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Blueprint, Response, render_template_string, request

from iiif_server.urls import HOME, WORKS, reader_path
from repository.errors import NotFound, RequestInvalid
from repository.localized import Language, LocalizedText
from repository.model.access import Decision
from repository.model.work import Work
from repository.repository import Repository
from repository.whole_numbers import parse_whole_number
from web.messages.interface import translate
from web.site.cors import revalidated
from web.site.pages import CatalogueQueries
from web.site.urls import base_url, public_url

_WIDTH: Final = 800
_HEIGHT: Final = 600
_FRAME: Final = (
    '<iframe src="{{ address }}" width="{{ width }}" height="{{ height }}" title="{{ title }}" allowfullscreen'
    ' loading="lazy" style="border:0"></iframe>'
)
_NOT_OURS: Final = LocalizedText("不是本站著作的网址", "it is not the address of a work of this site")
_LARGEST_SIDE: Final = 999_999
_NO_SIZE: Final = LocalizedText("应为正整数", "it must be a positive integer")


class FormatNotOffered(NotFound):
    """oEmbed in another format than JSON (section 2.3.1: the answer is 501, or here 404)."""

    code = "not-held.oembed-format"
    text = LocalizedText("只提供 JSON 格式的 oEmbed", "oEmbed is offered as JSON only; leave out format={what}")


def blueprint(repository: Repository) -> Blueprint:
    """Return the route of oEmbed."""
    routes = Blueprint("oembed", __name__)
    queries = CatalogueQueries(repository)

    @routes.get("/oembed")
    def oembed() -> Response:
        if (wanted := request.args.get("format", "json")) != "json":
            raise FormatNotOffered(what=wanted)
        work, decision = queries.work(_work_of(request.args.get("url", ""), base_url(repository.settings)))
        answer = _answer(repository, queries, work, decision)
        response = Response(json.dumps(answer, ensure_ascii=False), content_type="application/json")
        return revalidated(response)

    return routes


def _answer(repository: Repository, queries: CatalogueQueries, work: Work, decision: Decision) -> dict[str, Any]:
    settings = repository.settings
    width, height = _side("maxwidth", _WIDTH), _side("maxheight", _HEIGHT)
    provider = settings.provider or translate(Language.CHINESE, "site.name")
    answer: dict[str, Any] = {
        "version": "1.0",
        "type": "link",
        "title": work.record.title,
        "provider_name": provider,
        "provider_url": public_url(settings, HOME),
        "cache_age": 0,
    }
    if work.record.creator:
        answer["author_name"] = "; ".join(work.record.creator)
    if picture := queries.front(work, decision):
        answer |= {
            "thumbnail_url": public_url(settings, picture.path),
            "thumbnail_width": picture.width,
            "thumbnail_height": picture.height,
        }
    if settings.embedders and decision.shows_pixels:
        address = public_url(settings, reader_path(work.identifier))
        frame = render_template_string(_FRAME, address=address, width=width, height=height, title=work.record.title)
        answer |= {"type": "rich", "html": frame, "width": width, "height": height}
    return answer


def _work_of(address: str, base: str) -> str:
    """Return the work that an address of this site names. Raises `RequestInvalid` for any other address."""
    try:
        parts, own = urlsplit(address), urlsplit(base)
    except ValueError as fault:
        raise RequestInvalid(part="url", reason=_NOT_OURS) from fault
    start = f"{own.path}{WORKS}/"
    if (parts.scheme, parts.netloc) != (own.scheme, own.netloc) or not parts.path.startswith(start):
        raise RequestInvalid(part="url", reason=_NOT_OURS)
    return parts.path.removeprefix(start).split("/")[0]


def _side(name: str, usual: int) -> int:
    """Return a side of the frame: at most what the request allows."""
    side = parse_whole_number(request.args.get(name, str(usual)), _LARGEST_SIDE, 1)
    if side is None:
        raise RequestInvalid(part=name, reason=_NO_SIZE)
    return min(usual, side)
