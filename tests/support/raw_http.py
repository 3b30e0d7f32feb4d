"""Requests byte by byte: whatever a client may send, and just what came back and when."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from typing import NamedTuple, Self

PATIENCE_SECONDS = 30.0
"""How long an answer may take. Nothing that a test asks for is work for more than a second or two."""


class Response(NamedTuple):
    """What came back; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float


class NoResponse(Exception):
    """The server broke off, or said something that is not HTTP; the message tells which."""


class ResponseTimeout(AssertionError):
    """No answer, and no end of the connection, within the patience of the client."""


class RawConnection:
    """One connection to 127.0.0.1, opened again when it has ended. Use it as a context."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes, *, method: str = "GET", ended: bool = False) -> Response:
        """The first answer to `data`; `ended`: no more will follow. Raises `NoResponse`, `ResponseTimeout`."""
        kept = self._socket is not None
        began = time.monotonic()
        try:
            return self._exchange(data, method, ended, began)
        except NoResponse:
            if not kept:
                raise
            return self._exchange(data, method, ended, began)  # the server had closed it after the last answer

    def get(self, target: bytes | str, method: str = "GET", headers: bytes = b"") -> Response:
        """One request that is HTTP, unless `target` or `headers` are not."""
        raw = target.encode() if isinstance(target, str) else target
        return self.send(
            b"%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s\r\n" % (method.encode(), raw, self._port, headers),
            method=method,
        )

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _exchange(self, data: bytes, method: str, ended: bool, began: float) -> Response:
        connected = self._socket or connect(self._port)
        self._socket = None
        kept = False
        try:
            with contextlib.suppress(ConnectionError):  # it may have answered, and closed, before it had read it all
                connected.sendall(data)
                if ended:
                    with contextlib.suppress(OSError):  # the server may have ended it first
                        connected.shutdown(socket.SHUT_WR)
            answer, kept = _receive(connected, method, began)
            return answer
        except TimeoutError as fault:
            raise ResponseTimeout(f"no answer to {data[:300]!r}") from fault
        except (ConnectionError, http.client.HTTPException) as fault:
            raise NoResponse(f"{fault!r} to {data[:300]!r}") from fault
        finally:
            if kept and not ended:
                self._socket = connected
            else:
                connected.close()


def connect(port: int, receive_buffer: int = 0) -> socket.socket:
    """A connection to 127.0.0.1; `receive_buffer` in bytes, 0 for the system's choice."""
    made = socket.socket()
    made.settimeout(PATIENCE_SECONDS)
    if receive_buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    made.connect(("127.0.0.1", port))
    return made


def _receive(connected: socket.socket, method: str, began: float) -> tuple[Response, bool]:
    """The answer, and whether another may follow."""
    answer = http.client.HTTPResponse(connected, method=method)
    try:
        answer.begin()
        body = answer.read()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Response(answer.status, headers, body, time.monotonic() - began), not answer.will_close
    finally:
        answer.close()
