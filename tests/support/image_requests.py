"""Sends requests to an image service without a server, and reads each response to its end."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from werkzeug.datastructures import Headers

from iiif_server.image.responses import ImageCall, ImageResponse
from iiif_server.image.service import ImageService
from iiif_server.render.pool import RenderedStream
from iiif_server.urls import image_service_path

PREFIX = image_service_path("")
"""The start of every path of Image API 3.0."""


@dataclass(frozen=True)
class WholeResponse:
    """A response whose body has been read to its end."""

    status: int
    headers: Headers
    body: bytes


async def read_whole(response: ImageResponse) -> WholeResponse:
    """Read a response to its end."""
    headers = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers])
    if not isinstance(response.body, RenderedStream):
        return WholeResponse(response.status, headers, bytes(response.body))
    parts = []
    while (part := await response.body.next_part()) is not None:
        parts.append(part)
    return WholeResponse(response.status, headers, b"".join(parts))


def respond(service: ImageService, call: ImageCall, runner: asyncio.Runner | None = None) -> WholeResponse:
    """Return the whole response to a call, in an event loop of its own unless `runner` has one."""

    async def both() -> WholeResponse:
        return await read_whole(await service.respond(call))

    if runner:
        return runner.run(both())
    with ThreadPoolExecutor(1) as thread:  # this thread may have an event loop: Playwright's
        return thread.submit(asyncio.run, both()).result()
