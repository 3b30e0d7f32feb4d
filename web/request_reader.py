"""Requests found in the bytes that a client sends (RFC 9112), by httptools' parser, which refuses what is ambiguous.

At most, a reader holds one request of `LONGEST_HEAD` and `LONGEST_BODY` bytes, and the headers of the last.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from repository.localized import LocalizedText
from web.http_messages import Request, split_target
from web.repeated import Repeated

LONGEST_HEAD: Final = 32 << 10
"""Bytes of a request's line and headers together; what is longer is refused with 431."""

LONGEST_BODY: Final = 64 << 10
"""Bytes of a request's body: nothing here is ever sent more than a form."""

MALFORMED: Final = HTTPStatus.BAD_REQUEST, LocalizedText("请求不合 HTTP 规范", "This is not a request as HTTP has it")
TOO_LONG: Final = LocalizedText("请求过大", "The request is too large")

Fault = tuple[HTTPStatus, LocalizedText]


class RequestReader:
    """Finds the requests of one connection.

    `take` is given each as it is found; `proceed` is called when a client waits for leave to send its body (RFC 9110,
    section 10.1.1). What is no request is a `fault`, after which nothing more is found. `headers` are those of the
    request that was read last, or is being read.
    """

    def __init__(self, client: str, take: Callable[[Request], object], proceed: Callable[[], object]) -> None:
        self._client = client
        self._give = take
        self._proceed = proceed
        self._parser = HttpRequestParser(self)
        self._repeated = Repeated(LONGEST_HEAD)
        self._latest: Request | None = None
        self._unread = 0
        self.fault: Fault | None = None
        self.on_message_begin()
        self.within = False
        """Whether a request has begun that is not there whole."""

    def feed(self, data: bytes) -> None:
        """Bytes have come: none, one or several requests, or a part of one."""
        if self.within:
            self._parse(data)
            return
        request = self._repeated.recognise(data)
        if request is not None:
            self._give(request)
            return
        self._latest = None
        self._parse(data)
        if self._latest and not (self.within or self.fault):
            self._repeated.remember(data, self._latest)

    def _parse(self, data: bytes) -> None:
        self._unread += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            pass  # to nothing else is anybody upgraded here: the request is answered as it stands, and is the last
        except HttpParserError:
            self._refuse(MALFORMED)
        if self._unread > LONGEST_HEAD:
            self._refuse((HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, TOO_LONG))

    def _refuse(self, fault: Fault) -> None:
        """The first fault is the one that is told."""
        self.fault = self.fault or fault

    # The parser's calls (httptools)

    def on_message_begin(self) -> None:
        """A request begins."""
        self.within = True
        self._target = b""
        self.headers: dict[str, str] = {}
        self._size = self._length = 0
        self._body: list[bytes] = []

    def on_url(self, target: bytes) -> None:
        """A part of the request's target."""
        self._target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, whole."""
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        self._size += len(key) + len(text)
        if self._size > LONGEST_HEAD:  # nothing more is put together: what is joined to what is long takes long
            self._refuse((HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, TOO_LONG))
            return
        if key in self.headers:
            if key == "host":
                self._refuse(MALFORMED)
            text = f"{self.headers[key]}{'; ' if key == 'cookie' else ', '}{text}"
        self.headers[key] = text

    def on_headers_complete(self) -> None:
        """All headers are there; a client may wait for leave to send its body (RFC 9110, section 10.1.1)."""
        if "expect" in self.headers and self.headers["expect"].lower() == "100-continue":
            self._proceed()

    def on_body(self, body: bytes) -> None:
        """A part of the request's body."""
        self._unread -= len(body)
        self._body.append(body)
        self._length += len(body)
        if self._length > LONGEST_BODY:
            self._refuse((HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LONG))

    def on_message_complete(self) -> None:
        """A request is there, whole."""
        self._unread = 0
        self.within = False
        parser = self._parser
        is_1_1 = parser.get_http_version() == "1.1"
        if self.fault:
            return
        if self._size + len(self._target) > LONGEST_HEAD:
            self._refuse((HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, TOO_LONG))
            return
        try:
            path, query = split_target(self._target)
        except ValueError:
            self._refuse(MALFORMED)
            return
        if is_1_1 and "host" not in self.headers:  # RFC 9112, section 3.2
            self._refuse(MALFORMED)
            return
        method = parser.get_method().decode("latin-1")
        keep = parser.should_keep_alive() and not parser.should_upgrade()
        body = b"".join(self._body)
        self._latest = Request(method, path, query, self.headers, body, self._client, is_1_1, keep)
        self._give(self._latest)
