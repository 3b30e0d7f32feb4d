"""Pages for readers: home, the list of works, a work, the reader. All show their pictures without JavaScript."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from iiif_server.auth.errors import access_refusal
from iiif_server.pyramid.grid import TileGrid
from iiif_server.request.limits import ImageLimits
from iiif_server.search.query import OWN_FACETS, Sort
from iiif_server.search.results import SearchResult
from iiif_server.search.service import Search
from iiif_server.urls import collection_path, manifest_path, partner_record_path, reader_path, work_path
from preservation.replication.status import replication_status_of
from repository.database.search_segment import SegmentDamaged
from repository.database.store_registry import PRIMARY
from repository.errors import NotFound, RequestInvalid, StagingFault, StoreFault
from repository.localized import LocalizedText
from repository.model.access import NO_PRIVILEGES, Decision, Privileges, decide
from repository.model.work import Page, Rights, Work, WorkState, WorkSummary
from repository.repository import Repository
from repository.storage.local_copies import CopiesPending, CopyDamaged
from repository.texts import TextsDamaged, pages_with_text
from repository.whole_numbers import parse_whole_number
from web.messages.interface import reader_messages, translate
from web.messages.rights import rights_statement
from web.site import reading, view_models
from web.site.content_state import open_content_state
from web.site.held_work import held_work
from web.site.language import catalogue_tag, current_language
from web.site.page_headers import set_page_headers
from web.site.page_metadata import PageMetadata, page_metadata
from web.site.public_record import public_record
from web.site.search_parameters import SearchParameters, search_parameters
from web.site.static_files import COPY_SCRIPT, READER_SCRIPT, StaticFiles
from web.site.urls import local_url, public_url

_RECENT_WORKS: Final = 7
_WORKS_PER_PAGE: Final = 24
_LARGEST: Final = 999_999_999
_MOST_ELSEWHERE: Final = 20
_MOST_SOUGHT: Final = 200
_NO_NUMBER: Final = LocalizedText("请写 1 至 {last} 之间的数字", "write a number from 1 to {last}")


class PageNotFound(NotFound):
    """A page of a work, or of a list, beyond the last."""

    code = "not-held.page"
    text = LocalizedText(
        "没有第 {number} 页；可看的页次为 1 至 {last}，请在地址中改为其中之一",
        "There is no page {number}; the pages are numbered 1 to {last}: write one of these in the address",
    )


@dataclass(frozen=True, slots=True)
class Card:
    """A work in a list with its cover; `picture` is None when it has none that may be shown."""

    summary: WorkSummary
    picture: view_models.Picture | None

    @property
    def restricted(self) -> bool:
        """Whether the work has images, none of which may be shown."""
        return self.summary.images > 0 and self.picture is None


class CatalogueQueries:
    """The pages' queries of the catalogue, and of replication."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._catalogue = repository.catalogue

    def newest(self, offset: int, limit: int) -> list[Card]:
        """Return published works, the newest first."""
        summaries = self._catalogue.works(offset, limit, newest_first=True)
        return [Card(summary, self._cover(summary)) for summary in summaries]

    def oldest(self, offset: int, limit: int) -> list[Card]:
        """Return published works in the order of accession."""
        return [Card(summary, self._cover(summary)) for summary in self._catalogue.works(offset, limit)]

    def cards(self, works: Sequence[str]) -> list[Card]:
        """Return published works by their identifiers, in their order."""
        summaries = self._repository.search.summaries(works)
        return [Card(summary, self._cover(summary)) for work in works if (summary := summaries.get(work))]

    def holdings(self) -> tuple[int, int]:
        """Return the numbers of published works and of images."""
        counts = self._catalogue.counts()
        return counts.published, counts.images

    def published_count(self) -> int:
        """Return the number of works in the list."""
        return self._catalogue.published_count()

    def work(self, identifier: str, privileges: Privileges = NO_PRIVILEGES) -> tuple[Work, Decision]:
        """Return a work and the decision on access to it.

        Raises `IdentifierInvalid`, `NotFound`, `Withdrawn`, `WorkDeleted`.
        """
        return held_work(self._repository, identifier, privileges)

    def public_decision(self, work: Work) -> Decision:
        """Return the decision on what everybody may see of a work that is not withdrawn."""
        return decide(work.rights, WorkState.PUBLISHED, self._repository.clock())

    def volumes(self, work: Work, decision: Decision) -> list[view_models.VolumeView]:
        """Return the volumes of a work with the thumbnails of their pages."""
        limits = self._limits(decision) if decision.shows_pixels else None
        return view_models.volume_views(work, self._catalogue.pyramids(work.identifier), limits)

    def still(
        self, work: Work, page: Page, decision: Decision, photograph: int = 1
    ) -> view_models.Picture | None:  # fmt: skip
        """Return the reader's picture of a page for browsers without JavaScript; None for a missing leaf.

        `photograph` counts the photographs of the page from 1.
        """
        if not page.images:
            return None
        image = page.images[photograph - 1]
        pyramid = self._catalogue.pyramids(work.identifier)[image.identifier]
        return view_models.still_picture(image, pyramid, self._limits(decision))

    def preservation(self, work: Work) -> view_models.PreservationView | None:
        """Return how a work is preserved; None without replicas."""
        if not self._repository.replicas:
            return None
        status = replication_status_of(self._repository, work.identifier)
        verified = [holding.verified for holding in status.holdings]
        return view_models.preservation_view(status.verified_stores, status.stores, verified)

    def fixity(self, work: Work) -> view_models.WorkFixityView:
        """Return what is known of the stored files of a work."""
        stores = [PRIMARY, *self._repository.replicas]
        found = [each for each in self._repository.fixity.verifications(work.identifier) if each.store in stores]
        return view_models.work_fixity_view(found, self._catalogue.version(work.identifier), len(stores))

    def is_logged(self, work: Work) -> bool:
        """Return whether the log has the events of the work's newest ingest, so that a certificate can be given.

        They are logged together: one of them tells, by one look into an index, however many pages the work has.
        """
        first = next(work.images(), None)
        return first is not None and self._repository.log_sequence.newest_log_index(first.identifier) is not None

    def has_text(self, work: Work, decision: Decision) -> bool:
        """Return whether there is text to show; not while the store is away, without which the rest is shown."""
        try:
            return decision.shows_text and bool(pages_with_text(self._repository.store, work.identifier))
        except (StoreFault, TextsDamaged):
            return False

    def manifest_url(self, work: Work) -> str:
        """Return the public URL of a work's manifest."""
        return public_url(self._repository.settings, manifest_path(work.identifier))

    def reader_url(self, work: Work, number: int) -> str:
        """Return the public URL of the reader at a page of a work."""
        return public_url(self._repository.settings, reader_path(work.identifier, number))

    def front(self, work: Work, decision: Decision) -> view_models.Picture | None:
        """Return the picture of a work's first page that has one; None where access allows none."""
        page = next((page for page in work.pages() if page.images), None)
        return self.still(work, page, decision) if page and decision.shows_pixels else None

    def metadata(self, work: Work, decision: Decision) -> PageMetadata:
        """Return what programs read in the page of a work."""
        settings = self._repository.settings
        site = settings.provider or translate(current_language(), "site.name")
        return page_metadata(work, site, self.front(work, decision), lambda path: public_url(settings, path))

    def elsewhere(self, work: Work) -> list[tuple[str, str, str]]:
        """Return path, title and partner of partners' records that may be of the same work."""
        records = self._repository.harvests.of_work(work.identifier, _MOST_ELSEWHERE)
        sources = {name: self._repository.harvests.source(name) for name in {record.source for record in records}}
        return [
            (partner_record_path(each.source, each.key), each.title, sources[each.source].shown_title)
            for each in records
        ]

    def top_collection_url(self) -> str:
        """Return the public URL of the collection of all works."""
        return public_url(self._repository.settings, collection_path("top"))

    def _cover(self, summary: WorkSummary) -> view_models.Picture | None:
        image = self._catalogue.image(summary.cover) if summary.cover else None
        if image is None:
            return None
        decision = decide(image.rights, image.state, self._repository.clock())
        if not decision.shows_pixels:
            return None
        grid = TileGrid(image.width, image.height, image.pyramid.tile_size)
        return view_models.cover_picture(image.identifier, grid, self._limits(decision), from_right=True)

    def _limits(self, decision: Decision) -> ImageLimits:
        return ImageLimits(self._repository.settings.max_area, decision.max_size)


def blueprint(
    repository: Repository,
    static_files: StaticFiles,
    search: Search,
    privileges: Callable[[], Privileges] = lambda: NO_PRIVILEGES,
) -> Blueprint:
    """Return the routes of the pages. `privileges` gives what the current request may see beyond the public."""
    routes = Blueprint("pages", __name__)
    queries = CatalogueQueries(repository)
    routes.before_request(partial(open_content_state, repository))
    routes.after_request(set_page_headers)

    @routes.get("/")
    def home() -> str:
        works, images = queries.holdings()
        cards = queries.newest(0, _RECENT_WORKS)
        featured = next((card for card in cards if card.picture), None) if len(cards) > 1 else None
        return render_template(
            "home.html",
            featured=featured,
            cards=[card for card in cards if card is not featured],
            works=works,
            images=images,
            collection=queries.top_collection_url(),
        )

    @routes.get("/works")
    def works() -> str:
        return _render_works(queries, search, partners=bool(repository.harvests.sources()))

    @routes.get("/works/<identifier>")
    def work(identifier: str) -> str | AnyResponse:
        found, decision = queries.work(identifier, privileges())
        if found.identifier != identifier:
            return redirect(local_url(work_path(found.identifier)), 301)
        return _render_work(queries, static_files, found, decision)

    @routes.get("/works/<identifier>/record.json")
    def record(identifier: str) -> Response:
        found, decision = queries.work(identifier)
        return Response(public_record(found, decision), content_type="application/json")

    @routes.get("/works/<identifier>/read")
    def read(identifier: str) -> str:
        found, decision = queries.work(identifier, privileges())
        if not decision.shows_pixels:
            raise access_refusal(found.identifier, found.rights)
        return _render_reader(queries, static_files, found, decision)

    return routes


def _render_works(queries: CatalogueQueries, search: Search, *, partners: bool) -> str:
    """Return the list of works: all of them in the order of accession, or those of a search, with facets."""
    parameters = search_parameters(Sort.NEWEST, OWN_FACETS)
    result = _searched(search, parameters)
    total = result.total if parameters.pairs and result else queries.published_count()
    last = max(1, -(-total // _WORKS_PER_PAGE))
    page = requested_page(last)
    offset = (page - 1) * _WORKS_PER_PAGE
    if parameters.pairs and result:
        found = search.search(parameters.query, offset, _WORKS_PER_PAGE, hits=0).works
        cards = queries.cards([each.work.identifier for each in found])
    else:
        cards = queries.newest(offset, _WORKS_PER_PAGE)
    return render_template(
        "works.html",
        cards=cards,
        total=total,
        page=page,
        last=last,
        numbers=view_models.page_numbers(page, last),
        parameters=parameters,
        partners=partners,
        sorts=[sort for sort in Sort if sort is not Sort.RELEVANCE],
        facets={name: result.facets[name] for name in OWN_FACETS if name in result.facets}
        if result and (result.total or parameters.pairs)
        else None,
    )


def _searched(search: Search, parameters: SearchParameters) -> SearchResult | None:
    """Return the count and the facets of a search. Without conditions, the list can do without an index."""
    try:
        return search.search(parameters.query, limit=0, hits=0)
    except (StoreFault, StagingFault, SegmentDamaged, CopyDamaged, CopiesPending):
        if parameters.pairs:
            raise
        return None


def _render_work(queries: CatalogueQueries, static_files: StaticFiles, work: Work, decision: Decision) -> str:
    return render_template(
        "work.html",
        work=work,
        decision=decision,
        public=queries.public_decision(work),
        shows_privately=decision != queries.public_decision(work),
        lang=catalogue_tag(work.record.language),
        rows=view_models.record_rows(work.record),
        condition=view_models.condition_rows(work, current_language()),
        volumes=queries.volumes(work, decision),
        ranges=view_models.range_views(work),
        rights=_rights(work.rights),
        manifest=queries.manifest_url(work),
        metadata=queries.metadata(work, decision),
        elsewhere=queries.elsewhere(work),
        preservation=queries.preservation(work),
        fixity=queries.fixity(work),
        certified=queries.is_logged(work),
        has_text=queries.has_text(work, decision),
        from_right=view_models.reads_from_right(work),
        script=static_files.built_url(COPY_SCRIPT),
    )


def _render_reader(queries: CatalogueQueries, static_files: StaticFiles, work: Work, decision: Decision) -> str:
    pages = list(work.pages())
    if not pages:
        raise NotFound(what=work.identifier)
    number, language = requested_page(len(pages)), current_language()
    page = pages[number - 1]
    order = _requested_place("order", len(reading.sequences(work)), 0)
    photograph = _requested_place("photograph", max(1, len(page.images)), 1)
    return render_template(
        "read.html",
        work=work,
        lang=catalogue_tag(work.record.language),
        page=page,
        number=number,
        total=len(pages),
        label=reading.page_label(page, language),
        turns=reading.turns(work, number, order),
        orders=reading.orders(work, number, order, language),
        photograph=photograph,
        photographs=reading.photographs(page, number, photograph, order, language),
        address=queries.reader_url(work, number),
        location=_location(work, page, number),
        picture=queries.still(work, page, decision, photograph),
        certified=queries.is_logged(work),
        has_text=queries.has_text(work, decision),
        is_searchable=queries.has_text(work, queries.public_decision(work)),
        sought=request.args.get("q", "")[:_MOST_SOUGHT],
        from_right=view_models.reads_from_right(work),
        manifest=queries.manifest_url(work),
        messages=json.dumps(reader_messages(language), ensure_ascii=False),
        script=static_files.built_url(READER_SCRIPT),
    )


def _location(work: Work, page: Page, number: int) -> str:
    """Return the labels of the page's volume and of the page."""
    volume = view_models.volume_of(work, number)
    return " · ".join(label for label in (volume.label, page.label) if label)


def _rights(rights: Rights) -> tuple[str, LocalizedText] | None:
    """Return the rights URI and its statement; None without a URI."""
    return (rights.uri, rights_statement(rights.uri)) if rights.uri else None


def _requested_place(name: str, last: int, first: int) -> int:
    """Return the number of a choice in the query, `first` if it is none of them: the page is shown in any case."""
    number = parse_whole_number(request.args.get(name, ""), last, first)
    return first if number is None else number


def requested_page(last: int) -> int:
    """Return ``?page=``, from 1 to `last`. Raises `RequestInvalid` for what is no number, `PageNotFound` beyond."""
    number = parse_whole_number(request.args.get("page", "1"), _LARGEST)
    if number is None:
        raise RequestInvalid(part="page", reason=_NO_NUMBER.format(last=last))
    if not 1 <= number <= last:
        raise PageNotFound(number=number, last=last)
    return number
