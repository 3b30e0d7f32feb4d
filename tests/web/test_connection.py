"""HTTP as the web server speaks it: raw bytes over real connections, to small applications behind it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iiif_server.whole_answer import Whole, head_lines
from repository.errors import RenderingBusy
from web.connection import MOST_WAITING, PATIENCE, Patience
from web.http_messages import Request
from web.request_reader import LONGEST_BODY, LONGEST_HEAD
from web.serving import Process
from web.wsgi import Composed

PART = bytes(60_000)
OK = head_lines(200, [])
CLOSE = b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
GET = b"GET %b HTTP/1.1\r\nHost: here\r\n\r\n"


def echo(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
    """Tells what it was asked."""
    told = {name: value for name, value in environ.items() if isinstance(value, str)}
    told["body"] = environ["wsgi.input"].read().decode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]


class Parts:
    """A body in parts, made by a function that may raise; remembers having been closed."""

    def __init__(self, make: Callable[[], Iterator[bytes]]) -> None:
        self._parts = make()
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def close(self) -> None:
        self.closed.set()


def giving(make: Callable[[], Iterator[bytes]], *headers: tuple[str, str]) -> Any:
    """An application that answers in parts, the last body being its `body`."""

    def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Parts:
        start_response("200 OK", list(headers))
        application.body = Parts(make)  # type: ignore[attr-defined]
        return application.body  # type: ignore[attr-defined,no-any-return]

    return application


class Server:
    """A `Process` in a thread."""

    def __init__(self, application: Any, at_once: Any, patience: Patience, most: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self.pool = ThreadPoolExecutor(2)
        self._process = Process(self._listener, Composed(application, at_once), self.pool, patience, most)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._run()))
        self._thread.start()
        self._ready.wait(10)

    async def _run(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._process.run(self._end, 5)

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)

    def join(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()
        self.pool.shutdown()

    def connect(self, receive_buffer: int = 0) -> socket.socket:
        client = socket.socket()
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(10)
        client.connect(("127.0.0.1", self.port))
        return client

    def ask(self, data: bytes) -> bytes:
        """All that comes back until the server closes."""
        with self.connect() as client:
            client.sendall(data)
            return read_all(client)


def read_all(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(1 << 16), b""))


@contextmanager
def serving(
    application: Any = echo,
    at_once: Callable[[Request], Whole | Awaitable[Whole | None] | None] = lambda _: None,
    patience: Patience = PATIENCE,
    most: int = 100,
) -> Iterator[Server]:
    server = Server(application, at_once, patience, most)
    try:
        yield server
    finally:
        server.stop()
        server.join()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def told(answer: bytes) -> dict[str, str]:
    """What the application said it was asked, in the last answer."""
    document: dict[str, str] = json.loads(answer.rpartition(b"\r\n\r\n")[2])
    return document


class TestRequests:
    def test_path_query_headers_and_body_reach_the_application(self, server: Server) -> None:
        body = b"name=value"
        head = (
            b"POST /a%20b%2Fc?q=%41 HTTP/1.1\r\nHost: here\r\nX-One: 1\r\nx-one: 2\r\nX_Two: 3\r\nConnection: close\r\n"
        )
        asked = told(server.ask(head + b"Content-Type: text/plain\r\nContent-Length: 10\r\n\r\n" + body))
        assert (asked["REQUEST_METHOD"], asked["PATH_INFO"], asked["QUERY_STRING"]) == ("POST", "/a b/c", "q=%41")
        assert (asked["HTTP_X_ONE"], asked["HTTP_HOST"], asked["REMOTE_ADDR"]) == ("1, 2", "here", "127.0.0.1")
        assert (asked["CONTENT_TYPE"], asked["CONTENT_LENGTH"], asked["body"]) == ("text/plain", "10", "name=value")
        assert "HTTP_X_TWO" not in asked

    def test_the_absolute_form_and_a_body_in_chunks_are_understood(self, server: Server) -> None:
        head = b"POST http://here/x?y HTTP/1.1\r\nHost: here\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        asked = told(server.ask(head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"))
        assert (asked["PATH_INFO"], asked["QUERY_STRING"], asked["body"]) == ("/x", "y", "abcde")

    def test_one_byte_at_a_time_is_enough(self, server: Server) -> None:
        with server.connect() as client:
            for byte in CLOSE:
                client.sendall(bytes([byte]))
            assert told(read_all(client))["PATH_INFO"] == "/"

    def test_who_waits_for_leave_to_send_a_body_gets_it(self, server: Server) -> None:
        with server.connect() as client:
            client.sendall(CLOSE.replace(b"GET", b"POST")[:-2] + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.sendall(b"ok")
            assert told(read_all(client))["body"] == "ok"

    def test_several_sent_together_are_answered_in_their_order(self, server: Server) -> None:
        answers = server.ask(b"".join(GET % b"/%d" % number for number in range(20)) + CLOSE)
        assert [answers.find(b'"/%d"' % number) for number in range(20)] == sorted(
            answers.find(b'"/%d"' % number) for number in range(20)
        )
        assert answers.count(b"HTTP/1.1 200 OK\r\n") == 21

    @pytest.mark.parametrize(
        ("request_", "status"),
        [
            (b"nonsense\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            (b"GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            (b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: a\r\nBad\x00: 1\r\n\r\n", 400),
            (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
            (b"GET /" + b"x" * LONGEST_HEAD + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
            (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * (LONGEST_HEAD // 6), 431),
            (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * LONGEST_HEAD + b"\r\n", 431),
            (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % 10**9 + bytes(LONGEST_BODY + 1), 413),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        ],
    )  # fmt: skip
    def test_what_is_no_request_is_refused_with_a_reason_and_closed(
        self, server: Server, request_: bytes, status: int
    ) -> None:
        answer = server.ask(request_)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert b"Connection: close\r\n" in answer
        document = told(answer)
        assert (document["status"], document["code"]) == (status, f"request.{status}")

    @pytest.mark.parametrize(
        "request_",
        [
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 40_000,
            b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 40_000,
        ],
    )
    def test_many_small_pieces_do_not_take_long(self, server: Server, request_: bytes) -> None:
        began = time.process_time()
        assert server.ask(request_)[:12] in {b"HTTP/1.1 413", b"HTTP/1.1 431"}
        assert time.process_time() - began < 1

    def test_an_upgrade_is_not_made(self, server: Server) -> None:
        answer = server.ask(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")

    def test_more_than_wait_in_turn_are_refused(self) -> None:
        go_on = threading.Event()

        def slow(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
            go_on.wait(10)
            return echo(environ, start_response)

        with serving(slow) as server, server.connect() as client:
            client.sendall(GET % b"/" * (MOST_WAITING + 10))
            time.sleep(0.2)
            go_on.set()
            assert read_all(client).count(b"HTTP/1.1 400 ") == 1

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.binary(max_size=300), cut=st.integers(0, 60), place=st.integers(0, 60))
    def test_no_garbage_ends_it(self, server: Server, data: bytes, cut: int, place: int) -> None:
        request_ = CLOSE[:place] + data + CLOSE[place + cut :]
        with server.connect() as client:
            client.sendall(request_)
            client.shutdown(socket.SHUT_WR)
            answer = read_all(client)
        assert not answer or answer[:12] in {b"HTTP/1.1 200", b"HTTP/1.1 400", b"HTTP/1.1 100"}
        assert told(server.ask(CLOSE))["PATH_INFO"] == "/"


class TestAnswers:
    def test_a_connection_is_kept_as_it_is_asked(self, server: Server) -> None:
        with server.connect() as client:
            for _ in range(3):
                client.sendall(GET % b"/kept")
                assert b"Connection:" not in client.recv(1 << 16)
        assert b"\r\nConnection: close\r\n" in server.ask(b"GET / HTTP/1.0\r\n\r\n")
        with server.connect() as client:
            client.sendall(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert b"\r\nConnection: keep-alive\r\n" in client.recv(1 << 16)

    def test_a_head_tells_the_length_and_has_no_body(self) -> None:
        def application(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
            start_response("200 OK", [("Content-Length", "5")])
            return [b"hello"]

        with serving(application) as server:
            answer = server.ask(CLOSE.replace(b"GET", b"HEAD"))
            assert answer.count(b"Content-Length: 5\r\n") == 1
            assert answer.endswith(b"\r\n\r\n")
            assert server.ask(CLOSE).endswith(b"\r\n\r\nhello")

    def test_parts_come_in_chunks_and_before_1_1_as_one(self) -> None:
        with serving(giving(lambda: iter([b"one", b"", b"two"]))) as server:
            answer = server.ask(CLOSE)
            assert b"Transfer-Encoding: chunked\r\n" in answer
            assert answer.endswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
            answer = server.ask(b"GET / HTTP/1.0\r\n\r\n")
            assert b"Content-Length: 6\r\n" in answer
            assert answer.endswith(b"onetwo")

    def test_parts_of_a_known_length_come_as_they_are(self) -> None:
        with serving(giving(lambda: iter([b"one", b"two"]), ("Content-Length", "6"))) as server:
            answer = server.ask(CLOSE)
            assert b"chunked" not in answer
            assert answer.endswith(b"\r\n\r\nonetwo")

    def test_an_error_before_anything_was_sent_is_told(self, caplog: pytest.LogCaptureFixture) -> None:
        def defective(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
            raise ZeroDivisionError

        def injecting(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
            start_response("200 OK", [("X-One", "1\r\nX-Two: 2")])
            return []

        for application in (defective, injecting):
            with serving(application) as server:
                answer = server.ask(CLOSE)
            assert answer.startswith(b"HTTP/1.1 500 ")
            assert told(answer)["code"] == "internal"
            assert b"X-Two" not in answer
        assert "ZeroDivisionError" in caplog.text

    @pytest.mark.parametrize("error", [RenderingBusy(), ZeroDivisionError()])
    def test_one_that_fails_in_the_middle_is_broken_off_and_no_other(self, error: Exception) -> None:
        def failing() -> Iterator[bytes]:
            for _ in range(20):
                yield PART
            raise error

        application = giving(failing)
        with (
            serving(application, lambda asked: Whole(200, OK) if asked.path == "/idle" else None) as server,
            server.connect() as idle,
        ):
            idle.sendall(GET % b"/idle")
            assert idle.recv(1000)
            with server.connect() as client:
                client.sendall(GET % b"/")
                received = read_until_broken(client)
            assert not received.endswith(b"0\r\n\r\n")
            assert application.body.closed.wait(10)
            idle.sendall(GET % b"/idle")
            assert idle.recv(1000)

    def test_one_of_another_length_than_it_told_is_broken_off(self) -> None:
        with serving(giving(lambda: iter([b"one"]), ("Content-Length", "6"))) as server, server.connect() as client:
            client.sendall(GET % b"/")
            assert read_until_broken(client).endswith(b"one")

    def test_a_client_that_takes_nothing_is_broken_off(self) -> None:
        def endless() -> Iterator[bytes]:
            while True:
                yield PART

        application = giving(endless)
        with serving(application, patience=Patience(stall=0.5)) as server, server.connect(8192) as client:
            client.sendall(GET % b"/")
            client.recv(1)
            assert application.body.closed.wait(10)

    def test_a_client_that_takes_little_is_waited_for(self) -> None:
        with (
            serving(giving(lambda: iter([PART] * 40)), patience=Patience(stall=0.5)) as server,
            server.connect(4096) as client,
        ):
            client.sendall(CLOSE)
            received = 0
            deadline = time.monotonic() + 3
            while time.monotonic() < deadline:
                received += len(client.recv(2000))
                time.sleep(0.01)
            received += len(read_all(client))
            assert received > 40 * len(PART)

    def test_one_that_nobody_waits_for_any_more_is_given_up(self) -> None:
        def endless() -> Iterator[bytes]:
            while True:
                yield PART

        application = giving(endless)
        with serving(application) as server:
            with server.connect() as client:
                client.sendall(GET % b"/")
                client.recv(1)
            assert application.body.closed.wait(10)

    def test_what_can_be_had_at_once_waits_for_no_thread(self) -> None:
        go_on = threading.Event()

        def slow(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
            go_on.wait(10)
            return echo(environ, start_response)

        with serving(slow, lambda asked: Whole(200, OK, b"now") if asked.path == "/tile" else None) as server:
            waiting = [server.connect() for _ in range(5)]
            for client in waiting:
                client.sendall(CLOSE)
            with server.connect() as client:
                client.sendall(GET % b"/tile")
                assert client.recv(1000).endswith(b"now")
            go_on.set()
            for client in waiting:
                assert told(read_all(client))["PATH_INFO"] == "/"
                client.close()

    def test_what_comes_a_little_later_is_answered_in_its_turn_and_what_does_not_is_asked_of_the_application(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def later(request_: Request) -> Whole | None:
            await asyncio.sleep(0.05)
            if request_.path == "/bad":
                raise ZeroDivisionError
            return Whole(200, OK, request_.path.encode()) if request_.path.startswith("/tile") else None

        with serving(at_once=later) as server:
            answers = server.ask(GET % b"/tile1" + GET % b"/page" + GET % b"/tile2" + CLOSE)
            places = [answers.find(body) for body in (b"/tile1", b'"/page"', b"/tile2", b'"PATH_INFO": "/"')]
            assert places == sorted(places)
            assert places[0] > 0
            assert server.ask(GET % b"/bad").startswith(b"HTTP/1.1 500 ")
            with server.connect() as gone:
                gone.sendall(GET % b"/tile")
            time.sleep(0.1)
            assert told(server.ask(CLOSE))["PATH_INFO"] == "/"
        assert caplog.text.count("Traceback") == 1

    def test_a_defect_at_once_ends_only_its_connection(self, caplog: pytest.LogCaptureFixture) -> None:
        def defective(asked: Request) -> None:
            if asked.path == "/bad":
                raise ZeroDivisionError

        with serving(at_once=defective) as server:
            assert server.ask(GET % b"/bad").startswith(b"HTTP/1.1 500 ")
            assert told(server.ask(CLOSE))["PATH_INFO"] == "/"
        assert "ZeroDivisionError" in caplog.text


def read_until_broken(client: socket.socket) -> bytes:
    received = b""
    try:
        while data := client.recv(1 << 16):
            received += data
    except ConnectionError:
        pass
    return received


class TestManyConnections:
    def test_those_that_there_is_no_room_for_wait_until_there_is(self) -> None:
        with serving(most=3) as server:
            first = [server.connect() for _ in range(3)]
            for client in first:
                client.sendall(GET % b"/first")
                assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 OK")
            with server.connect() as late:
                late.sendall(CLOSE)
                late.settimeout(1.5)
                with pytest.raises(TimeoutError):
                    late.recv(1)
                first.pop().close()
                late.settimeout(10)
                assert told(read_all(late))["PATH_INFO"] == "/"
            for client in first:
                client.close()


class TestTheEnd:
    def test_slow_and_unused_connections_are_closed(self) -> None:
        patience = Patience(request=0.5, unused=1.5)
        with serving(patience=patience) as server, server.connect() as unused, server.connect() as slow:
            slow.sendall(b"GET / HTT")
            began = time.monotonic()
            assert slow.recv(10) == b""
            assert time.monotonic() - began < 1.6
            assert unused.recv(10) == b""

    def test_an_answer_under_way_ends_whole_and_its_connection_closes(self) -> None:
        go_on = threading.Event()

        def slow(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
            go_on.wait(10)
            return echo(environ, start_response)

        with serving(slow) as server, server.connect() as client, server.connect() as unused:
            client.sendall(GET % b"/")
            time.sleep(0.3)
            server.stop()
            time.sleep(0.3)
            with pytest.raises(ConnectionError):
                server.connect()
            go_on.set()
            answer = read_all(client)
            assert told(answer)["PATH_INFO"] == "/"
            assert b"Connection: close\r\n" in answer
            unused.sendall(GET % b"/late")  # a connection that was taken is served yet
            assert told(read_all(unused))["PATH_INFO"] == "/late"
            server.join()
