"""Limits of an HTTP connection that uvicorn does not have.

- The head of a request: its size and the time it may take to arrive. uvicorn collects header fields without a bound and
  waits for a first request without a limit.
- Trailer fields of a request body (RFC 9112, section 7.1.2): uvicorn adds them to the header fields without a bound.
  They are ignored here, as RFC 9110 permits, and their size is limited as that of a head.
- A client that stops reading, or reads very slowly: uvicorn would keep its connection, and what was written to it, for
  ever.
- A soft shutdown: uvicorn closes idle connections immediately, which resets those whose request has just been sent.

Parsing and responding remain those of uvicorn's httptools protocol.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES: Final = 32 << 10
"""Bytes of a request line and its header fields together."""

HEAD_SECONDS: Final = 15.0
"""How long a request's head may take to arrive, counted from its first byte or from the connection."""

STALL_SECONDS: Final = 30.0
"""How often a client is checked that keeps a response waiting."""

MIN_BYTES_PER_SECOND: Final = 2 << 10
"""The rate at which such a client must read, averaged over `STALL_SECONDS`, or its connection is aborted."""

_UNSENT_BYTES: Final = 128 << 10
"""What the kernel may hold of a response besides what is on its way (tcp(7), TCP_NOTSENT_LOWAT).

Without this limit it takes megabytes at once, then nothing for long: a slow client would seem to have stopped.
"""

LINGER_SECONDS: Final = 1.0
"""How long an idle connection stays open when the process stops: a request may be on its way."""

_TOO_SLOW: Final = "The request took too long to arrive."
_TOO_LARGE: Final = f"The request line and header fields exceed {MAX_HEAD_BYTES} bytes."


class _HeadTooLargeError(Exception):
    """Ends the parser's work on a head that arrived in one piece and is too large."""


class LimitedHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with these limits."""

    _awaits_head = True
    _head_bytes = 0
    """Bytes received since the head began or ended, or since the last part of a body."""

    _chunk_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None
    _unread = 0
    """Bytes in the write buffer when the client began to be watched, or since the last check."""
    _drained = 0
    """Bytes that the client has read since then."""
    _is_head_too_large = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer for the first head."""
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family in {socket.AF_INET, socket.AF_INET6}:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers."""
        self._stop_head_timer()
        self._stop_stall_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse data. A head that is still incomplete is timed and counted; most arrive whole."""
        self._chunk_bytes = len(data)
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(_TOO_LARGE)
        elif self._awaits_head and self._head_timer is None:
            self._start_head_timer()

    def on_message_begin(self) -> None:
        """Begin to count the head of a request."""
        super().on_message_begin()
        self._awaits_head = True
        self._head_bytes = self._chunk_bytes

    def on_headers_complete(self) -> None:
        """Stop the timer: the head is complete. Begin to respond unless it is too large."""
        self._awaits_head = False
        self._stop_head_timer()
        if self._head_bytes > MAX_HEAD_BYTES and _size(self.url, self.headers) > MAX_HEAD_BYTES:
            self._is_head_too_large = True
            raise _HeadTooLargeError
        self._head_bytes = 0
        super().on_headers_complete()
        self.headers = []  # collects the trailer fields, which nobody reads

    def on_body(self, body: bytes) -> None:
        """Count anew: a body is not limited, but what follows it is."""
        self._head_bytes = 0
        super().on_body(body)

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: the response is that to a request without ``Upgrade``, which any client may send."""

    def send_400_response(self, msg: str) -> None:
        """Refuse a malformed request; say so when it is too large."""
        super().send_400_response(_TOO_LARGE if self._is_head_too_large else msg)
        self._watch()

    def pause_writing(self) -> None:
        """Watch a client that reads too slowly for the application."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Count what the client has read. It is watched until the next check, however often it pauses and resumes."""
        self._count_drained()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Watch the client of a connection that will be closed once the client has read the response."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection; abort it when the client has not even read the last response."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def shutdown(self) -> None:
        """Close the connection after a moment, when the response in progress has ended."""
        self.loop.call_later(LINGER_SECONDS, super().shutdown)

    def _watch(self) -> None:
        """Abort the connection unless the client reads what is in the write buffer fast enough.

        Called while nothing is added to the buffer: the application is paused, or the transport is closing.
        """
        self._unread = self.transport.get_write_buffer_size()
        if self._stall_timer is None and self._unread:
            self._drained = 0
            self._stall_timer = self.loop.call_later(STALL_SECONDS, self._check_rate)

    def _count_drained(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._drained += max(0, self._unread - left)
        self._unread = left

    def _check_rate(self) -> None:
        self._stall_timer = None
        self._count_drained()
        if not self._unread:
            return
        if self._drained < MIN_BYTES_PER_SECOND * STALL_SECONDS:
            self.transport.abort()
        else:
            self._watch()

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._refuse, _TOO_SLOW)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _refuse(self, message: str) -> None:
        self._awaits_head = False
        self._stop_head_timer()
        if not self.transport.is_closing():
            self.send_400_response(message)


def _size(url: bytes, headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Return the bytes of a head, without separators."""
    return len(url) + sum(len(name) + len(value) for name, value in headers)
