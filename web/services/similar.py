"""``/verify/similar``: finds the pages of works from which a reader's picture was made, as a page and as JSON.

The form works without JavaScript. Programs send the picture as the body of the request, or as the file ``picture`` of a
form, and prefer JSON in ``Accept``. Nothing of a picture is kept, and no request changes anything, so that forms of
other sites need not be refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint, Response, make_response, render_template, request

from iiif_server import urls
from iiif_server.problems import media_weight, status_of
from iiif_server.request.limits import ImageLimits
from iiif_server.request.uploads import UploadTooLarge
from iiif_server.similarity.errors import PictureAbsent, SearchLimited
from iiif_server.similarity.service import SimilarPage, SimilarPages, SimilarPictures
from repository.errors import ShanbenError
from repository.model.access import decide
from repository.model.work import Image, Rectangle, Work
from repository.repository import Repository
from web.site import view_models
from web.site.language import catalogue_tag, current_language
from web.site.page_headers import set_unkept_headers
from web.site.static_files import REDUCE_SCRIPT, StaticFiles
from web.site.urls import public_url
from web.trusted_networks import request_address

MAX_PICTURE_BYTES: Final = 10 << 20
"""The largest request, in bytes: a photograph of a telephone. Browsers that run scripts reduce it before."""

_FIELD: Final = "picture"
_LONG: Final = 2.2
"""The ratio of the sides of the longest picture that is shown whole."""

_PART_SIDE: Final = 1200
_STROKE: Final = 0.006
"""The width of the outline of the matched part, in parts of the longer side."""


@dataclass(frozen=True, slots=True)
class FoundPage:
    """A match as it is shown: the page's number from 1, its picture, and the matched part in pixels of that."""

    match: SimilarPage
    work: Work
    number: int
    label: str
    lang: str
    picture: view_models.Picture
    outline: Rectangle
    stroke: int

    @property
    def percent(self) -> int:
        """The confidence in per cent."""
        return round(100 * self.match.confidence)


def blueprint(repository: Repository, static_files: StaticFiles) -> Blueprint:
    """Return the routes."""
    search = _Search(repository, static_files)
    routes = Blueprint("similar", __name__)
    routes.get(urls.SIMILAR, endpoint="ask")(search.show_form)
    routes.post(urls.SIMILAR, endpoint="find")(search.find)
    return routes


class _Search:
    """The views."""

    def __init__(self, repository: Repository, static_files: StaticFiles) -> None:
        self._repository = repository
        self._static_files = static_files
        self._pictures = SimilarPictures(repository)

    def show_form(self) -> Response:
        return self._page(HTTPStatus.OK)

    def find(self) -> Response:
        request.max_content_length = MAX_PICTURE_BYTES + (64 << 10)
        wants_json = media_weight(request.headers.get("Accept", ""), "text/html") < 1
        try:
            found = self._pictures.find(_picture(), request_address(request))
        except ShanbenError as error:
            if wants_json:
                raise
            return self._page(status_of(error), error=error)
        pages = [page for match in found.matches if (page := self._described(match))]
        return self._document(found, pages) if wants_json else self._page(HTTPStatus.OK, found=found, pages=pages)

    def _described(self, match: SimilarPage) -> FoundPage | None:
        """Return a match as it is shown; None for one of a work that has been withdrawn or changed meanwhile."""
        work, held = self._repository.catalogue.work(match.work), self._repository.catalogue.access(match.work)
        if work is None or held is None:
            return None
        decision = decide(work.rights, held.access.state, self._repository.clock())
        pyramid = self._repository.catalogue.pyramids(match.work).get(match.image)
        place = _place_of(work, match.image)
        if not decision.shows_pixels or place is None or pyramid is None:
            return None
        number, label, image = place
        shown = _surroundings(match.region, image)
        limits = ImageLimits(self._repository.settings.max_area, decision.max_size)
        if (shown.width, shown.height) == (image.width, image.height):
            picture = view_models.still_picture(image, pyramid, limits)
        else:
            picture = view_models.part_picture(
                image.identifier, (image.width, image.height), shown, _PART_SIDE, decision.max_size
            )
        outline = _scaled(match.region, shown, picture.width / shown.width)
        stroke = max(2, round(max(picture.width, picture.height) * _STROKE))
        lang = catalogue_tag(work.record.language)
        return FoundPage(match, work, number, label, lang, picture, outline, stroke)

    def _page(self, status: HTTPStatus, *, error: ShanbenError | None = None, **values: Any) -> Response:
        message = error.in_language(current_language()) if error else None
        script = self._static_files.built_url(REDUCE_SCRIPT)
        page = render_template("similar.html", message=message, script=script, **values)
        return _with_headers(make_response(page, status), error)

    def _document(self, found: SimilarPages, pages: list[FoundPage]) -> Response:
        document = {
            "matches": [self._match(page) for page in pages],
            "searched": found.searched,
            "images": found.total,
        }
        response = Response(json.dumps(document, ensure_ascii=False), content_type="application/json")
        response.headers["Cache-Control"] = "no-store"
        response.vary.update(["Accept"])
        return response

    def _match(self, page: FoundPage) -> dict[str, Any]:
        match, settings = page.match, self._repository.settings
        return {
            "image": match.image,
            "page": page.number,
            "work": match.work,
            "confidence": match.confidence,
            "region": match.region.xywh,
            "title": page.work.record.title,
            "label": page.label,
            "reader": public_url(settings, urls.reader_path(match.work, page.number)),
            "service": public_url(settings, urls.image_service_path(match.image)),
        }


def _picture() -> bytes:
    """Return the uploaded file. Raises `PictureAbsent`, `UploadTooLarge`."""
    if (request.content_length or 0) > MAX_PICTURE_BYTES:
        raise UploadTooLarge(megabytes=MAX_PICTURE_BYTES >> 20)
    if request.mimetype == "multipart/form-data":
        file = request.files.get(_FIELD)
        data = file.read() if file else b""
    else:
        data = request.get_data(cache=False)
    if not data:
        raise PictureAbsent
    return data


def _place_of(work: Work, identifier: str) -> tuple[int, str, Image] | None:
    """Return the number, the label and the image of the first page with an image."""
    for number, page in enumerate(work.pages(), start=1):
        for image in page.images:
            if image.identifier == identifier:
                return number, page.label, image
    return None


def _surroundings(region: Rectangle, image: Image) -> Rectangle:
    """Return the part of an image that shows a region in its place: the whole, or a part of a picture that is long."""
    if max(image.width, image.height) <= _LONG * min(image.width, image.height):
        return Rectangle(0, 0, image.width, image.height)
    side = min(image.width, image.height)
    width = min(image.width, max(round(_LONG * side), 2 * region.width))
    height = min(image.height, max(round(_LONG * side), 2 * region.height))
    x = min(max(0, region.x + region.width // 2 - width // 2), image.width - width)
    y = min(max(0, region.y + region.height // 2 - height // 2), image.height - height)
    return Rectangle(x, y, width, height)


def _scaled(region: Rectangle, shown: Rectangle, scale: float) -> Rectangle:
    """Return a region in the pixels of the picture that shows a part of its image."""
    sides = (region.x - shown.x, region.y - shown.y, region.width, region.height)
    return Rectangle(*(round(side * scale) for side in sides))


def _with_headers(response: Response, error: ShanbenError | None) -> Response:
    """Let nobody store a page of what somebody searched for."""
    set_unkept_headers(response)
    response.vary.update(["Accept", "Accept-Language", "Cookie"])
    if isinstance(error, SearchLimited):
        response.headers["Retry-After"] = str(error.details["seconds"])
    return response
