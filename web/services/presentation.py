"""Presentation 3.0 and 2.1 documents over HTTP.

https://iiif.io/api/presentation/3.0/#63-responses and https://iiif.io/api/presentation/2.1/#responses .
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response

from iiif_server.presentation.collections import ALL
from iiif_server.presentation.published import MEDIA_TYPES, PresentationService, PublishedDocument
from repository import identifiers, paths
from repository.errors import KeyNotFound, NotFound, Withdrawn
from repository.identifiers import Kind
from repository.model.access import day_of_withdrawal
from repository.model.work import WorkState
from repository.repository import Repository
from web.services.partner_collections import partner_collection
from web.services.store_state import absent
from web.site.cors import revalidated
from web.site.not_held import not_held
from web.site.urls import base_url

_NAMES: Final = {2: "iiif2", 3: "iiif"}


def blueprint(repository: Repository, version: int) -> Blueprint:
    """Return the routes of manifests and collections in a version of the API, open to everybody.

    A published work whose manifest is missing from the store is unavailable (503), not unknown (404): the store may be
    unmounted, and a harvester deletes what is not found. So is every collection while the store is away.
    """
    routes = Blueprint(_NAMES[version], __name__, url_prefix=f"/iiif/presentation/{version}")
    service = PresentationService(repository.store)

    @routes.get("/<work>/manifest")
    def manifest(work: str) -> Response:
        identifier = identifiers.parse(work, Kind.WORK)
        held = repository.catalogue.access(identifier)
        if held and held.access.state is WorkState.WITHDRAWN:
            raise Withdrawn(what=identifier, when=day_of_withdrawal(held.access))
        try:
            return _respond(service.manifest(identifier, base_url(repository.settings), version), version)
        except NotFound as fault:
            if held:
                raise KeyNotFound(key=paths.manifest(identifier)) from fault
            raise not_held(repository, identifier) from fault

    @routes.get("/collection/<name>")
    def collection(name: str) -> Response:
        try:
            base = base_url(repository.settings)
            partners = partner_collection(repository, name, base, version)
            return _respond(partners or service.collection(name, base, version), version)
        except NotFound as fault:
            if name == ALL.name and repository.catalogue.published_count():
                raise KeyNotFound(key=paths.collection(name)) from fault
            raise absent(repository, name) from fault

    return routes


def _respond(document: PublishedDocument, version: int) -> Response:
    response = Response(document.body, content_type=MEDIA_TYPES[version])
    response.headers["ETag"] = document.etag
    return revalidated(response)
