"""POST requests to services that the operator names, as witnesses and timestamp authorities: bounded in time and size.

Such a service may be slow, down or wrong. Whatever it does, `post` returns or raises `ServiceUnavailable` soon after
its time limit. It follows no redirect. Documents are requested by `guarded_http`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from repository.errors import SystemFault
from repository.localized import LocalizedText

LARGEST_ANSWER: Final = 1 << 20
_CHUNK: Final = 1 << 14


class ServiceUnavailable(SystemFault):
    """A service of another institution cannot be reached, or answers what its protocol does not allow."""

    code = "service"
    text = LocalizedText("{service} 无法使用：{reason}", "{service} cannot be used: {reason}")


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """The status and the body of a response."""

    status: int
    body: bytes


def is_service_url(url: str) -> bool:
    """Return whether `post` accepts a URL: http or https, with a host, without query and fragment."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def post(url: str, body: bytes, content_type: str, seconds: float) -> ServiceAnswer:
    """Send one POST request and return the answer, whatever its status. Raises `ServiceUnavailable`.

    Connecting and each read may take `seconds`, and the whole answer twice that.
    """
    parts = urlsplit(url)
    connection_type = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connection_type(parts.hostname or "", parts.port, timeout=seconds)
    deadline = time.monotonic() + 2 * seconds
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target, body, {"Content-Type": content_type, "Connection": "close"})
        response = connection.getresponse()
        return ServiceAnswer(response.status, _read(response, url, deadline))
    except (OSError, HTTPException, ValueError) as fault:
        raise ServiceUnavailable(service=url, reason=str(fault) or type(fault).__name__) from fault
    finally:
        connection.close()


def _read(response: HTTPResponse, url: str, deadline: float) -> bytes:
    body = bytearray()
    while chunk := response.read1(_CHUNK):
        body += chunk
        if len(body) > LARGEST_ANSWER:
            reason = LocalizedText("应答过长", "its answer is too long")
            raise ServiceUnavailable(service=url, reason=reason)
        if time.monotonic() > deadline:
            raise ServiceUnavailable(service=url, reason=LocalizedText("应答过慢", "its answer takes too long"))
    return bytes(body)
