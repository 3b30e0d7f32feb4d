"""The text of pages for programs: annotation pages, plain text, ALTO, and all texts of a page as JSON.

Open to everybody, as access allows. The JSON, which our reader shows beside the picture, is open to readers who have
logged in as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from flask import Blueprint, Response

from iiif_server.auth.errors import access_refusal
from iiif_server.presentation import version2
from iiif_server.presentation.alto import alto_document
from iiif_server.presentation.page_texts import page_texts
from iiif_server.presentation.published import MEDIA_TYPES
from iiif_server.presentation.text_annotations import annotation_page
from repository.errors import NotFound
from repository.localized import LocalizedText
from repository.model.access import NO_PRIVILEGES, Privileges
from repository.model.text import PageText, TextKind
from repository.model.work import Page, Work
from repository.repository import Repository
from repository.texts import texts_of_page
from web.site.cors import revalidated
from web.site.held_work import held_work
from web.site.urls import base_url

_NO_SIZE: Final = (1000, 1400)
"""The size of a canvas without a picture."""


class TextNotFound(NotFound):
    """A page of a work that has no text."""

    code = "not-held.text"
    text = LocalizedText("{work} 第 {number} 页没有文本", "Page {number} of {work} has no text")


def blueprint(repository: Repository, privileges: Callable[[], Privileges] = lambda: NO_PRIVILEGES) -> Blueprint:
    """Return the routes of the text of pages, which are counted from 1.

    `privileges` gives what the request may see beyond the public.
    """
    routes = Blueprint("text", __name__)

    def annotations(work: str, number: int, version: int) -> Response:
        found, _, texts = _page_texts(repository, work, number)
        body = annotation_page(found, number, texts, base_url(repository.settings))
        if version == 2:
            body = json.dumps(version2.annotation_list(json.loads(body)), ensure_ascii=False).encode()
        return _respond(body, MEDIA_TYPES[version])

    for version in MEDIA_TYPES:
        routes.add_url_rule(
            f"/iiif/presentation/{version}/<work>/canvas/<int:number>/text",
            f"annotations{version}",
            annotations,
            defaults={"version": version},
        )

    @routes.get("/works/<work>/text/<int:number>.txt")
    def plain(work: str, number: int) -> Response:
        _, _, texts = _page_texts(repository, work, number)
        return _respond(_best(work, number, texts).plain().encode(), "text/plain; charset=utf-8")

    @routes.get("/works/<work>/text/<int:number>.xml")
    def alto(work: str, number: int) -> Response:
        _, page, texts = _page_texts(repository, work, number)
        width, height = (page.images[0].width, page.images[0].height) if page.images else _NO_SIZE
        return _respond(alto_document(_best(work, number, texts), width, height), "application/xml; charset=utf-8")

    @routes.get("/works/<work>/text/<int:number>.json")
    def every(work: str, number: int) -> Response:
        _, page, texts = _page_texts(repository, work, number, privileges())
        return _respond(page_texts(page, texts), "application/json")

    return routes


def _page_texts(
    repository: Repository, work: str, number: int, privileges: Privileges = NO_PRIVILEGES
) -> tuple[Work, Page, tuple[PageText, ...]]:
    """Return a work, its page with this number and its texts, the best first.

    Raises `NotFound`, `Withdrawn`, and `AccessRefused` or `AuthorizationNeeded` if the text may not be seen.
    """
    found, decision = held_work(repository, work, privileges)
    if not decision.shows_text:
        raise access_refusal(found.identifier, found.rights)
    pages = list(found.pages())
    if not 1 <= number <= len(pages):
        raise TextNotFound(work=found.identifier, number=number)
    page = pages[number - 1]
    return found, page, texts_of_page(repository.store, found.identifier, page.key)


def _best(work: str, number: int, texts: tuple[PageText, ...]) -> PageText:
    """Return the best text that is no translation. Raises `TextNotFound`."""
    for text in texts:
        if text.kind is not TextKind.TRANSLATION:
            return text
    raise TextNotFound(work=work, number=number)


def _respond(body: bytes, media_type: str) -> Response:
    response = Response(body, content_type=media_type)
    response.headers["ETag"] = f'"{sha256(body).hexdigest()[:32]}"'
    return revalidated(response)
