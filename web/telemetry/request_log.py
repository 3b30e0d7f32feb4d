"""ASGI middleware around the whole application: an id and a line in the log for each request, and its metrics.

The id is sent as ``X-Request-Id`` and is the ``request`` member of every problem document, so that the log line of a
problem that a reader quotes can be found. A line is a JSON document::

    {"time": ..., "request": ..., "method": ..., "path": ..., "status": 500, "seconds": 0.012, "lane": ..., "bytes": 1}

Errors (5xx) and slow requests are always logged, at most `MAX_LINES_PER_SECOND` of them; every request is logged when
`Settings.request_log` names a destination. Neither the client's address nor the query is logged. Characters that
control a terminal or reorder text are escaped.

A well-formed id that a peer on a private network sends is adopted: the edge server has logged it too.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import count
from logging.handlers import WatchedFileHandler
from time import monotonic, perf_counter
from typing import Any, Final, Protocol

from iiif_server.asgi_messages import Application, Message, Receive, Scope, Send, header, send_problem
from iiif_server.metrics import REQUEST_CLASS_KEY, RequestClass
from iiif_server.problems import INTERNAL, problem_document, stated_language
from repository.errors import SettingInvalid, ShanbenError
from repository.localized import LocalizedText
from repository.printable import printable
from web.trusted_networks import is_private_address

SLOW_SECONDS: Final[dict[RequestClass, float]] = {"rendered": 10.0, "slow": 60.0}
"""The duration above which a request is logged as slow, by class; `_SLOW_SECONDS` for all other classes."""

MAX_LINES_PER_SECOND: Final = 20

_SLOW_SECONDS: Final = 2.0
_WELL_FORMED: Final = re.compile(rb"[A-Za-z0-9_-]{8,64}")
_PROBLEM: Final = (b"content-type", b"application/problem+json")
_LOG: Final = logging.getLogger("shanben.web")


class RequestMetrics(Protocol):
    """Receives one observation for each request."""

    def observe_request(self, request_class: RequestClass, status: int, seconds: float, bytes_sent: int) -> None:
        """Count a response, `seconds` after its request came in, with `bytes_sent` of body."""


class RequestLog:
    """Identifies, measures and logs every request of `application`. Raises `SettingInvalid` for a bad `destination`.

    `destination` is `Settings.request_log`: '' logs errors and slow requests to standard error, '-' every request to
    standard error, a path every request to that file, which is opened again after it has been moved away (logrotate).

    An exception before the response has started becomes a 500 problem document. After that the response stays
    incomplete, so that the server closes the connection.
    """

    def __init__(self, application: Application, metrics: RequestMetrics, destination: str) -> None:
        self._application = application
        self._observe = metrics.observe_request
        self._logs_all = bool(destination)
        self._lines = _LineWriter(_handler(destination), 0 if destination else MAX_LINES_PER_SECOND)
        self._series = secrets.token_hex(12).encode()
        self._numbers = count(1)
        self._is_private = is_private_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        started = perf_counter()
        response = _Response(send, self._identify(scope))
        try:
            await self._application(scope, receive, response.send)
        except Exception as error:  # noqa: BLE001 - the outermost handler of a request
            # Nothing is unexpected about a domain error midway: a lost pyramid, a slow client.
            if response.is_started and isinstance(error, ShanbenError):
                _LOG.error("应答中断 / a response was broken off: %s: %s", response.request_id, error)
            else:
                _LOG.exception("请求出错 / a request failed: %s", response.request_id)
            if not response.is_started:
                await _send_internal_error(scope, response)
        finally:
            self._finish(scope, response, (response.ended or perf_counter()) - started)

    def _identify(self, scope: Scope) -> bytes:
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                peer = scope.get("client")
                if _WELL_FORMED.fullmatch(value) and peer and self._is_private(peer[0]):
                    return bytes(value)
                break
        return b"%s%08x" % (self._series, next(self._numbers))

    def _finish(self, scope: Scope, response: _Response, seconds: float) -> None:
        request_class: RequestClass = scope.get(REQUEST_CLASS_KEY, "page")
        status = response.status or 500  # nothing was sent: the server closes the connection or sends a bare 500
        self._observe(request_class, status, seconds, response.bytes_sent)
        if self._logs_all or status >= 500 or seconds > SLOW_SECONDS.get(request_class, _SLOW_SECONDS):
            self._lines.write(
                {
                    "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                    "request": response.request_id,
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "seconds": round(seconds, 6),
                    "lane": request_class,
                    "bytes": response.bytes_sent,
                }
            )


class _Response:
    """The response to one request: `send` is what the application sends it with."""

    __slots__ = ("_id", "_problem", "_problem_body", "_send", "bytes_sent", "ended", "is_started", "status")

    def __init__(self, send: Send, request_id: bytes) -> None:
        self._send = send
        self._id = request_id
        self._problem: Message | None = None
        self._problem_body = b""
        self.status = 0
        self.bytes_sent = 0
        self.ended = 0.0
        self.is_started = False

    @property
    def request_id(self) -> str:
        return self._id.decode("ascii")

    async def send(self, message: Message) -> None:
        """Send a message to the server; a problem document is held until it is complete."""
        if message["type"] == "http.response.start":
            headers = message["headers"] = [*message.get("headers", ()), (b"x-request-id", self._id)]
            self.status = message["status"]
            if self.status >= 400 and _PROBLEM in headers:
                self._problem = message
                return
            self.is_started = True
            await self._send(message)
        elif self._problem is not None:
            await self._hold(self._problem, message)
        else:
            await self._send(message)
            self.bytes_sent += len(message.get("body", b""))
            if not message.get("more_body", False):
                self.ended = perf_counter()

    async def _hold(self, start: Message, message: Message) -> None:
        self._problem_body += message.get("body", b"")
        if message.get("more_body", False):
            return
        self._problem = None
        body, start["headers"] = _with_request(self._problem_body, start["headers"], self.request_id)
        self.is_started = True
        await self._send(start)
        await self.send({"type": "http.response.body", "body": body})

    def discard(self) -> None:
        """Forget a problem document that was never completed."""
        self._problem, self._problem_body = None, b""


class _LineWriter:
    """Writes JSON lines to a handler, at most `limit` a second; 0 for no limit."""

    def __init__(self, handler: logging.Handler, limit: int) -> None:
        self._handler = handler
        self._limit = limit
        self._second = 0.0
        self._written = self._left_out = 0

    def write(self, line: dict[str, Any]) -> None:
        """Write a line, or count it as left out; the next line reports that number."""
        if self._limit:
            now = monotonic()
            if now - self._second >= 1.0:
                self._second, self._written = now, 0
            self._written += 1
            if self._written > self._limit:
                self._left_out += 1
                return
            if self._left_out:
                line["left_out"], self._left_out = self._left_out, 0
        text = printable(json.dumps(line, ensure_ascii=False))
        self._handler.handle(logging.LogRecord("shanben.requests", logging.INFO, "", 0, text, None, None))


async def _send_internal_error(scope: Scope, response: _Response) -> None:
    response.discard()
    language = stated_language(header(scope, b"accept-language"))
    problem = problem_document(HTTPStatus.INTERNAL_SERVER_ERROR, "http.500", INTERNAL, language, {})
    await send_problem(response.send, problem)


def _with_request(body: bytes, headers: list[Any], request_id: str) -> tuple[bytes, list[Any]]:
    """Add the ``request`` member, an extension by RFC 9457 section 3.2, to a problem document.

    A response to HEAD has no body: it loses its Content-Length, which would be that of the shorter document.
    """
    others = [(name, value) for name, value in headers if name != b"content-length"]
    if not body:
        return body, others
    extended = json.dumps(json.loads(body) | {"request": request_id}, ensure_ascii=False).encode()
    return extended, [*others, (b"content-length", b"%d" % len(extended))]


def _handler(destination: str) -> logging.Handler:
    """Return where lines are written. Raises `SettingInvalid` for a file that cannot be opened."""
    if destination in {"", "-"}:
        return logging.StreamHandler(sys.stderr)
    try:
        return WatchedFileHandler(destination, encoding="utf-8")
    except OSError as fault:
        reason = LocalizedText(
            f"{destination} 无法写入（{fault.strerror}）；请建立其文件夹，或更改权限",
            f"{destination} cannot be written ({fault.strerror}); create its folder, or change the permissions",
        )
        raise SettingInvalid(name="request_log", reason=reason) from fault
