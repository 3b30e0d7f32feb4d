"""``/robots.txt`` and the sitemap for search engines: every published work with its cover (sitemaps.org 0.9).

The sitemap is an index of parts, each of a fixed number of works in the order of accession. A work that is withdrawn is
in none. Restricted works have a page, and no picture.

Caches ask again for a part each time, so that a withdrawn work leaves it at once; robots.txt names no work.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flask import Blueprint, Response
from lxml import etree

from iiif_server import urls
from repository.errors import NotFound
from repository.repository import Repository
from web.site.cors import revalidated
from web.site.pages import CatalogueQueries
from web.site.urls import public_url

WORKS_IN_PART: Final = 1000
"""At most 50,000 are allowed; each costs a query for its cover."""

_SITEMAP: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"
_IMAGE: Final = "http://www.google.com/schemas/sitemap-image/1.1"
_MAX_AGE: Final = "public, max-age=3600"


def blueprint(repository: Repository) -> Blueprint:
    """Return the routes of the sitemap and of robots.txt."""
    routes = Blueprint("sitemap", __name__)
    queries = CatalogueQueries(repository)

    def parts() -> range:
        return range(1, max(1, -(-queries.published_count() // WORKS_IN_PART)) + 1)

    @routes.get("/robots.txt")
    def robots() -> Response:
        closed = (urls.STATUS, urls.STAFF, urls.LOGIN, urls.LOGOUT, urls.PRESERVATION, urls.HEALTH_ROOT)
        written = (urls.book_pdf_path("*"), urls.images_zip_path("*"))  # each for minutes, when it is requested
        lines = ["User-agent: *", *(f"Disallow: {path}" for path in (*closed, *written))]
        lines += ["", f"Sitemap: {public_url(repository.settings, urls.SITEMAP)}"]
        response = Response("\n".join(lines) + "\n", mimetype="text/plain")
        response.headers["Cache-Control"] = _MAX_AGE
        return response

    @routes.get("/sitemap.xml")
    def index() -> Response:
        locations = (public_url(repository.settings, urls.sitemap_part_path(number)) for number in parts())
        return _xml("sitemapindex", "sitemap", ((location, None) for location in locations))

    @routes.get("/sitemap/<int:number>.xml")
    def part(number: int) -> Response:
        if number not in parts():
            raise NotFound(what=f"sitemap/{number}.xml")
        cards = queries.oldest((number - 1) * WORKS_IN_PART, WORKS_IN_PART)
        settings = repository.settings
        return _xml(
            "urlset",
            "url",
            (
                (
                    public_url(settings, urls.work_path(card.summary.identifier)),
                    public_url(settings, card.picture.path) if card.picture else None,
                )
                for card in cards
            ),
        )

    return routes


def _xml(root: str, item: str, entries: Iterable[tuple[str, str | None]]) -> Response:
    """Return a sitemap: the location of each entry, and of its picture if it has one."""
    document = etree.Element(f"{{{_SITEMAP}}}{root}", nsmap={None: _SITEMAP, "image": _IMAGE})
    for location, picture in entries:
        entry = etree.SubElement(document, f"{{{_SITEMAP}}}{item}")
        etree.SubElement(entry, f"{{{_SITEMAP}}}loc").text = location
        if picture:
            image = etree.SubElement(entry, f"{{{_IMAGE}}}image")
            etree.SubElement(image, f"{{{_IMAGE}}}loc").text = picture
    body = etree.tostring(document, xml_declaration=True, encoding="utf-8")
    return revalidated(Response(body, mimetype="application/xml"))
