"""The text of a work for people to read and print: as many pages at once as a screen can take.

The best text of a page is shown; others of the same page can be opened below it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from flask import Blueprint, render_template

from iiif_server.auth.errors import access_refusal
from iiif_server.presentation.text_annotations import text_label
from iiif_server.urls import page_text_path, reader_path
from repository.localized import LocalizedText
from repository.model.access import NO_PRIVILEGES, Privileges, decide
from repository.model.text import PageText, TextKind
from repository.model.work import Page, Work, WorkState
from repository.repository import Repository
from repository.texts import texts_of_pages
from web.site.held_work import held_work
from web.site.language import catalogue_tag
from web.site.page_headers import set_page_headers
from web.site.pages import requested_page
from web.site.view_models import page_numbers, volume_of

_PAGES: Final = 40
"""Pages of a book that one page of the site shows."""


@dataclass(frozen=True, slots=True)
class TextView:
    """The text of a page: its number from 1, the labels of its volume, if that begins here, and of the page.

    `text` is the best one, None without any; `label` says what it is, where that is not the same as on the page before.
    `others` are the texts of the page besides it and its translations.
    """

    number: int
    volume: str
    page: str
    text: PageText | None
    others: Sequence[PageText]
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
            raise access_refusal(work.identifier, work.rights)
        last = max(1, -(-sum(1 for _ in work.pages()) // _PAGES))
        part = requested_page(last)
        shown = list(islice(enumerate(work.pages(), start=1), (part - 1) * _PAGES, part * _PAGES))
        texts = texts_of_pages(repository.store, work.identifier, [page.key for _, page in shown])
        return render_template(
            "text.html",
            work=work,
            lang=catalogue_tag(work.record.language),
            views=_views(work, shown, texts or {}),
            text_label=text_label,
            has_text=texts is not None,
            is_public=decide(work.rights, WorkState.PUBLISHED, repository.clock()).shows_text,
            is_staff=is_staff(),
            page=part,
            last=last,
            numbers=page_numbers(part, last),
        )

    return routes


def _views(
    work: Work, numbered: Sequence[tuple[int, Page]], texts: Mapping[str, Sequence[PageText]]
) -> list[TextView]:  # fmt: skip
    """Return pages of a work that follow each other, by their numbers, with their texts by the keys of pages."""
    views: list[TextView] = []
    volume = None
    for number, page in numbered:
        before, volume = volume, volume_of(work, number)
        view = _view(
            work.identifier, number, page, texts.get(page.key, ()), volume.label if volume is not before else ""
        )
        is_same = bool(views) and _origin(view.text) == _origin(views[-1].text)
        views.append(replace(view, label=None) if is_same else view)
    return views


def _origin(text: PageText | None) -> tuple[object, ...] | None:
    return (text.kind, text.is_corrected, text.source) if text else None


def _view(work: str, number: int, page: Page, texts: Sequence[PageText], volume: str) -> TextView:
    originals = [text for text in texts if text.kind is not TextKind.TRANSLATION]
    best = originals[0] if originals else None
    return TextView(
        number=number,
        volume=volume,
        page=page.label,
        text=best,
        others=originals[1:],
        translations=[text for text in texts if text.kind is TextKind.TRANSLATION],
        label=text_label(best) if best else None,
        reader=reader_path(work, number),
        plain=page_text_path(work, number, "txt"),
    )
