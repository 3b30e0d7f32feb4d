"""Pages for readers: the start, the works, a work, the reader. All of them show their pictures without JavaScript."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from preservation.replication.status import replication_status_of
from repository import identifiers
from repository.access import Decision, decide
from repository.errors import AccessRefused, NotFound, RequestInvalid, Withdrawn
from repository.identifiers import Kind
from repository.localized import LocalizedText
from repository.model import Page, Rights, Work, WorkState, WorkSummary
from repository.repository import Repository
from repository.work_json import work_to_json
from web.messages.interface import reader_messages
from web.messages.rights import rights_statement
from web.site import view_models
from web.site.language import catalogue_tag, current_language
from web.site.static_files import COPY, READER, Assets
from web.site.urls import base_url, manifest_address

_RECENT: Final = 7
_A_PAGE: Final = 24


@dataclass(frozen=True, slots=True)
class Card:
    """A work in a list with its cover; `picture` is None when it has none that may be shown."""

    summary: WorkSummary
    picture: view_models.Picture | None


class CatalogueQueries:
    """What the pages ask of the repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._catalogue = repository.catalogue

    def newest(self, offset: int, limit: int) -> list[Card]:
        """Published works, the newest first."""
        summaries = self._catalogue.works(offset, limit, newest_first=True)
        return [Card(summary, self._cover(summary)) for summary in summaries]

    def held(self) -> tuple[int, int]:
        """How many works and images."""
        counts = self._catalogue.counts()
        return counts.published, counts.images

    def published(self) -> int:
        """How many works the list pages through."""
        return self._catalogue.published_count()

    def work(self, identifier: str) -> tuple[Work, Decision]:
        """A work and what may be seen of it. Raises `IdentifierInvalid`, `NotFound`, `Withdrawn`."""
        name = identifiers.parse(identifier, Kind.WORK)
        work, state = self._catalogue.work(name), self._catalogue.state(name)
        if work is None or state is None:
            raise NotFound(what=name)
        if state is WorkState.WITHDRAWN:
            raise Withdrawn(what=name)
        return work, decide(work.rights, state)

    def volumes(self, work: Work, decision: Decision) -> list[view_models.VolumeView]:
        """The volumes of a work with the thumbnails of their pages."""
        return view_models.volume_views(work, self._catalogue.pyramids(work.identifier), decision)

    def kept(self, work: Work) -> view_models.Kept | None:
        """In how many places a work is kept; None when there is but one."""
        if not self._repository.replicas:
            return None
        found = replication_status_of(self._repository, work.identifier)
        return view_models.kept(found.held, found.stores, [holding.verified for holding in found.holdings])

    def manifest(self, work: Work) -> str:
        """The public address of a work's manifest."""
        return manifest_address(self._repository.settings, work.identifier)

    def top_collection(self) -> str:
        """The public address of the collection of all works."""
        return f"{base_url(self._repository.settings)}/iiif/presentation/3/collection/top"

    def _cover(self, summary: WorkSummary) -> view_models.Picture | None:
        held = self._catalogue.image(summary.cover) if summary.cover else None
        if held is None:
            return None
        return view_models.thumbnail(held, held.pyramid.tile_size, decide(held.rights, held.state), from_right=True)


def blueprint(repository: Repository, assets: Assets) -> Blueprint:
    """The pages, over what a repository holds."""
    routes = Blueprint("pages", __name__)
    shelf = CatalogueQueries(repository)
    routes.after_request(_for_this_reader)

    @routes.get("/")
    def home() -> str:
        works, images = shelf.held()
        cards = shelf.newest(0, _RECENT)
        featured = cards[0] if len(cards) > 1 else None
        return render_template(
            "home.html",
            featured=featured,
            cards=cards[1:] if featured else cards,
            works=works,
            images=images,
            collection=shelf.top_collection(),
        )

    @routes.get("/works")
    def works() -> str:
        total = shelf.published()
        last = max(1, -(-total // _A_PAGE))
        page = _page_asked(last, "works")
        cards = shelf.newest((page - 1) * _A_PAGE, _A_PAGE)
        numbers = view_models.page_numbers(page, last)
        return render_template("works.html", cards=cards, total=total, page=page, last=last, numbers=numbers)

    @routes.get("/works/<identifier>")
    def work(identifier: str) -> str | AnyResponse:
        held, decision = shelf.work(identifier)
        if held.identifier != identifier:
            return redirect(url_for("pages.work", identifier=held.identifier), 301)
        return _work_page(shelf, assets, held, decision)

    @routes.get("/works/<identifier>/record.json")
    def record(identifier: str) -> Response:
        held, _ = shelf.work(identifier)
        answer = Response(work_to_json(held), content_type="application/json")
        answer.headers["Access-Control-Allow-Origin"] = "*"
        return answer

    @routes.get("/works/<identifier>/read")
    def read(identifier: str) -> str:
        held, decision = shelf.work(identifier)
        if not decision.shows_pixels:
            raise AccessRefused(what=held.identifier)
        return _read_page(shelf, assets, held, decision)

    return routes


def _work_page(shelf: CatalogueQueries, assets: Assets, work: Work, decision: Decision) -> str:
    return render_template(
        "work.html",
        work=work,
        decision=decision,
        lang=catalogue_tag(work.record.language),
        rows=view_models.record_rows(work.record),
        volumes=shelf.volumes(work, decision),
        ranges=view_models.range_views(work),
        rights=_rights(work.rights),
        manifest=shelf.manifest(work),
        kept=shelf.kept(work),
        from_right=view_models.from_right(work),
        script=assets.bundle(COPY),
    )


def _read_page(shelf: CatalogueQueries, assets: Assets, work: Work, decision: Decision) -> str:
    pages = list(work.pages())
    if not pages:
        raise NotFound(what=work.identifier)
    number = _page_asked(len(pages), work.identifier)
    page = pages[number - 1]
    return render_template(
        "read.html",
        work=work,
        lang=catalogue_tag(work.record.language),
        page=page,
        number=number,
        total=len(pages),
        place=_place(work, page, number),
        picture=view_models.fitted(page.images[0], view_models.STILL_SIDE, decision) if page.images else None,
        from_right=view_models.from_right(work),
        manifest=shelf.manifest(work),
        reader_messages=json.dumps(reader_messages(current_language()), ensure_ascii=False),
        script=assets.bundle(READER),
    )


def _place(work: Work, page: Page, number: int) -> str:
    """Where a page stands, outermost first: its volume and its own label."""
    volume = view_models.volume_of(work, number)
    return " · ".join(part for part in (volume.label, page.label) if part)


def _rights(rights: Rights) -> tuple[str, LocalizedText] | None:
    """The rights URI and what it says."""
    return (rights.uri, rights_statement(rights.uri)) if rights.uri else None


def _page_asked(last: int, what: str) -> int:
    """``?page=``, from 1 to `last`. Raises `RequestInvalid` for what is no number, `NotFound` beyond the end."""
    asked = request.args.get("page", "1")
    if not (asked.isascii() and asked.isdecimal() and len(asked) < 10):
        raise RequestInvalid(part="page", reason=asked[:40])
    if not 1 <= int(asked) <= last:
        raise NotFound(what=f"{what} ?page={int(asked)}")
    return int(asked)


def _for_this_reader(answer: Response) -> Response:
    """Pages differ by language: kept by the browser alone, and asked for again."""
    answer = make_response(answer)
    answer.headers["Content-Language"] = current_language().value
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.vary.update(["Accept-Language", "Cookie"])
    return answer
