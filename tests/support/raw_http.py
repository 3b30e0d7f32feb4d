"""HTTP requests of any bytes, with exact responses and their times."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from typing import NamedTuple, Self

RESPONSE_SECONDS = 30.0
"""The seconds that a response may take. No request of a test needs more than one or two."""


class Response(NamedTuple):
    """A response; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float


class NoResponse(Exception):
    """The server closed the connection, or sent something that is not HTTP."""


class ResponseTimeout(AssertionError):
    """The server sent no response in time, and did not close the connection."""


class RawConnection:
    """A connection to 127.0.0.1 that is opened again when it has ended; a context manager."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes, *, method: str = "GET", ended: bool = False) -> Response:
        """Send bytes, and return the first response. Raises `NoResponse`, `ResponseTimeout`.

        `ended`: close the sending side.
        """
        kept = self._socket is not None
        began = time.monotonic()
        try:
            return self._exchange(data, method, ended, began)
        except NoResponse:
            if not kept:
                raise
            return self._exchange(data, method, ended, began)  # the server had closed it after the last response

    def get(self, target: bytes | str, method: str = "GET", headers: bytes = b"") -> Response:
        """Send a request that is valid HTTP if `target` and `headers` are."""
        raw = target.encode() if isinstance(target, str) else target
        return self.send(
            b"%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s\r\n" % (method.encode(), raw, self._port, headers),
            method=method,
        )

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _exchange(self, data: bytes, method: str, ended: bool, began: float) -> Response:
        connected = self._socket or connect(self._port)
        self._socket = None
        kept = False
        try:
            with contextlib.suppress(ConnectionError):  # it may respond and close before it has read everything
                connected.sendall(data)
                if ended:
                    with contextlib.suppress(OSError):  # the server may have ended it first
                        connected.shutdown(socket.SHUT_WR)
            response, kept = _receive(connected, method, began)
            return response
        except TimeoutError as fault:
            raise ResponseTimeout(f"no response to {data[:300]!r}") from fault
        except (ConnectionError, http.client.HTTPException) as fault:
            raise NoResponse(f"{fault!r} to {data[:300]!r}") from fault
        finally:
            if kept and not ended:
                self._socket = connected
            else:
                connected.close()


def connect(port: int, receive_buffer: int = 0) -> socket.socket:
    """Open a connection to 127.0.0.1; `receive_buffer` in bytes, 0 for the system's choice."""
    made = socket.socket()
    made.settimeout(RESPONSE_SECONDS)
    if receive_buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    made.connect(("127.0.0.1", port))
    return made


def _receive(connected: socket.socket, method: str, began: float) -> tuple[Response, bool]:
    """Return the response, and whether another may follow."""
    response = http.client.HTTPResponse(connected, method=method)
    try:
        response.begin()
        body = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, headers, body, time.monotonic() - began), not response.will_close
    finally:
        response.close()
