"""Connections that end at a deadline, whatever the server at the other end does."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def shut_down_at(connection: socket.socket, deadline: float) -> Iterator[None]:
    """Shut the connection down at a time (`time.monotonic`) unless the context has ended before.

    The time limit of a socket is not enough, because a server may send one byte before each limit.
    """
    handle = socket.socket(fileno=socket.dup(connection.fileno()))
    timer = threading.Timer(max(0.0, deadline - time.monotonic()), _shut_down, [handle])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        handle.close()


def start_tls(connection: socket.socket, host: str) -> ssl.SSLSocket:
    """Return the connection with TLS, once the certificate has been verified to be the host's. Raises `OSError`."""
    return ssl.create_default_context().wrap_socket(connection, server_hostname=host)


def _shut_down(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # closed already
