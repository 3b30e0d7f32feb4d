"""The staff's page ``/status``: what is under way, delayed and failed, with reasons and what to do.

There is no signing in yet, so it is shown to the machine that serves it and to nobody else: the connection comes from
a loopback address, asks for a loopback name (another site's page whose name was made to lead here asks for that name),
and bears no trace of a proxy. Our edge lets those through whom `deploy/edge/site.conf` names. Another proxy that adds
no such trace must keep ``/status`` to itself (docs/commands.md).
"""

from __future__ import annotations

import re
from datetime import UTC
from ipaddress import ip_address, ip_network
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, Request, Response, make_response, render_template, request

from repository.errors import AccessRefused
from repository.handle import Repository
from repository.text import Text
from web import figures
from web.language import current_language
from web.status import MOST_LISTED, StatusReader, progress, remedy
from web.words import WORDS, say

_PATIENCE_SECONDS: Final = 2.0
"""How long a page waits for the store."""

_RENEWED_SECONDS: Final = 5
_TRACES: Final = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")
_OWN_NETWORKS: Final = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
"""Addresses that no provider routes: RFC 1918, RFC 4193."""

_FOLDERS: Final = re.compile(r"(?<![\w:/.])/(?:[^/:：，；。（）()\"'?\n]+/)+(?=[^\s/])")
"""The folders of an absolute path in a sentence, spaces in their names too; what follows is its last part."""


class StaffOnly(AccessRefused):
    """A page for those who run the house, asked for from elsewhere than the machine that serves it."""

    code = "access.staff"
    text = Text(
        "此页只供管理人员在服务器本机查看；其他机器可经 SSH 隧道，或由边缘服务器放行",
        "This page is for staff, on the server itself; from elsewhere use an SSH tunnel, or have the edge admit you",
    )


def blueprint(repository: Repository) -> Blueprint:
    """The page, over the status of a repository."""
    routes = Blueprint("operations", __name__)
    reader = StatusReader(repository)

    @routes.get("/status")
    def status() -> Response:
        if not is_from_here(request):
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
            figures=figures,
            ago=lambda time: figures.distance(time, now).in_language(current_language()),
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


def is_from_here(asked: Request) -> bool:
    """Whether a request was made on this machine, by no other's order."""
    if any(name in asked.headers for name in _TRACES):
        return False
    return _is_loopback(asked.remote_addr or "") and _is_loopback(urlsplit(f"//{asked.host}").hostname or "")


def is_from_inside(asked: Request) -> bool:
    """Whether a request was made by this machine or one of its own network, and by no other's order."""
    return not any(name in asked.headers for name in _TRACES) and is_of_own_network(asked.remote_addr or "")


def without_folders(words: str) -> str:
    """Words with every absolute path in them cut to its last part: where things lie on a server is not for a page."""
    return _FOLDERS.sub("…/", words)


def place_name(store: str) -> str:
    """A store's name for a page: a folder's last part, or bucket and prefix."""
    return store.partition("?")[0] if "://" in store else PurePosixPath(store).name


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_of_own_network(host: str) -> bool:
    """Whether an address is of this machine or of a network that no provider routes to."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or any(address in network for network in _OWN_NETWORKS)


def _kind(kind: str) -> str:
    return say(current_language(), f"kind.{kind}") if f"kind.{kind}" in WORDS else kind
