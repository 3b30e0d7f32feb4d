"""One connection of a client: HTTP/1.1 as RFC 9112 has it, read by `request_reader.py`, answered by the site behind.

What the site can answer without a thread is answered in the event loop: in the turn in which it was read, or when some
bytes have come from elsewhere. Everything else is done by the WSGI application in a thread of the site's pool, one
request of a connection at a time, the next one waiting; what it gives in parts is sent as it comes, and no faster than
the client takes it.

An answer that fails in the middle is broken off: the connection is closed without the last chunk, so that nobody takes
it for whole (RFC 9112, section 8). A client that takes nothing for too long (`Patience`) is broken off too.

At most, a connection holds what its reader does, `MOST_WAITING` requests that came with one another, and of answers
`_WRITE_AHEAD` bytes and the part or the tile last written.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from struct import Struct
from threading import Event
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, cast

from iiif_server.problems import INTERNAL, Problem, preferred_language, problem_document
from iiif_server.whole_answer import Whole, head_lines
from repository.errors import ShanbenError
from repository.localized import LocalizedText
from web.answering import Answering
from web.http_messages import Bytes, Request, whole
from web.request_reader import TOO_LONG, RequestReader

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

MOST_WAITING: Final = 64
"""Requests that may come before those before them are answered (pipelining)."""

_WRITE_AHEAD: Final = 64 << 10
_FAREWELL_SECONDS: Final = 1.0
_ACKNOWLEDGED: Final = Struct("=120xQ")
"""Linux's tcp_info: bytes_acked (linux/tcp.h)."""

_LOG: Final = logging.getLogger("shanben.web")


class Patience(NamedTuple):
    """Seconds that a request may take to come in, a connection may be kept unused, and a client may take nothing."""

    request: float = 20.0
    unused: float = 75.0
    stall: float = 30.0


PATIENCE: Final = Patience()


class Site(Protocol):
    """What answers the requests of all connections of a process."""

    loop: asyncio.AbstractEventLoop
    pool: ThreadPoolExecutor
    application: WSGIApplication
    always: dict[str, Any]
    """What is the same in the WSGI environment of every request."""
    date: bytes
    """The header line of the time, renewed every second."""
    patience: Patience
    stopping: bool
    connections: set[Connection]

    @property
    def at_once(self) -> Callable[[Request], Whole | Awaitable[Whole | None] | None]:
        """Gives the answer to a request, now or awaited, if it takes no thread; None, now or awaited, when it does."""


class Connection(asyncio.Protocol):
    """The protocol of one connection. Everything but `_work` and what it calls runs in the event loop's thread."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._patience = site.patience
        self._reader = cast(RequestReader, None)
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._client = ""
        self._waiting: deque[Request] = deque()
        self._busy = self._paused = self._lost = self._last = False
        self._taken = Event()
        self._since = site.loop.time()
        self._acknowledged = -1
        self._coming: asyncio.Task[None] | None = None

    # The event loop's calls (asyncio.Protocol)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_WRITE_AHEAD)
        self._client = (transport.get_extra_info("peername") or ("",))[0]
        self._reader = RequestReader(self._client, self._take, self._let_proceed)
        self._site.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        reader = self._reader
        if self._last or reader.fault:
            return
        if not reader.within:
            self._since = self._site.loop.time()
        reader.feed(data)
        if reader.fault and not self._busy and not self._waiting:
            self._refuse(*reader.fault)

    def pause_writing(self) -> None:
        """The client takes its answers slower than they come."""
        self._paused = True
        self._since = self._site.loop.time()
        self._takes_something()

    def resume_writing(self) -> None:
        """It has taken enough of them."""
        self._paused = False
        self._taken.set()
        self._go_on()

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone, whoever closed it."""
        self._lost = True
        self._taken.set()
        self._waiting.clear()
        self._site.connections.discard(self)

    def look_after(self, now: float, closes_idle: bool) -> None:
        """Close what is too slow; and, if `closes_idle`, what waits for nothing. Called every second."""
        age = now - self._since
        if self._paused:
            if age > self._patience.stall:
                self._since = now
                if not self._takes_something():
                    self._transport.abort()
        elif not self._busy and (
            closes_idle or age > (self._patience.request if self._reader.within else self._patience.unused)
        ):
            self._transport.close()

    def abort(self) -> None:
        """Close it now, whatever is on its way."""
        self._transport.abort()

    # The reader's calls

    def _take(self, request: Request) -> None:
        """A request is there, to be answered in its turn."""
        if self._last:
            return
        self._waiting.append(request)
        if len(self._waiting) > MOST_WAITING:
            self._reader.fault = (HTTPStatus.BAD_REQUEST, TOO_LONG)
        self._go_on()

    def _let_proceed(self) -> None:
        """A client waits for leave to send the body of its request."""
        if not self._busy:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    # Answering

    def _go_on(self) -> None:
        """Begin the next request, if it is its turn."""
        while self._waiting and not (self._busy or self._paused or self._lost):
            request = self._waiting.popleft()
            self._busy = True
            try:
                answer = self._site.at_once(request)
                if not isinstance(answer, Whole):
                    self._answer_later(request, answer)
                    return
                keep = self.keeps(request)
                self.deliver(whole(request, answer, self._site.date, keep), keep)
            except Exception:  # noqa: BLE001 - the outermost loop: a defect must not end the others' connections
                _LOG.exception("%s %s", request.method, request.path)
                self.deliver(self._defect(request), keep=False)
        if self._reader.fault and not (self._busy or self._paused or self._last):
            self._refuse(*self._reader.fault)

    def _answer_later(self, request: Request, coming: Awaitable[Whole | None] | None) -> None:
        if coming is None:
            self._site.pool.submit(self._work, request)
        else:
            self._coming = self._site.loop.create_task(self._answer_soon(request, coming))

    async def _answer_soon(self, request: Request, coming: Awaitable[Whole | None]) -> None:
        try:
            answer = await coming
        except Exception:  # noqa: BLE001 - the outermost loop, as above
            _LOG.exception("%s %s", request.method, request.path)
            self.deliver(self._defect(request), keep=False)
            return
        if answer is None:
            self._site.pool.submit(self._work, request)
        else:
            keep = self.keeps(request)
            self._close_answer(whole(request, answer, self._site.date, keep), keep)

    def deliver(self, pieces: Sequence[Bytes], keep: bool) -> None:
        """Send an answer that is there, whole, or the end of one."""
        self._busy = False
        if self._lost:
            return
        self._transport.writelines(pieces)
        self._since = self._site.loop.time()
        if not keep:
            self._last = True
            self._waiting.clear()
            self._transport.close()

    def keeps(self, request: Request) -> bool:
        """Whether the connection outlives the answer to a request."""
        return request.keep_alive and not self._site.stopping

    def _refuse(self, status: HTTPStatus, words: LocalizedText) -> None:
        """Say what is wrong with what came, and close."""
        code, language = f"request.{status.value}", preferred_language(self._reader.headers.get("accept-language"))
        answer = _told(problem_document(status, code, words, language, {}))
        refused = Request("", "", "", self._reader.headers, b"", self._client, is_1_1=True, keep_alive=False)
        self._last = True
        self._waiting.clear()
        self._transport.writelines(whole(refused, answer, self._site.date, keep=False))
        # What it is yet sending is taken and thrown away for a moment: else it might lose the answer with it.
        self._transport.write_eof()
        self._site.loop.call_later(_FAREWELL_SECONDS, self._transport.close)

    def _defect(self, request: Request) -> Sequence[Bytes]:
        """The answer where there ought to be none."""
        language = preferred_language(request.headers.get("accept-language"))
        problem = problem_document(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", INTERNAL, language, {})
        return whole(request, _told(problem), self._site.date, keep=False)

    # In a thread of the pool

    def _work(self, request: Request) -> None:
        """Answer a request by the WSGI application."""
        answering = Answering(request, lambda: self.keeps(request), self._site.date, self.send)
        try:
            pieces = answering.run(self._site.application, self._site.always)
        except _ClientGone:
            return
        except ShanbenError as error:
            _LOG.error("%s: 中途失败，连接已断开 / failed in the middle, broken off: %s", request.path, error)
            self._do(self._transport.abort)
        except Exception:  # noqa: BLE001 - the outermost loop: what is no error of the domain is a defect
            _LOG.exception("%s %s", request.method, request.path)
            if answering.begun:
                self._do(self._transport.abort)
            else:
                self._do(lambda: self.deliver(self._defect(request), keep=False))
        else:
            self._do(lambda: self._close_answer(pieces, answering.kept))

    def _do(self, act: Callable[[], object]) -> None:
        """Have the event loop do something, if it still runs."""
        with suppress(RuntimeError):
            self._site.loop.call_soon_threadsafe(act)

    def send(self, data: bytes) -> None:
        """Send a part of an answer; returns when the client has taken enough for the next. Raises `_ClientGone`."""
        self._taken.clear()
        self._do(lambda: self._write(data))
        while not self._taken.wait(self._patience.stall):
            if not self._takes_something():
                _LOG.warning("%s: 客户端停止接收，已断开 / takes nothing, broken off", self._client)
                self._do(self._transport.abort)
                raise _ClientGone
        if self._lost:
            raise _ClientGone

    # And back in the loop's

    def _close_answer(self, pieces: Sequence[Bytes], keep: bool) -> None:
        self.deliver(pieces, keep)
        self._go_on()

    def _write(self, data: bytes) -> None:
        if not self._lost:
            self._transport.write(data)
        if not self._paused:
            self._taken.set()

    def _takes_something(self) -> bool:
        """Whether the client has acknowledged anything since this was last asked."""
        connection = self._transport.get_extra_info("socket")
        try:
            told = connection.getsockopt(socket.SOL_TCP, socket.TCP_INFO, _ACKNOWLEDGED.size)
        except OSError:
            return False
        (acknowledged,) = _ACKNOWLEDGED.unpack(told)
        before, self._acknowledged = self._acknowledged, acknowledged
        return bool(before != acknowledged)


def _told(problem: Problem) -> Whole:
    return Whole(problem.status, head_lines(problem.status, problem.headers), problem.body)


class _ClientGone(Exception):
    """There is nobody any more to send an answer to."""
