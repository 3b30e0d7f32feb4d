"""Requests that differ from the one before them on their connection in their target alone. (pure)

A viewer's requests for tiles are such: a dozen headers, the same each time, which cost more to read than a tile costs
to find. Whatever a parser would make of them it has made before.
"""

from __future__ import annotations

from typing import Final

from web.http_messages import Request, split_target

_METHOD: Final = b"GET "
_BEGINNING: Final = b"GET /"
_VERSION: Final = b" HTTP/1.1\r\n"
_END: Final = b"\r\n\r\n"
_USUAL: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@%/^|"
"""Characters of a path that no parser minds, and that begin no query."""

_UNLIKE_OTHERS: Final = frozenset({"content-length", "transfer-encoding", "expect", "upgrade"})
"""Headers by which a request means more than its answer."""


class Repeated:
    """The last request of a connection. `longest` is how many bytes a request may have that is recognised."""

    __slots__ = ("_headers", "_longest", "_request")

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._headers = b""
        self._request: Request | None = None

    def remember(self, data: bytes, request: Request) -> None:
        """A parser has found in `data`, from its beginning to its end, this request and no other."""
        _, _, headers = data.partition(_VERSION)
        usual = request.method == "GET" and request.is_1_1 and request.keep_alive and not request.body
        alone = data.startswith(_METHOD) and headers.find(_END) == len(headers) - len(_END) > 0
        if usual and alone and _UNLIKE_OTHERS.isdisjoint(request.headers):
            self._headers, self._request = headers, request

    def recognise(self, data: bytes) -> Request | None:
        """The request that a parser would find in `data`, if the headers are those of the last one; else None."""
        before, version = self._request, data.find(_VERSION)
        if before is None or data[version + len(_VERSION) :] != self._headers or len(data) > self._longest:
            return None
        target = data[len(_METHOD) : version]
        if not data.startswith(_BEGINNING) or target.translate(None, _USUAL):
            return None
        return Request("GET", split_target(target)[0], "", before.headers, b"", before.client, True, True)
