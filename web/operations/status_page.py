"""The staff page ``/status``: what is in progress, delayed and failed, with reasons and remedies.

An account of any role may see the page. So may the serving machine itself without one: the connection comes from a
loopback address, the Host header is a loopback name (another site's name that resolves to this machine is not), and no
proxy has added a header. The nginx of `deploy/` passes on requests from the networks in `deploy/edge/site.conf` in that
way. Any other proxy that adds no header must block ``/status`` itself (docs/commands.md).
"""

from __future__ import annotations

import re
from datetime import UTC
from typing import Final

from flask import Blueprint, Response, make_response, render_template, request

from repository.localized import LocalizedText
from repository.repository import Repository
from repository.store_label import store_label
from web.accounts.staff import LoginRequired, current_account
from web.messages.interface import MESSAGES, translate
from web.operations import formatting
from web.operations.fixity_status import fixity_key
from web.operations.log_status import key_text, timestamp_text
from web.operations.status import (
    MOST_LISTED,
    StatusReader,
    preserved_key,
    progress_key,
    remedy_key,
    replica_key,
    witness_behind,
    witness_key,
)
from web.site.language import current_language
from web.site.page_headers import set_unkept_headers
from web.trusted_networks import is_local_request

_STORE_TIMEOUT_SECONDS: Final = 2.0
_REFRESH_SECONDS: Final = 5

_FOLDERS: Final = re.compile(r"(?<![\w:/.])/(?:[^/:：，；。（）()\"'?\n]+/)+(?=[^\s/])")
"""The folders of an absolute path within a sentence, spaces included; the path's last part follows the match."""


def blueprint(repository: Repository) -> Blueprint:
    """Return the route of the page."""
    routes = Blueprint("operations", __name__)
    reader = StatusReader(repository)

    @routes.get("/status")
    def status() -> Response:
        if not is_local_request(request) and current_account(repository.account_sessions) is None:
            raise LoginRequired
        now = repository.clock()
        page = render_template(
            "status.html",
            status=reader.read(_STORE_TIMEOUT_SECONDS),
            now=now.astimezone(UTC),
            refresh=0 if request.args.get("renew") == "off" else _REFRESH_SECONDS,
            most=MOST_LISTED,
            remedy_key=remedy_key,
            progress_key=progress_key,
            fixity_key=fixity_key,
            preserved_key=preserved_key,
            replica_key=replica_key,
            witness_key=witness_key,
            witness_behind=witness_behind,
            formatting=formatting,
            relative_time=lambda time: formatting.relative_time(time, now).in_language(current_language()),
            reason_text=_reason_text,
            timestamp_text=lambda shown: _optional(timestamp_text(shown.care, shown.log.size, now)),
            key_text=lambda key: key_text(key, now).in_language(current_language()),
            store_label=store_label,
            kind_name=_kind_name,
        )
        return set_unkept_headers(make_response(page))

    return routes


def _optional(text: LocalizedText | None) -> str:
    return text.in_language(current_language()) if text else ""


def _reason_text(reason: LocalizedText) -> str:
    return without_folders(reason.in_language(current_language()))


def without_folders(text: str) -> str:
    """Cut every absolute path in a text to its last part: a page does not disclose the server's folders."""
    return _FOLDERS.sub("…/", text)


def _kind_name(kind: str) -> str:
    return translate(current_language(), f"kind.{kind}") if f"kind.{kind}" in MESSAGES else kind
