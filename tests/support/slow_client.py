"""An HTTP client that reads a response as slowly as the test wants, and detects an incomplete one."""

from __future__ import annotations

import http.client
import socket
from typing import Self


class SlowClient:
    """One request over a connection of its own, with the smallest receive buffer."""

    def __init__(self, port: int, path: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._connection.sock = socket.socket()
        self._connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        self._connection.sock.settimeout(60)
        self._connection.sock.connect(("127.0.0.1", port))
        self._connection.request("GET", path)
        self._answer = self._connection.getresponse()
        self.status = self._answer.status
        self.headers = self._answer.headers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._answer.close()
        self._connection.close()

    def take(self, length: int) -> bytes:
        """Return the next bytes of the body."""
        return self._answer.read(length)

    def take_rest(self) -> bytes:
        """Return the rest of the body. Raises `IncompleteRead` or `ConnectionError` when it ends early."""
        return self._answer.read()
