"""The ASGI application of the image service. It runs on its own: ``uvicorn --factory iiif_server.image.asgi:create``.

The public address in links is `Settings.base_url`, else the scheme and host of the request. ``X-Forwarded-*`` fields do
not change it: behind a proxy, set the base URL.

A response that fails after it has begun raises its error, so that the server aborts the connection: an HTTP client must
not take part of an image for the whole (RFC 9112, section 8).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

from iiif_server.asgi_messages import Message, Receive, Scope, Send, send_problem
from iiif_server.auth.credentials import NO_CREDENTIALS, RequestCredentials, credentials_of
from iiif_server.host_names import HostInvalid, is_host
from iiif_server.image.responses import ImageCall, ImageResponse, refusal
from iiif_server.image.service import ImageService
from iiif_server.metrics import REQUEST_CLASS_KEY, NoMetrics
from iiif_server.problems import problem
from iiif_server.render.pool import RenderedStream
from iiif_server.render.spool import ClientTooSlow
from repository.config import process_settings
from repository.errors import RenderingBusy, ShanbenError
from repository.repository import open_repository

CLIENT_KEY: Final = "shanben.client"
"""The key of the scope that names the client for the rendering budget; without it, the peer's address."""

SEND_SECONDS: Final = 60.0
"""How long a client may take to accept one part of a streamed image before the connection is aborted."""


class ImageApplication:
    """ASGI application over an image service. `base_url` is the public address, '' for that of each request."""

    def __init__(self, service: ImageService, base_url: str = "") -> None:
        self._service = service
        self._base_url = base_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request, or to the events of the server's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._respond(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.to_thread(self._service.close)
        await send({"type": "lifespan.shutdown.complete"})

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        fields = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _FIELDS}
        call = self._call(scope, fields)
        if is_host(fields.get(b"host", "localhost")):
            response = await self._service.respond(call)
        else:
            response = refusal(HostInvalid(), call)
        scope[REQUEST_CLASS_KEY] = response.request_class
        body = response.body
        if isinstance(body, RenderedStream):
            stream = _stream_with_length if scope["http_version"] == "1.0" else _stream
            await stream(response, body, receive, send)
            return
        headers = [*response.headers]
        if response.status not in _WITHOUT_CONTENT and (body or call.method != "HEAD"):
            headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if call.method == "HEAD" else body})

    def _call(self, scope: Scope, fields: Mapping[bytes, str]) -> ImageCall:
        peer = scope.get("client")
        raw: bytes = scope.get("raw_path") or b""
        return ImageCall(
            _with_encoded_slashes(raw) if b"%" in raw else scope["path"],
            self._base_url or _own_address(scope, fields.get(b"host")),
            scope["method"],
            fields.get(b"if-none-match"),
            fields.get(b"accept"),
            fields.get(b"accept-language"),
            scope.get(CLIENT_KEY, peer[0] if peer else ""),
            _credentials(fields),
        )


_WITHOUT_CONTENT: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
"""Statuses whose responses have no ``Content-Length``: 0 would be that of the image (RFC 9110, section 8.6)."""

_FIELDS: Final = frozenset({b"host", b"if-none-match", b"accept", b"accept-language", b"authorization", b"cookie"})


def _credentials(fields: Mapping[bytes, str]) -> RequestCredentials:
    cookie, authorization = fields.get(b"cookie"), fields.get(b"authorization")
    return credentials_of(cookie, authorization) if cookie or authorization else NO_CREDENTIALS


_ENCODED_SLASH: Final = re.compile(rb"%2f", re.IGNORECASE)


def _with_encoded_slashes(raw: bytes) -> str:
    """Return a path decoded except for its encoded slashes, which are data and separate no parts (3.0, section 9)."""
    return unquote(_ENCODED_SLASH.sub(b"%252F", raw).decode("latin-1"))


def create() -> ImageApplication:
    """Return the application for this process's settings."""
    repository = open_repository(process_settings())
    return ImageApplication(ImageService(repository, metrics=NoMetrics()), repository.settings.base_url)


def _own_address(scope: Scope, host: str | None) -> str:
    """Return the address the request was sent to."""
    if host is None:
        server = scope.get("server") or ("localhost", None)
        name = server[0] if server[1] is None else f"{server[0]}:{server[1]}"
    else:
        name = host
    return f"{scope.get('scheme', 'http')}://{name}{scope.get('root_path', '')}"


async def _stream(response: ImageResponse, stream: RenderedStream, receive: Receive, send: Send) -> None:
    """Send an image as it is rendered, until the client disconnects."""
    gone = asyncio.ensure_future(_disconnect(receive))
    try:
        await send({"type": "http.response.start", "status": response.status, "headers": [*response.headers]})
        async for part in _until(gone, stream):
            await send_in_time(send, {"type": "http.response.body", "body": part, "more_body": True})
        if not gone.done():
            await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        await stream.close()


async def _stream_with_length(response: ImageResponse, stream: RenderedStream, receive: Receive, send: Send) -> None:
    """Send an image to an HTTP/1.0 client, which needs the length: there are no chunks (RFC 9112, section 6)."""
    async with AsyncExitStack() as at_end:
        at_end.push_async_callback(stream.close)
        try:
            length = await stream.length()
            if length is None:
                raise RenderingBusy
        except ShanbenError as error:
            await send_problem(send, problem(error, None))
            return
        headers = [*response.headers, (b"content-length", b"%d" % length)]
        await _stream(response._replace(headers=headers), stream, receive, send)


async def _until(gone: asyncio.Future[None], stream: RenderedStream) -> AsyncIterator[bytes]:
    """Yield the parts of a stream until `gone` is done."""
    while not gone.done():
        step: asyncio.Future[bytes | None] = asyncio.ensure_future(stream.next_part())
        await asyncio.wait((step, gone), return_when=asyncio.FIRST_COMPLETED)
        if not step.done():
            step.cancel()
            return
        part = step.result()
        if part is None:
            return
        yield part


async def send_in_time(send: Send, message: Message) -> None:
    """Send one part of a stream. Raises `ClientTooSlow` when the client does not accept it in time."""
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await send(message)
    except TimeoutError as fault:
        raise ClientTooSlow from fault


async def _disconnect(receive: Receive) -> None:
    """Return when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass
