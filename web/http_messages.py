"""Requests and answers as HTTP/1.1 has them (RFC 9112), and requests as WSGI has them (PEP 3333). (pure)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

from iiif_server.whole_answer import Whole, head_lines

Headers = Sequence[tuple[str, str]]
Bytes = bytes | bytearray

_UNPREFIXED: Final = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
_WITHOUT_BODY: Final = frozenset({*range(100, 200), 204, 304})


class Request(NamedTuple):
    """One request, read whole. `path` is percent-decoded once, its bytes as Latin-1; `headers` by lower-case names.

    A header that came several times has its values joined (RFC 9110, section 5.3). `client` is an IP address.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    client: str
    is_1_1: bool
    keep_alive: bool


def split_target(target: bytes) -> tuple[str, str]:
    """Path and query of a request's target in origin or absolute form (RFC 9112, section 3.2). Raises `ValueError`."""
    path, _, query = target.partition(b"#")[0].partition(b"?")
    if not path.startswith(b"/"):
        scheme, separator, rest = path.partition(b"://")
        if path == b"*":
            rest = b"/"
        elif not separator or scheme.lower() not in {b"http", b"https"}:
            raise ValueError(target)
        path = b"/" + rest.partition(b"/")[2]
    decoded = unquote_to_bytes(path) if b"%" in path else path
    return decoded.decode("latin-1"), query.decode("latin-1")


def environment(request: Request, always: Mapping[str, Any]) -> dict[str, Any]:
    """The WSGI environment; `always` is what it holds whatever the request."""
    environ = {
        **always,
        "REQUEST_METHOD": request.method,
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query,
        "REMOTE_ADDR": request.client,
        "SERVER_PROTOCOL": "HTTP/1.1" if request.is_1_1 else "HTTP/1.0",
        "wsgi.input": BytesIO(request.body),
    }
    for name, value in request.headers.items():
        # A name with an underscore would be taken for another one with a hyphen.
        if "_" not in name:
            environ[_UNPREFIXED.get(name) or f"HTTP_{name.upper().replace('-', '_')}"] = value
    return environ


def has_body(status: int, method: str) -> bool:
    """Whether an answer has a body at all (RFC 9112, section 6.3)."""
    return method != "HEAD" and status not in _WITHOUT_BODY


def head(status: int, headers: Headers, *more: bytes) -> bytes:
    """Status line and headers of an answer, `more` being whole lines. Raises `ValueError` for a line that is two."""
    return b"".join((head_lines(status, headers), *more, b"\r\n"))


def told_of_connection(request: Request, keep: bool) -> bytes:
    """What the client is to be told of the connection (RFC 9112, section 9.6): a line, or none."""
    if not keep:
        return b"Connection: close\r\n"
    return b"" if request.is_1_1 else b"Connection: keep-alive\r\n"


def whole(request: Request, answer: Whole, date: bytes, keep: bool) -> Sequence[Bytes]:
    """The pieces of an answer whose body is there, and whose length no header tells."""
    status, lines, body = answer
    connection = told_of_connection(request, keep)
    if not has_body(status, request.method):
        return (b"%b%b%b\r\n" % (lines, date, connection),)
    return b"%b%bContent-Length: %d\r\n%b\r\n" % (lines, date, len(body), connection), body
