"""Which connection an answer goes to is told by real ones, between two addresses of this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from repository.errors import RenderingBusy
from web.broken_off import Answer

CLIENT = "127.0.0.2"
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PART = bytes(60_000)


class Connection:
    """Both ends of one, of a client at `CLIENT`, which keeps little ready."""

    def __init__(self, listener: socket.socket) -> None:
        self.client = socket.socket()
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.client.bind((CLIENT, 0))
        self.client.settimeout(10)
        self.client.connect(listener.getsockname())
        self.server, _ = listener.accept()
        self.received = 0
        self.reader = threading.Thread(target=self._read)

    def _read(self) -> None:
        with suppress(ConnectionError):
            while data := self.client.recv(1 << 16):
                self.received += len(data)

    def send_part(self, part: bytes) -> None:
        """As granian sends a chunk."""
        self.server.sendall(b"%X\r\n%s\r\n" % (len(part), part))

    @property
    def is_open(self) -> bool:
        try:
            self.server.sendall(b"0\r\n\r\n")
        except ConnectionError:
            return False
        return True

    def close(self) -> None:
        self.server.close()
        if self.reader.ident:
            self.reader.join(10)
        self.client.close()


class Failing:
    """Parts that end in an error."""

    def __init__(self, count: int, error: Exception) -> None:
        self._left, self._error = count, error
        self.closed = False

    def __next__(self) -> bytes:
        if not self._left:
            raise self._error
        self._left -= 1
        return PART

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def connections() -> Iterator[list[Connection]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = [Connection(listener) for _ in range(4)]
        for connection in made:
            connection.server.sendall(HEAD + bytes(5000))  # an answer before
        yield made
        for connection in made:
            connection.close()


def send(answer: Answer, connection: Connection) -> None:
    for part in answer:
        connection.send_part(part)


def test_an_answer_that_fails_is_broken_off_and_no_other(connections: list[Connection]) -> None:
    mine, busy, idle, _ = connections
    for connection in connections:
        connection.reader.start()
    answer = Answer(Failing(20, RenderingBusy()), CLIENT, "/picture", 30)
    mine.server.sendall(HEAD)
    for part in answer:
        mine.send_part(part)
        busy.server.sendall(bytes(70_000))
    mine.reader.join(10)
    assert mine.received == 2 * len(HEAD) + 5000 + 20 * (len(PART) + 8)
    assert [connection.is_open for connection in (mine, busy, idle)] == [False, True, True]


def test_those_that_cannot_be_told_apart_are_all_broken_off(connections: list[Connection]) -> None:
    mine, twin, idle, _ = connections
    for connection in connections:
        connection.reader.start()
    answer = Answer(Failing(5, RenderingBusy()), CLIENT, "/picture", 30)
    for connection in (mine, twin):
        connection.server.sendall(HEAD)
    for part in answer:
        mine.send_part(part)
        twin.send_part(part)
    mine.reader.join(10)
    assert [connection.is_open for connection in (mine, twin, idle)] == [False, False, True]


def test_a_client_that_takes_nothing_is_broken_off(connections: list[Connection]) -> None:
    mine, idle, _, _ = connections
    idle.reader.start()
    answer = Answer(Failing(1000, RenderingBusy()), CLIENT, "/picture", 0.3)
    mine.server.sendall(HEAD)
    with pytest.raises(ConnectionError):
        send(answer, mine)
    answer.close()
    assert not mine.is_open
    assert idle.is_open


def test_a_defect_is_broken_off_too_and_told(connections: list[Connection]) -> None:
    (mine, *_) = connections
    mine.reader.start()
    answer = Answer(Failing(3, ZeroDivisionError()), CLIENT, "/picture", 30)
    mine.server.sendall(HEAD)
    with pytest.raises(ZeroDivisionError):
        send(answer, mine)
    mine.reader.join(10)
    assert not mine.is_open


def test_what_is_given_up_is_closed(connections: list[Connection]) -> None:
    parts = Failing(3, RenderingBusy())
    answer = Answer(parts, CLIENT, "/picture", 30)
    next(answer)
    answer.close()
    assert parts.closed
