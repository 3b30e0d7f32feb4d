"""Texts for programs: annotation pages, plain text and ALTO of pages, all texts of a page as JSON, and a work as TEI.

Open to everybody, as access allows. The JSON, which our reader shows beside the picture, is open to readers who have
logged in as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from flask import Blueprint, Response

from iiif_server.auth.errors import access_refusal
from iiif_server.presentation import version2
from iiif_server.presentation.alto import alto_document
from iiif_server.presentation.page_texts import page_texts
from iiif_server.presentation.published import MEDIA_TYPES
from iiif_server.presentation.text_annotations import annotation_page
from iiif_server.records import tei
from iiif_server.records.context import RecordContext
from repository.errors import NotFound
from repository.localized import LocalizedText
from repository.model.access import NO_PRIVILEGES, Decision, Privileges
from repository.model.text import PageText, TextKind, best_texts
from repository.model.work import Page, Work
from repository.repository import Repository
from repository.texts import texts_of, texts_of_page
from web.site.cors import revalidated
from web.site.held_work import held_work
from web.site.urls import base_url

_NO_SIZE: Final = (1000, 1400)
"""The size of a canvas without a picture."""


class TextNotFound(NotFound):
    """A page of a work that has no text."""

    code = "not-held.text"
    text = LocalizedText("{work} 第 {number} 页没有文本", "Page {number} of {work} has no text")


class WorkWithoutText(NotFound):
    """A work no page of which has a text."""

    code = "not-held.texts"
    text = LocalizedText("{work} 没有录文", "{work} has no text")


def blueprint(repository: Repository, privileges: Callable[[], Privileges] = lambda: NO_PRIVILEGES) -> Blueprint:
    """Return the routes of the texts of works and of pages, which are counted from 1.

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

    @routes.get("/works/<work>/text.tei.xml")
    def whole(work: str) -> Response:
        return _respond(_tei_document(repository, work), f"{tei.MEDIA_TYPE}; charset=utf-8")

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
    found, _ = _readable_work(repository, work, privileges)
    pages = list(found.pages())
    if not 1 <= number <= len(pages):
        raise TextNotFound(work=found.identifier, number=number)
    page = pages[number - 1]
    return found, page, texts_of_page(repository.store, found.identifier, page.key)


def _readable_work(
    repository: Repository, work: str, privileges: Privileges = NO_PRIVILEGES
) -> tuple[Work, Decision]:  # fmt: skip
    """Return a work whose text may be seen, and the decision. Raises as `_page_texts`."""
    found, decision = held_work(repository, work, privileges)
    if not decision.shows_text:
        raise access_refusal(found.identifier, found.rights)
    return found, decision


def _tei_document(repository: Repository, work: str) -> bytes:
    """Return the best texts of all pages of a work in TEI. Raises `WorkWithoutText`, and as `_readable_work`."""
    found, decision = _readable_work(repository, work)
    texts = best_texts(texts_of(repository.store, found.identifier))
    if not texts:
        raise WorkWithoutText(work=found.identifier)
    settings = repository.settings
    return tei.tei_document(found, texts, RecordContext(base_url(settings), settings.provider, decision, ""))


def _best(work: str, number: int, texts: tuple[PageText, ...]) -> PageText:
    """Return the best text that is no translation. Raises `TextNotFound`."""
    for text in texts:
        if text.kind is not TextKind.TRANSLATION:
            return text
    raise TextNotFound(work=work, number=number)


def _respond(body: bytes, media_type: str) -> Response:
    return revalidated(Response(body, content_type=media_type))
