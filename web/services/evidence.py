"""Evidence over HTTP: of an image, a work or a version, for anybody to download and to verify without the library."""

from __future__ import annotations

import io
from threading import BoundedSemaphore
from typing import Final

from flask import Blueprint, Response, request

from iiif_server.urls import LOG_ROOT
from preservation.log.archive import ARCHIVE_ENTRIES, write_archive
from preservation.log.notes import parse_number
from preservation.log.subject import Subject, evidence_of, parse_subject
from repository.errors import RequestInvalid, SystemFault
from repository.localized import LocalizedText
from repository.repository import Repository
from web.site.concurrency import hold_place
from web.site.cors import conditional

_ARCHIVES: Final = 2
"""Archives that one process makes at a time: each reads up to a thousand entries and is held in memory."""


class ArchiveBusy(SystemFault):
    """Too many archives of evidence are being made."""

    code = "log.archives-busy"
    transient = True
    text = LocalizedText("正在生成其他证据包；请稍后重试", "Other archives of evidence are being made; try again soon")


def blueprint(repository: Repository) -> Blueprint:
    """Return the routes of evidence files and archives, open to everybody: the log is public."""
    routes = Blueprint("evidence", __name__, url_prefix=LOG_ROOT)
    writing = BoundedSemaphore(_ARCHIVES)

    @routes.get("/proof/<identifier>")
    def proof(identifier: str) -> Response:
        subject = _subject(identifier)
        content = evidence_of(repository, subject)
        return _respond(content, "text/plain; charset=utf-8", f'inline; filename="{subject.name}.tlog-proof"')

    @routes.get("/evidence/<identifier>.zip")
    def archive(identifier: str) -> Response:
        subject, after = _subject(identifier), _number("after")
        file = io.BytesIO()
        with hold_place(writing, ArchiveBusy()):
            write_archive(repository, subject, file, after=-1 if after is None else after, limit=ARCHIVE_ENTRIES)
        return _respond(file.getvalue(), "application/zip", f'attachment; filename="evidence-{subject.name}.zip"')

    return routes


def _subject(identifier: str) -> Subject:
    return parse_subject(identifier, _number("version"))


def _number(name: str) -> int | None:
    """Return a whole number of the query, None without one. Raises `RequestInvalid`."""
    value = request.args.get(name)
    number = parse_number(value) if value is not None else None
    if value is not None and number is None:
        raise RequestInvalid(part=name, reason=LocalizedText("应为非负整数", "it must be a whole number"))
    return number


def _respond(body: bytes, content_type: str, disposition: str) -> Response:
    response = Response(body, content_type=content_type)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Content-Disposition"] = disposition
    return conditional(response)
