"""Sends a file while it is written, to a client that must keep reading: PDFs, archives and bags."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic
from typing import Final

from iiif_server.asgi_messages import Message, Receive, Send
from iiif_server.image.asgi import send_in_time
from iiif_server.render.spool import ClientTooSlow
from iiif_server.renderings.writing import WrittenFile

LEAST_RATE: Final = 32 << 10
"""Bytes a second that a client must accept on average: a process writes few files at a time, and others wait."""

PATIENCE_SECONDS: Final = 60.0
"""How long a client may pause in all, besides the time that the least rate allows."""


async def send_written(file: WrittenFile, start: Message, receive: Receive, send: Send) -> None:
    """Send the start of a response and a file, and close it. Ends quietly when the client leaves.

    Only the time that the client takes counts, not that of writing. Raises `ClientTooSlow`, and what writing raises.
    """
    gone = asyncio.ensure_future(_disconnect(receive, file))
    try:
        with suppress(ConnectionAbortedError):  # the client has left
            await send(start)
            await _send_parts(file, send)
    finally:
        gone.cancel()
        await file.close()


async def _send_parts(file: WrittenFile, send: Send) -> None:
    waited, sent = 0.0, 0
    async for part in file.parts():
        began = monotonic()
        await send_in_time(send, {"type": "http.response.body", "body": part, "more_body": True})
        waited += monotonic() - began
        sent += len(part)
        if waited > PATIENCE_SECONDS + sent / LEAST_RATE:
            raise ClientTooSlow
    await send({"type": "http.response.body", "body": b""})


async def _disconnect(receive: Receive, file: WrittenFile) -> None:
    """End the file when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass
    file.end()
