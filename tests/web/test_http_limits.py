"""The limits of a connection, in a real uvicorn server of this process."""

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

pytestmark = pytest.mark.slow

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


LARGE = 16 << 20
"""Bytes of the response to ``/large``: more than the buffers of two sockets hold."""


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Respond with the number of header fields to ``/fields``, after the request's body, and with ok to others."""
    if scope["path"] == "/fields":
        while (await receive())["more_body"]:
            pass
    body = {"/fields": b"%02d" % len(scope["headers"]), "/large": bytes(LARGE)}.get(scope["path"], b"ok")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(http_limits, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(http_limits, "STALL_SECONDS", 0.3)
    config = uvicorn.Config(
        application, http=LimitedHttpProtocol, ws="none", lifespan="off", log_config=None, timeout_keep_alive=2
    )
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


def count_to_end(connection: socket.socket, pause: float = 0) -> int:
    received = 0
    with contextlib.suppress(ConnectionError):
        while data := connection.recv(1 << 20):
            received += len(data)
            time.sleep(pause)
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


def test_a_complete_head_that_is_too_large_is_refused(port: int) -> None:
    field = b"X-Long: " + b"a" * MAX_HEAD_BYTES
    with connected(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + field + b"\r\n\r\n")
        response = read_to_end(connection)
        assert response.startswith(b"HTTP/1.1 400 ")
        assert response.endswith(f"exceed {MAX_HEAD_BYTES} bytes.".encode())


def test_a_large_body_is_no_head(port: int) -> None:
    body = bytes(4 * MAX_HEAD_BYTES)
    with connected(port) as connection:
        fields = b"Host: x\r\nConnection: close\r\nContent-Length: %d\r\n" % len(body)
        connection.sendall(b"POST /fields HTTP/1.1\r\n" + fields + b"\r\n" + body)
        assert read_to_end(connection).endswith(b"\r\n\r\n03")


def test_trailer_fields_are_not_header_fields(port: int) -> None:
    head = b"POST /fields HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connected(port) as connection:
        connection.sendall(head + b"2\r\nab\r\n0\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
        assert read_to_end(connection).endswith(b"\r\n\r\n03")


@pytest.mark.parametrize("field", [b"X-More: 1\r\n", b"a" * 100], ids=["many fields", "one long field"])
def test_trailer_fields_without_end_are_refused(port: int, field: bytes) -> None:
    head = b"POST /fields HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    with connected(port) as connection:
        connection.sendall(head)
        with contextlib.suppress(ConnectionError):
            for _ in range(10):
                connection.sendall(field * (MAX_HEAD_BYTES // len(field)))
                time.sleep(0.02)
        assert read_to_end(connection).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("connection_field", [b"", b"Connection: close\r\n"], ids=["kept alive", "to be closed"])
def test_a_client_that_stops_reading_is_disconnected(port: int, connection_field: bytes) -> None:
    with connected(port) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n" + connection_field + b"\r\n")
        time.sleep(1.5)
        assert count_to_end(connection) < LARGE


def test_a_client_that_reads_slowly_gets_the_whole_response(port: int) -> None:
    with connected(port) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert count_to_end(connection, pause=0.05) > LARGE


@pytest.mark.parametrize(("least", "is_whole"), [(4 << 20, False), (1, True)])
def test_a_client_that_trickles_is_disconnected_below_the_least_rate(
    port: int, monkeypatch: pytest.MonkeyPatch, least: int, is_whole: bool
) -> None:
    monkeypatch.setattr(http_limits, "MIN_BYTES_PER_SECOND", least)
    # Longer than the client of a busy machine may wait for its turn.
    monkeypatch.setattr(http_limits, "STALL_SECONDS", 1.2)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received, end = 0, time.monotonic() + 2
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < end and (data := connection.recv(4096)):
                received += len(data)
                time.sleep(0.01)
        received += count_to_end(connection)
        assert (received > LARGE) is is_whole


def test_an_upgrade_to_a_web_socket_is_answered_as_without_it_and_not_logged(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    fields = b"Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    with connected(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n" + fields + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        received = b""
        while not received.endswith(b"ok"):
            data = connection.recv(4096)
            assert data
            received += data
    assert received.startswith(b"HTTP/1.1 200 ")
    assert "pip install" not in caplog.text
    assert "upgrade" not in caplog.text.lower()


def test_an_idle_connection_stays_open_between_requests(port: int) -> None:
    with connected(port) as connection:
        for _ in range(3):
            assert is_answered(connection)
            time.sleep(0.7)


def test_requests_sent_together_are_answered_in_order(port: int) -> None:
    with connected(port) as connection:
        connection.sendall(REQUEST * 3 + b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert read_to_end(connection).count(b"HTTP/1.1 200 ") == 4
