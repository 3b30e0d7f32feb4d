"""The staff's page ``/status``: what is under way, delayed and failed, with reasons and what to do.

There is no signing in yet, so it is shown to the machine that serves it and to nobody else: the connection comes from
a loopback address, asks for a loopback name (another site's page whose name was made to lead here asks for that name),
and bears no trace of a proxy. Our edge lets those through whom `deploy/edge/site.conf` names. Another proxy that adds
no such trace must keep ``/status`` to itself (docs/commands.md).
"""

from __future__ import annotations

import re
from datetime import UTC
from pathlib import PurePosixPath
from typing import Final

from flask import Blueprint, Response, make_response, render_template, request

from repository.repository import Repository
from web.messages.interface import MESSAGES, translate
from web.operations import formatting
from web.operations.status import MOST_LISTED, StatusReader, progress, remedy
from web.site.language import current_language
from web.trusted_networks import StaffOnly, is_local_request

_PATIENCE_SECONDS: Final = 2.0
"""How long a page waits for the store."""

_RENEWED_SECONDS: Final = 5

_FOLDERS: Final = re.compile(r"(?<![\w:/.])/(?:[^/:：，；。（）()\"'?\n]+/)+(?=[^\s/])")
"""The folders of an absolute path in a sentence, spaces in their names too; what follows is its last part."""


def blueprint(repository: Repository) -> Blueprint:
    """The page, over the status of a repository."""
    routes = Blueprint("operations", __name__)
    reader = StatusReader(repository)

    @routes.get("/status")
    def status() -> Response:
        if not is_local_request(request):
            raise StaffOnly
        now = repository.clock()
        renewed = 0 if request.args.get("renew") == "off" else _RENEWED_SECONDS
        page = render_template(
            "status.html",
            status=reader.read(_PATIENCE_SECONDS),
            now=now.astimezone(UTC),
            renewed=renewed,
            most=MOST_LISTED,
            remedy=remedy,
            progress=progress,
            formatting=formatting,
            ago=lambda time: formatting.distance(time, now).in_language(current_language()),
            tell=lambda text: without_folders(text.in_language(current_language())),
            place=place_name,
            kind=_kind,
        )
        answer = make_response(page)
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["X-Robots-Tag"] = "noindex"
        answer.headers["Content-Language"] = current_language().value
        return answer

    return routes


def without_folders(words: str) -> str:
    """Words with every absolute path in them cut to its last part: where things lie on a server is not for a page."""
    return _FOLDERS.sub("…/", words)


def place_name(store: str) -> str:
    """A store's name for a page: a folder's last part, or bucket and prefix."""
    return store.partition("?")[0] if "://" in store else PurePosixPath(store).name


def _kind(kind: str) -> str:
    return translate(current_language(), f"kind.{kind}") if f"kind.{kind}" in MESSAGES else kind
