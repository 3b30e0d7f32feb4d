"""Requests to services reach the host of the URL, and end at their time limit whatever the service does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from repository.network.http_client import ServiceUnavailable, is_service_url, post

Serve = Callable[[socket.socket], None]

BODY = b"body"


@contextmanager
def service(serve: Serve) -> Iterator[str]:
    """Yield the address of a service that answers one request by `serve`."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def run() -> None:
            connection, _ = listening.accept()
            with connection:
                request = b""
                # Closed with a part unread, the connection would be reset.
                while not request.endswith(BODY) and (part := connection.recv(1 << 16)):
                    request += part
                try:
                    serve(connection)
                except OSError:
                    return  # the client has given up

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/request"
        thread.join(10)


def drip(beginning: bytes) -> Serve:
    """Return what sends a byte every 50 ms after a beginning, each before the time limit of a read."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(beginning)
        for _ in range(100):
            connection.sendall(b"x")
            time.sleep(0.05)

    return serve


def test_the_answer_is_returned_whatever_its_status() -> None:
    with service(
        lambda connection: connection.sendall(b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n7\n")
    ) as url:
        answer = post(url, BODY, "text/plain", 5)
    assert (answer.status, answer.body) == (409, b"7\n")


@pytest.mark.parametrize(
    "beginning",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Header: ", id="header"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", id="body"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", id="body without length"),
    ],
)
def test_a_service_that_sends_byte_by_byte_is_given_up_at_the_time_limit(beginning: bytes) -> None:
    with service(drip(beginning)) as url:
        started = time.monotonic()
        with pytest.raises(ServiceUnavailable, match="takes too long"):
            post(url, BODY, "text/plain", 0.2)
        assert time.monotonic() - started < 3


def test_an_answer_that_ends_too_early_is_refused() -> None:
    with (
        service(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")) as url,
        pytest.raises(ServiceUnavailable, match="too early"),
    ):
        post(url, BODY, "text/plain", 5)


@pytest.mark.parametrize(
    ("url", "accepted"),
    [("http://x", True), ("https://x:1/a?b=c", True), ("ftp://x", False), ("http://", False), ("http://x:0", False)],
)
def test_services_have_http_addresses(url: str, accepted: bool) -> None:
    assert is_service_url(url) is accepted


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://[2001:db8::1]/x", ("2001:db8::1", 80)),
        ("http://[2001:db8::1]:81/x", ("2001:db8::1", 81)),
        ("http://service.example/x", ("service.example", 80)),
    ],
)
def test_the_connection_goes_to_the_host_and_port_of_the_url(
    monkeypatch: pytest.MonkeyPatch, url: str, address: tuple[str, int]
) -> None:
    asked = []

    def refuse(address: tuple[str, int], timeout: float) -> socket.socket:
        asked.append(address)
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(ServiceUnavailable, match="refused"):
        post(url, b"", "text/plain", 1)
    assert asked == [address]
