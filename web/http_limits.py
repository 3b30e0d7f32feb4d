"""Limits of an HTTP connection that uvicorn does not have: the size of a request's head, its time, a soft shutdown.

uvicorn's httptools protocol collects header fields without a bound, waits for a first request without a limit, and on
shutdown closes idle connections immediately, which resets those whose request has just been sent. This subclass counts
the bytes of each head, times it, and lets idle connections linger. Parsing and responding remain uvicorn's.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES: Final = 32 << 10
"""Bytes of a request line and its header fields together."""

HEAD_SECONDS: Final = 15.0
"""How long a request's head may take to arrive, counted from its first byte or from the connection."""

LINGER_SECONDS: Final = 1.0
"""How long an idle connection stays open when the process stops: a request may be on its way."""


class LimitedHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with limits for the head of a request."""

    _awaits_head = True
    _head_bytes = 0
    _chunk_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer for the first head."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse data. A head that is still incomplete is timed and counted; most arrive whole."""
        self._chunk_bytes = len(data)
        self._head_bytes += len(data)
        super().data_received(data)
        if self._awaits_head:
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(f"The request line and header fields exceed {MAX_HEAD_BYTES} bytes.")
            elif self._head_timer is None:
                self._start_timer()

    def on_message_begin(self) -> None:
        """Begin to count the head of a request."""
        super().on_message_begin()
        self._awaits_head = True
        self._head_bytes = self._chunk_bytes

    def on_headers_complete(self) -> None:
        """Stop the timer: the head is complete."""
        self._awaits_head = False
        self._stop_timer()
        super().on_headers_complete()

    def shutdown(self) -> None:
        """Close the connection after a moment, when the response in progress has ended."""
        self.loop.call_later(LINGER_SECONDS, super().shutdown)

    def _start_timer(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._refuse, "The request took too long to arrive.")

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, message: str) -> None:
        self._awaits_head = False
        self._stop_timer()
        if not self.transport.is_closing():
            self.send_400_response(message)
