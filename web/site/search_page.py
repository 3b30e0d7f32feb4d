"""``/search``: works and pages that have a text, with the lines on their pictures; and all hits in one work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flask import Blueprint, Response, make_response, render_template, request

from iiif_server import urls
from iiif_server.pyramid.grid import TileGrid
from iiif_server.request.limits import ImageLimits
from iiif_server.search.matching import Hit
from iiif_server.search.query import Sort
from iiif_server.search.results import FoundWork, SearchResult
from iiif_server.search.service import Search
from repository import identifiers
from repository.errors import NotFound, RequestInvalid
from repository.identifiers import Kind
from repository.model.access import Decision, decide
from repository.model.work import HeldImage, WorkSummary
from repository.repository import Repository
from web.site.found_records import found_records
from web.site.language import current_language
from web.site.page_headers import set_unkept_headers
from web.site.partners import permit_pictures
from web.site.search_parameters import FIELDS, SearchParameters, number_parameter, search_parameters
from web.site.search_views import HitView, WorkView, hit_view
from web.site.view_models import Picture, cover_picture, page_numbers

WORKS_A_PAGE: Final = 10
HITS_A_PAGE: Final = 30
_LAST_PAGE: Final = 1000


class SearchViews:
    """Makes what is shown of results; what has been withdrawn meanwhile is left out."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def works(self, found: Iterable[FoundWork]) -> list[WorkView]:
        """Return the works of a result as they are shown."""
        works = list(found)
        summaries = self._repository.search.summaries([each.work.identifier for each in works])
        return [
            self._work(each, summary) for each in works if (summary := summaries.get(each.work.identifier)) is not None
        ]

    def hits(self, work: str, hits: Iterable[Hit]) -> tuple[HitView, ...]:
        """Return the hits in a work as they are shown."""
        images: dict[str, HeldImage | None] = {}
        views = []
        for hit in hits:
            name = hit.page.image
            if name and name not in images:
                images[name] = self._repository.catalogue.image(name)
            image = images.get(name)
            views.append(hit_view(work, hit, image, self._decision(image) if image else None))
        return tuple(views)

    def _work(self, found: FoundWork, summary: WorkSummary) -> WorkView:
        hits = self.hits(summary.identifier, found.hits)
        tier = found.tier.value if found.tier else None
        return WorkView(summary, self.cover(summary), tier, found.in_record, found.blocks > 0, hits)

    def cover(self, summary: WorkSummary) -> Picture | None:
        """Return the picture by which a work is recognised; None where access allows none."""
        image = self._repository.catalogue.image(summary.cover) if summary.cover else None
        if image is None:
            return None
        decision = self._decision(image)
        if not decision.shows_pixels:
            return None
        limits = ImageLimits(self._repository.settings.max_area, decision.max_size)
        grid = TileGrid(image.width, image.height, image.pyramid.tile_size)
        return cover_picture(image.identifier, grid, limits, from_right=True)

    def _decision(self, image: HeldImage) -> Decision:
        return decide(image.rights, image.state, self._repository.clock())


def blueprint(repository: Repository, search: Search) -> Blueprint:
    """Return the route of the page."""
    routes = Blueprint("search", __name__)
    views = SearchViews(repository)

    @routes.get(urls.SEARCH)
    def find() -> Response:
        try:
            parameters, fault = search_parameters(), None
        except RequestInvalid as error:
            return _with_headers(render_template("search.html", fault=error.in_language(current_language())), 400)
        if work := request.args.get("work"):
            return _with_headers(_in_work(repository, search, views, parameters, work))
        if parameters.query.is_empty:
            return _with_headers(render_template("search.html", parameters=parameters, fault=fault))
        page = number_parameter("page", 1, 1, _LAST_PAGE)
        result = search.search(parameters.query, (page - 1) * WORKS_A_PAGE, WORKS_A_PAGE)
        return _with_headers(_results(repository, views, parameters, result, page))

    return routes


def _results(
    repository: Repository, views: SearchViews, parameters: SearchParameters, result: SearchResult, page: int
) -> str:  # fmt: skip
    last = max(1, min(_LAST_PAGE, -(-result.total // WORKS_A_PAGE)))
    for_partners = parameters.query.is_for_partners
    records = found_records(repository, result.works if for_partners else result.partners if page == 1 else ())
    permit_pictures(*(each.source for each in records))
    return render_template(
        "search.html",
        parameters=parameters,
        result=result,
        works=[] if for_partners else views.works(result.works),
        records=records,
        partner_names={source.name: source.shown_title for source in repository.harvests.sources()},
        sorts=list(Sort),
        fields=FIELDS,
        page=page,
        last=last,
        numbers=page_numbers(min(page, last), last),
    )


def _in_work(
    repository: Repository, search: Search, views: SearchViews, parameters: SearchParameters, identifier: str
) -> str:
    """Return the page of all hits in one work. Raises `NotFound`, `IdentifierInvalid`."""
    work = identifiers.parse(identifier, Kind.WORK)
    summary = repository.search.summaries([work]).get(work)
    if summary is None:
        raise NotFound(what=work)
    page = number_parameter("page", 1, 1, _LAST_PAGE)
    found = search.hits_in_work(work, parameters.query.text, (page - 1) * HITS_A_PAGE, HITS_A_PAGE)
    last = max(1, min(_LAST_PAGE, -(-found.total // HITS_A_PAGE)))
    return render_template(
        "search_work.html",
        parameters=parameters,
        summary=summary,
        found=found,
        hits=views.hits(work, found.hits),
        page=page,
        last=last,
        numbers=page_numbers(min(page, last), last),
    )


def _with_headers(page: str, status: int = 200) -> Response:
    """Let nobody store what somebody searched for, and no search engine list results."""
    response = set_unkept_headers(make_response(page, status))
    response.vary.update(["Accept-Language", "Cookie"])
    return response
