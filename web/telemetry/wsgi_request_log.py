"""Every request gets an id, which its answer bears (``X-Request-Id``) and, if it fails, its problem document tells.

So what a reader quotes is found in the log: a JSON document a line, with the lane that the request took::

    {"time": ..., "request": ..., "method": ..., "path": ..., "status": 500, "seconds": 0.012, "lane": ..., "bytes": 1}

Errors (5xx) and requests that took strangely long are always written, at most `MOST_A_SECOND`; the others when
`Settings.request_log` says where to, for nginx writes a log of its own. No client's address and no query is written.

An id that comes with the request is taken over when it is well formed and its sender stands in our own network: the
edge logs it too.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count
from logging.handlers import WatchedFileHandler
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any, Final

from iiif_server.metrics import Observations, RequestClass
from iiif_server.whole_answer import Whole
from web.http_messages import Request
from web.trusted_networks import is_private_address

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REQUEST: Final = "shanben.request"
"""The key of the WSGI environment under which a request's id stands."""

SLOW_SECONDS: Final[dict[RequestClass, float]] = {"rendered": 10.0, "slow": 60.0}
"""What is strangely long, by lane; in all others it is `_SLOW_SECONDS`."""

MOST_A_SECOND: Final = 20
_SLOW_SECONDS: Final = 2.0
_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
_PROBLEM: Final = ("Content-Type", "application/problem+json")
_KNOWN_PEERS: Final = 1024

Headers = list[tuple[str, str]]
_Asked = tuple[str, str, str]
"""The method and path asked for, and the id of the request."""


class WsgiRequestLog:
    """WSGI: stands before the whole application, observes every request, and writes the log.

    `destination` is `Settings.request_log`: '' for errors and slow requests on standard error, '-' for all requests
    there, else the path of a file for all of them. A file that was moved away is begun anew (logrotate).
    """

    def __init__(self, application: WSGIApplication, observations: Observations, destination: str) -> None:
        self._application = application
        self._observations = observations
        self._all = bool(destination)
        self._handler = _handler(destination)
        self._series = secrets.token_hex(12)
        self._numbers = count(1)
        self._is_ours = lru_cache(_KNOWN_PEERS)(is_private_address)
        self._second = 0.0
        self._written = self._left_out = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """One request (PEP 3333). The application begins its answer before it returns, and never uses `write`."""
        began = perf_counter()
        client = environ.get("REMOTE_ADDR", "")
        environ[REQUEST] = request = self._identify(environ.get("HTTP_X_REQUEST_ID"), client)
        asked = environ["REQUEST_METHOD"], environ["PATH_INFO"], request
        answer = _Answer()
        try:
            body = self._application(environ, answer)
        finally:
            lane = self._observations.lane_taken() or "page"
            if not answer.status:  # a defect, which the server answers with a bare 500
                self._end(asked, 500, lane, began, 0)
        status, headers = int(answer.status[:3]), answer.headers
        if status >= 400 and _PROBLEM in headers:
            body, headers = _with_request(body, headers, request)
        start_response(answer.status, [*headers, ("X-Request-Id", request)])
        if type(body) is list:
            self._end(asked, status, lane, began, len(body[0]) if len(body) == 1 else sum(map(len, body)))
            return body
        return _Stream(body, lambda sent: self._end(asked, status, lane, began, sent))

    def answered(self, request: Request, answer: Whole, lane: RequestClass, began: float) -> bytes:
        """A request that never came here was answered in this thread; the header line of its id."""
        name = self._identify(request.headers.get("x-request-id"), request.client)
        seconds, status, sent = perf_counter() - began, answer.status, len(answer.body)
        self._observations.observed(lane, status, seconds, sent)
        if self._all or seconds > _SLOW_SECONDS:
            self._write((request.method, request.path, name), status, lane, seconds, sent)
        return f"X-Request-Id: {name}\r\n".encode()

    def _identify(self, given: str | None, client: str) -> str:
        if given and _WELL_FORMED.fullmatch(given) and self._is_ours(client):
            return given
        return f"{self._series}{next(self._numbers):08x}"

    def _end(self, asked: _Asked, status: int, lane: RequestClass, began: float, sent: int) -> None:
        seconds = perf_counter() - began
        self._observations.observed(lane, status, seconds, sent)
        if self._all or status >= 500 or seconds > SLOW_SECONDS.get(lane, _SLOW_SECONDS):
            self._write(asked, status, lane, seconds, sent)

    def _write(self, asked: _Asked, status: int, lane: RequestClass, seconds: float, sent: int) -> None:
        method, path, request = asked
        line: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request": request,
            "method": method,
            "path": path,
            "status": status,
            "seconds": round(seconds, 6),
            "lane": lane,
            "bytes": sent,
        }
        if not self._all:
            now = monotonic()
            if now - self._second >= 1.0:
                self._second, self._written = now, 0
            self._written += 1
            if self._written > MOST_A_SECOND:
                self._left_out += 1
                return
            if self._left_out:
                line["left_out"], self._left_out = self._left_out, 0
        self._handler.handle(_record(json.dumps(line, ensure_ascii=False)))


class _Answer:
    """What the application says before its body: PEP 3333's ``start_response``."""

    __slots__ = ("headers", "status")

    def __init__(self) -> None:
        self.status = ""
        self.headers: Headers = []

    def __call__(self, status: str, headers: Headers, exc_info: object = None, /) -> Callable[[bytes], object]:
        self.status, self.headers = status, headers
        return _refuse_to_write


class _Stream:
    """A body that is not there yet; `ended` is told how many bytes of it were taken."""

    def __init__(self, body: Iterable[bytes], ended: Callable[[int], None]) -> None:
        self._body = body
        self._parts = iter(body)
        self._ended: Callable[[int], None] | None = ended
        self._sent = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        part = next(self._parts)
        self._sent += len(part)
        return part

    def close(self) -> None:
        """The server has sent all of it, or has given it up."""
        _close(self._body)
        if self._ended:
            ended, self._ended = self._ended, None
            ended(self._sent)


def _with_request(body: Iterable[bytes], headers: Headers, request: str) -> tuple[list[bytes], Headers]:
    """A problem document (RFC 9457, section 3.2) with a member of ours that names the request."""
    try:
        document = b"".join(body)
    finally:
        _close(body)
    if not document:  # a HEAD
        return [document], headers
    told = json.dumps(json.loads(document) | {"request": request}, ensure_ascii=False).encode()
    others = [(name, value) for name, value in headers if name.lower() != "content-length"]
    return [told], [*others, ("Content-Length", str(len(told)))]


def _close(body: Iterable[bytes]) -> None:
    close = getattr(body, "close", None)
    if close:
        close()


def _refuse_to_write(_: bytes) -> object:
    raise NotImplementedError


def _handler(destination: str) -> logging.Handler:
    if destination in {"", "-"}:
        return logging.StreamHandler(sys.stderr)
    return WatchedFileHandler(destination, encoding="utf-8")


def _record(line: str) -> logging.LogRecord:
    return logging.LogRecord("shanben.requests", logging.INFO, "", 0, line, None, None)
