"""OAI-PMH 2.0 over HTTP (section 3.1): the arguments of a query or of a posted form, and an XML response.

An error of the protocol has the status 200, as the protocol wants. A fault of the server is a problem document with 503
and ``Retry-After``.
"""

from __future__ import annotations

from flask import Blueprint, Response, request

from iiif_server.oai.provider import MEDIA_TYPE, OaiProvider
from repository.localized import Language
from repository.repository import Repository
from web.messages.interface import translate
from web.site.urls import base_url


def blueprint(repository: Repository) -> Blueprint:
    """Return the route of the provider, open to everybody."""
    routes = Blueprint("oai", __name__)

    @routes.route("/oai", methods=["GET", "POST"])
    def respond() -> Response:
        settings = repository.settings
        name = settings.provider or translate(Language.CHINESE, "site.name")
        given = request.form if request.method == "POST" else request.args
        document = OaiProvider(repository, base_url(settings), name).respond(list(given.items(multi=True)))
        response = Response(document, content_type=MEDIA_TYPE)
        response.headers["Cache-Control"] = "no-cache"
        return response

    return routes
