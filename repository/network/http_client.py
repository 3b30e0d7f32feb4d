"""POST requests to services that the operator names, as witnesses and timestamp authorities: bounded in time and size.

Such a service may be slow, down or wrong. Whatever it does once it is connected, `post` returns or raises
`ServiceUnavailable` at its time limit. It follows no redirect. Documents are requested by `guarded_http`.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from http.client import HTTP_PORT, HTTPS_PORT, HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from repository.errors import SystemFault
from repository.localized import LocalizedText
from repository.network.deadline import shut_down_at, start_tls

LARGEST_ANSWER: Final = 1 << 20
_CHUNK: Final = 1 << 14
_LONG: Final = LocalizedText("应答过长", "its answer is too long")
_SLOW: Final = LocalizedText("应答过慢", "its answer takes too long")


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
    """Return whether `post` accepts a URL: http or https, with a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def post(url: str, body: bytes, content_type: str, seconds: float) -> ServiceAnswer:
    """Send one POST request and return the answer, whatever its status. Raises `ServiceUnavailable`.

    Connecting to an address of the host and each read may take `seconds`, and everything together twice that; the name
    of the host is resolved within the limits of the system.
    """
    parts = urlsplit(url)
    host, is_secure = parts.hostname or "", parts.scheme == "https"
    # Without a port, http.client would take the last part of an IPv6 address for it.
    port = parts.port or (HTTPS_PORT if is_secure else HTTP_PORT)
    connection = (HTTPSConnection if is_secure else HTTPConnection)(host, port, timeout=seconds)
    deadline = time.monotonic() + 2 * seconds
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        plain = socket.create_connection((host, port), timeout=seconds)
        with shut_down_at(plain, deadline):
            connection.sock = start_tls(plain, host) if is_secure else plain
            connection.request("POST", target, body, {"Content-Type": content_type, "Connection": "close"})
            response = connection.getresponse()
            return ServiceAnswer(response.status, _read(response, url, deadline))
    except (OSError, HTTPException, ValueError) as fault:
        reason = _SLOW if time.monotonic() >= deadline else str(fault) or type(fault).__name__
        raise ServiceUnavailable(service=url, reason=reason) from fault
    finally:
        connection.close()


def _read(response: HTTPResponse, url: str, deadline: float) -> bytes:
    body = bytearray()
    while chunk := response.read1(_CHUNK):
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise ServiceUnavailable(service=url, reason=_LONG)
    if response.length or time.monotonic() >= deadline:
        raise HTTPException("the answer ends too early")
    return bytes(body)
