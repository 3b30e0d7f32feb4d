"""The catalogue records of works in the formats of partners, each at an address of its own."""

from __future__ import annotations

from flask import Blueprint, Response

from iiif_server.records import schema_org
from iiif_server.records.context import RecordContext
from iiif_server.records.formats import BY_SUFFIX, JSON_LD, record_document
from iiif_server.urls import work_path
from repository.clock import timestamp
from repository.errors import NotFound
from repository.model.access import Decision
from repository.model.work import Work
from repository.repository import Repository
from web.site.cors import revalidated
from web.site.pages import CatalogueQueries
from web.site.urls import base_url, public_url


def blueprint(repository: Repository) -> Blueprint:
    """Return the route of the records; that of ``record.json`` is in `pages`."""
    routes = Blueprint("records", __name__)
    queries = CatalogueQueries(repository)

    @routes.get("/works/<identifier>/record.<form>")
    def record(identifier: str, form: str) -> Response:
        work, decision = queries.work(identifier)
        if form == JSON_LD:
            return _respond(_json_ld(repository, queries, work, decision), schema_org.MEDIA_TYPE)
        if form not in BY_SUFFIX:
            raise NotFound(what=f"{work.identifier}/record.{form}")
        made, settings = BY_SUFFIX[form], repository.settings
        context = RecordContext(base_url(settings), settings.provider, decision, _changed(repository, work))
        return _respond(record_document(made, work, context), made.media_type)

    return routes


def _json_ld(repository: Repository, queries: CatalogueQueries, work: Work, decision: Decision) -> bytes:
    settings, picture = repository.settings, queries.front(work, decision)
    address = public_url(settings, work_path(work.identifier))
    values = schema_org.schema_org(work, address, public_url(settings, picture.path) if picture else None)
    return schema_org.json_ld(values).encode()


def _changed(repository: Repository, work: Work) -> str:
    """Return the time of the newest activity of a work, or now if the feed has none yet."""
    record = repository.changes.record(work.identifier, with_work=False)
    return record.time if record else timestamp(repository.clock())


def _respond(document: bytes, media_type: str) -> Response:
    return revalidated(Response(document, content_type=media_type))
