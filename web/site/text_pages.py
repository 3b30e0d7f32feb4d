"""The text of a work for people to read and print: as many pages at once as a screen can take, best text first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from flask import Blueprint, render_template

from iiif_server.auth.errors import AuthorizationNeeded
from iiif_server.presentation.text_annotations import text_label
from iiif_server.urls import page_text_path, reader_path
from repository.errors import AccessRefused
from repository.localized import LocalizedText
from repository.model.access import NO_PRIVILEGES, Privileges, can_be_lifted
from repository.model.text import PageText, TextKind
from repository.model.work import Page, Work
from repository.repository import Repository
from repository.texts import pages_with_text, texts_of_page
from web.site.held_work import held_work
from web.site.language import catalogue_tag
from web.site.pages import requested_page, set_page_headers
from web.site.view_models import page_numbers, volume_of

_PAGES: Final = 40
"""Pages of a book that one page of the site shows."""


@dataclass(frozen=True, slots=True)
class TextView:
    """The text of a page: its number from 1, the labels of its volume, if that begins here, and of the page.

    `text` is None without one; `label` says what it is, where that is not the same as on the page before.
    """

    number: int
    volume: str
    page: str
    text: PageText | None
    translations: Sequence[PageText]
    label: LocalizedText | None
    reader: str
    plain: str


def blueprint(
    repository: Repository,
    privileges: Callable[[], Privileges] = lambda: NO_PRIVILEGES,
    is_staff: Callable[[], bool] = lambda: False,
) -> Blueprint:
    """Return the route of the text of a work.

    `privileges` gives what the request may see beyond the public; `is_staff` whether it may correct text.
    """
    routes = Blueprint("text_pages", __name__)
    routes.after_request(set_page_headers)

    @routes.get("/works/<identifier>/text")
    def text(identifier: str) -> str:
        work, decision = held_work(repository, identifier, privileges())
        if not decision.shows_text:
            raise (AuthorizationNeeded if can_be_lifted(work.rights) else AccessRefused)(what=work.identifier)
        last = max(1, -(-sum(1 for _ in work.pages()) // _PAGES))
        part = requested_page(last)
        have_text = pages_with_text(repository.store, work.identifier)
        return render_template(
            "text.html",
            work=work,
            lang=catalogue_tag(work.record.language),
            views=_views(repository, work, part, have_text),
            has_text=bool(have_text),
            is_staff=is_staff(),
            page=part,
            last=last,
            numbers=page_numbers(part, last),
        )

    return routes


def _views(repository: Repository, work: Work, part: int, have_text: Collection[str]) -> list[TextView]:
    """Return the pages of a part, from 1, of a work; `have_text` are the keys of pages with text."""
    views: list[TextView] = []
    volume = None
    numbered = enumerate(work.pages(), start=1)
    for number, page in islice(numbered, (part - 1) * _PAGES, part * _PAGES):
        texts = texts_of_page(repository.store, work.identifier, page.key) if page.key in have_text else ()
        before, volume = volume, volume_of(work, number)
        view = _view(work.identifier, number, page, texts, volume.label if volume is not before else "")
        is_same = bool(views) and _origin(view.text) == _origin(views[-1].text)
        views.append(replace(view, label=None) if is_same else view)
    return views


def _origin(text: PageText | None) -> tuple[object, ...] | None:
    return (text.kind, text.is_corrected, text.source) if text else None


def _view(work: str, number: int, page: Page, texts: Sequence[PageText], volume: str) -> TextView:
    best = next((text for text in texts if text.kind is not TextKind.TRANSLATION), None)
    translations = [text for text in texts if text.kind is TextKind.TRANSLATION]
    label, reader = text_label(best) if best else None, reader_path(work, number)
    return TextView(number, volume, page.label, best, translations, label, reader, page_text_path(work, number, "txt"))
