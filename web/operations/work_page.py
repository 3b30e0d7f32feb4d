"""The staff page of a work: its versions, events and findings, and the state of its deletion.

Accounts of every role may see it. Deletions are decided by `shanben delete` alone.
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, make_response, render_template

from iiif_server import urls
from repository import identifiers
from repository.identifiers import Kind
from repository.model import Event
from repository.repository import Repository
from repository.store_label import store_label
from web.accounts.staff import current_account, login_redirect
from web.messages.interface import MESSAGES, translate
from web.operations.work_history import work_history
from web.site.language import current_language

MOST_EVENTS: Final = 500
"""The most events that the page lists, the newest of them; the command lists all."""


def blueprint(repository: Repository) -> Blueprint:
    """Return the route of the page."""
    routes = Blueprint("work_history", __name__)

    @routes.get(f"{urls.STAFF}/works/<identifier>")
    def work(identifier: str) -> Response:
        if current_account(repository.account_sessions) is None:
            return login_redirect()
        name = identifiers.parse(identifier, Kind.WORK)
        found = work_history(repository, name)
        held = repository.catalogue.work(name)
        page = render_template(
            "work_history.html",
            identifier=name,
            title=held.record.title if held else name,
            history=found,
            events=list(reversed(found.events))[:MOST_EVENTS],
            event_name=_event_name,
            store_label=store_label,
        )
        response = make_response(page)
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Robots-Tag"] = "noindex"
        response.headers["Content-Language"] = current_language().value
        return response

    return routes


def _event_name(event: Event) -> str:
    key = f"event.{event.type}"
    return translate(current_language(), key) if key in MESSAGES else event.type
