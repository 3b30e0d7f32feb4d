"""The limits of a request's head, in a real uvicorn server of this process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from web import http_limits
from web.http_limits import MAX_HEAD_BYTES, LimitedHttpProtocol

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(http_limits, "HEAD_SECONDS", 0.5)
    config = uvicorn.Config(application, http=LimitedHttpProtocol, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


@contextlib.contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        yield connection


def read_to_end(connection: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionError):
        while data := connection.recv(4096):
            received += data
    return received


def is_answered(connection: socket.socket) -> bool:
    """Send a request; return whether its whole response is 200."""
    connection.sendall(REQUEST)
    received = b""
    while not received.endswith(b"\r\n\r\nok"):
        data = connection.recv(4096)
        if not data:
            return False
        received += data
    return received.startswith(b"HTTP/1.1 200 ")


def test_a_connection_without_a_request_is_closed_with_400(port: int) -> None:
    with connected(port) as connection:
        assert read_to_end(connection).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("finished", [0, 2], ids=["first request", "further request"])
def test_a_head_that_arrives_too_slowly_is_refused(port: int, finished: int) -> None:
    with connected(port) as connection:
        for _ in range(finished):
            assert is_answered(connection)
        connection.sendall(b"GET / HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(20):
                connection.sendall(b"X-Slow: 1\r\n")
                time.sleep(0.1)
        assert read_to_end(connection).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("chunk", [1000, 10_000, 60_000])
def test_a_head_that_is_too_large_is_refused_however_it_is_cut(port: int, chunk: int) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * (2 * MAX_HEAD_BYTES)
    with connected(port) as connection:
        with contextlib.suppress(ConnectionError):
            for start in range(0, len(head), chunk):
                connection.sendall(head[start : start + chunk])
        assert read_to_end(connection).startswith(b"HTTP/1.1 400 ")


def test_an_idle_connection_stays_open_between_requests(port: int) -> None:
    with connected(port) as connection:
        for _ in range(3):
            assert is_answered(connection)
            time.sleep(0.7)


def test_requests_sent_together_are_answered_in_order(port: int) -> None:
    with connected(port) as connection:
        connection.sendall(REQUEST * 3 + b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert read_to_end(connection).count(b"HTTP/1.1 200 ") == 4
