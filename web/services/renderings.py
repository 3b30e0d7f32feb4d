"""Renderings of works over HTTP: ``/works/{work}/book.pdf`` and ``/works/{work}/images.zip``, streamed.

An ASGI application, because a file of hundreds of pages is written for minutes: it is sent as fast as it is written and
read, and a client that leaves ends the work. Each request takes one path:

1. **Look up** the work, and decide access, for a reader who has logged in or a partner's token as for images. A PDF
   needs a picture that may be shown; the archive needs open access.
2. **Select** the pages (``pages=1-20``).
3. **Enter**: a process writes at most `WRITERS` files at a time, `_OF_A_CLIENT` of them for one client.
4. **Write** in a thread. Each picture is requested from the image service with the credentials of the request: access,
   protection and the rendering budget of the client apply. When the budget is used up, the file waits for it.

A file that fails after it has begun raises its error, so that the server aborts the connection.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, quote

from iiif_server.asgi_messages import Receive, Scope, Send, header, send_problem
from iiif_server.auth.credentials import NO_CREDENTIALS, RequestCredentials, credentials_of
from iiif_server.auth.errors import access_refusal
from iiif_server.cors import ANY_ORIGIN
from iiif_server.image.responses import ImageCall, ImageResponse
from iiif_server.image.service import ImageService
from iiif_server.page_selection import selected_pages
from iiif_server.problems import problem, stated_language
from iiif_server.render.pool import RenderedStream
from iiif_server.renderings.archive import write_archive
from iiif_server.renderings.book import Book, book_pages
from iiif_server.renderings.book_pdf import write_pdf
from iiif_server.renderings.writing import WrittenFile
from iiif_server.request.limits import ImageLimits
from iiif_server.urls import RenderingPath, work_path
from repository.errors import RenderingBusy, ShanbenError, SystemFault
from repository.localized import LocalizedText
from repository.model.access import AccessVerdict, Privileges
from repository.model.text import best_texts
from repository.repository import Repository
from repository.texts import texts_of
from web.services.written_files import send_written
from web.site.held_work import held_work

WRITERS: Final = 4
"""Files that one process writes at a time."""

_OF_A_CLIENT: Final = 2
_RETRIES: Final = 10
"""How often a picture is requested again because the image service was busy."""

_FORMS: Final = {False: ("application/pdf", "pdf", "inline"), True: ("application/zip", "zip", "attachment")}


SessionReader = Callable[[str | None], RequestCredentials]


class RenderingUnfinished(SystemFault):
    """A picture of a file that has begun cannot be had: its work was withdrawn, or its pyramid is damaged."""

    code = "rendering.unfinished"
    text = LocalizedText(
        "文件未写完：图像 {path} 无法取得（{status}）", "The file was not finished: no picture at {path} ({status})"
    )


@dataclass(frozen=True, slots=True)
class _Rendering:
    """A file that is to be written, its response headers, and the credentials to request its pictures with."""

    book: Book
    is_archive: bool
    headers: Sequence[tuple[bytes, bytes]]
    credentials: RequestCredentials


class RenderingApplication:
    """Serves the renderings of a repository's works, with pictures of the image service.

    `sessions` gives the credentials of the session that the header field ``Cookie`` names; it is called in a thread.
    """

    def __init__(self, repository: Repository, service: ImageService, sessions: SessionReader) -> None:
        self._repository = repository
        self._service = service
        self._sessions = sessions
        self._threads = ThreadPoolExecutor(WRITERS, "rendering")
        self._clients: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send, path: RenderingPath, client: str) -> None:
        """Respond to GET or HEAD; `client` is empty for one without limits."""
        language = stated_language(header(scope, b"accept-language"))
        try:
            credentials = await self._credentials(scope)
            privileges = await self._service.privileges(credentials)
            rendering = await asyncio.to_thread(self._look_up, path, scope, credentials, privileges)
            with self._place(client):
                await self._respond(rendering, client, scope, receive, send)
        except ShanbenError as error:
            if scope.get(_BEGUN):
                raise
            document = problem(error, language)
            await send_problem(send, replace(document, headers=(*document.headers, ANY_ORIGIN)))

    async def _credentials(self, scope: Scope) -> RequestCredentials:
        """Return the token of a partner, or else the session, of a request. Raises `DatabaseFault`."""
        presented = credentials_of(None, header(scope, b"authorization"))
        if presented.partner_token:
            return presented
        cookie = header(scope, b"cookie")
        return await asyncio.to_thread(self._sessions, cookie) if cookie else NO_CREDENTIALS

    def _look_up(
        self, path: RenderingPath, scope: Scope, credentials: RequestCredentials, privileges: Privileges
    ) -> _Rendering:  # fmt: skip
        """Return the rendering that a path names.

        Raises `IdentifierInvalid`, `NotFound`, `Withdrawn`, `WorkDeleted`, `AuthorizationNeeded`, `AccessRefused`,
        `RequestInvalid`, `TextsDamaged`.
        """
        repository, settings = self._repository, self._repository.settings
        work, decision = held_work(repository, path.work, privileges)
        if not decision.shows_pixels or (path.is_archive and decision.verdict is not AccessVerdict.OPEN):
            raise access_refusal(work.identifier, work.rights)
        query = parse_qs(scope["query_string"].decode("latin-1"))  # the router bounds the length of URLs
        numbers = selected_pages(query.get("pages", [""])[0], sum(1 for _ in work.pages()))
        limits = ImageLimits(settings.max_area, decision.max_size)
        pyramids = repository.catalogue.pyramids(work.identifier)
        texts = {} if path.is_archive else best_texts(texts_of(repository.store, work.identifier))
        pages = book_pages(work, numbers, pyramids, limits, texts, whole=path.is_archive)
        address = f"{settings.base_url}{work_path(work.identifier)}" if settings.base_url else ""
        book = Book(work, pages, address, settings.provider)
        return _Rendering(book, path.is_archive, _headers(book, path.is_archive), credentials)

    @contextmanager
    def _place(self, client: str) -> Iterator[None]:
        """Take a place among those who are sent files. Raises `RenderingBusy` when there is none."""
        if self._clients.total() >= WRITERS or (client and self._clients[client] >= _OF_A_CLIENT):
            raise RenderingBusy
        self._clients[client] += 1
        try:
            yield
        finally:
            self._clients[client] -= 1
            self._clients += Counter()  # forgets the clients that have no file any more

    async def _respond(
        self, rendering: _Rendering, client: str, scope: Scope, receive: Receive, send: Send
    ) -> None:  # fmt: skip
        start = {"type": "http.response.start", "status": HTTPStatus.OK, "headers": [*rendering.headers]}
        if scope["method"] == "HEAD":
            await send(start)
            await send({"type": "http.response.body", "body": b""})
            return
        writer = write_archive if rendering.is_archive else write_pdf
        file = WrittenFile(
            partial(writer, rendering.book), partial(self._picture, client, rendering.credentials), self._threads
        )
        scope[_BEGUN] = True
        await send_written(file, start, receive, send)

    async def _picture(self, client: str, credentials: RequestCredentials, path: str) -> bytes:
        """Return the JPEG of an image request. Raises `RenderingUnfinished`."""
        busy = 0
        while True:
            response = await self._service.respond(ImageCall(path, "", client=client, credentials=credentials))
            if response.status == HTTPStatus.OK:
                return await _whole(response)
            busy += response.status == HTTPStatus.SERVICE_UNAVAILABLE
            if response.status not in _TO_BE_REPEATED or busy > _RETRIES:
                raise RenderingUnfinished(path=path, status=response.status)
            await asyncio.sleep(_seconds(response))


_BEGUN: Final = "shanben.begun"
_TO_BE_REPEATED: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


async def _whole(response: ImageResponse) -> bytes:
    """Return the body of a response."""
    if not isinstance(response.body, RenderedStream):
        return bytes(response.body)
    parts = []
    try:
        while (part := await response.body.next_part()) is not None:
            parts.append(part)
    finally:
        await response.body.close()
    return b"".join(parts)


def _seconds(response: ImageResponse) -> float:
    """Return how long a refused request should wait."""
    retry = next((value for name, value in response.headers if name == b"retry-after"), b"1")
    return float(retry) if retry.isdigit() else 1.0


def _headers(book: Book, is_archive: bool) -> Sequence[tuple[bytes, bytes]]:
    """Return the response headers; the name of the file is the title (RFC 6266), or the identifier."""
    media_type, suffix, disposition = _FORMS[is_archive]
    title = quote(f"{book.work.record.title[:100]}.{suffix}", safe="")
    names = f"filename=\"{book.work.identifier}.{suffix}\"; filename*=UTF-8''{title}"
    headers: Mapping[str, str] = {
        "content-type": media_type,
        "content-disposition": f"{disposition}; {names}",
        "cache-control": "no-store",
        "access-control-allow-origin": "*",
        "x-content-type-options": "nosniff",
    }
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
