"""Ranges read in an event loop, from a server that may answer anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from repository.errors import KeyNotFound, StoreFault
from repository.storage import ranged_reads
from repository.storage.ranged_reads import MOST_CONNECTIONS, RangedReads

CONTENT = bytes(range(256)) * 40
RANGE = b"HTTP/1.1 206 Partial Content\r\nContent-Length: %d\r\n\r\n%b"

Answer = Callable[[bytes], bytes]


class Server:
    """Answers every request by `answer`, in pieces of `piece` bytes; what it gives without an end is broken off."""

    def __init__(self, answer: Answer, *, piece: int = 1 << 20, closes: bool = False) -> None:
        self.answer = answer
        self.piece = piece
        self.closes = closes
        self.connections = self.open = self.most_open = 0
        self.asked: list[bytes] = []
        self.signed: list[str] = []
        self.port = 0

    async def sign(self, key: str, seconds: int) -> str:
        self.signed.append(key)
        return f"http://127.0.0.1:{self.port}/bucket/{key}?X-Amz-Expires={seconds}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        try:
            while True:
                asked = await reader.readuntil(b"\r\n\r\n")
                self.asked.append(asked)
                answer = self.answer(asked)
                for start in range(0, len(answer), self.piece):
                    writer.write(answer[start : start + self.piece])
                    await writer.drain()
                    await asyncio.sleep(0)
                if self.closes:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()


def in_range(asked: bytes) -> bytes:
    """What a store answers."""
    first, last = map(int, asked.partition(b"Range: bytes=")[2].partition(b"\r\n")[0].split(b"-"))
    part = CONTENT[first : last + 1]
    return RANGE % (len(part), part)


@asynccontextmanager
async def reading(server: Server) -> AsyncIterator[RangedReads]:
    started = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = started.sockets[0].getsockname()[1]
    reads = RangedReads(server.sign)
    try:
        yield reads
    finally:
        reads.close()
        started.close()


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 30))


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_just_the_range_is_read_on_one_connection_at_an_address_signed_once(piece: int) -> None:
    async def work() -> None:
        server = Server(in_range, piece=piece)
        async with reading(server) as reads:
            for start, length in ((0, 1), (5, 300), (len(CONTENT) - 9, 9)):
                assert await reads.read("a/b", start, length) == CONTENT[start : start + length]
        assert (server.connections, server.signed) == (1, ["a/b"])
        assert server.asked[1].startswith(b"GET /bucket/a/b?X-Amz-Expires=900 HTTP/1.1\r\nHost: 127.0.0.1:")

    run(work())


def test_many_wait_for_their_turn() -> None:
    async def work() -> None:
        server = Server(in_range)
        async with reading(server) as reads:
            wanted = range(4 * MOST_CONNECTIONS)
            got = await asyncio.gather(*(reads.read("a", start, 50) for start in wanted))
        assert got == [CONTENT[start : start + 50] for start in wanted]
        assert server.most_open <= MOST_CONNECTIONS

    run(work())


def test_a_connection_that_the_server_ended_meanwhile_is_made_again() -> None:
    async def work() -> None:
        server = Server(in_range, closes=True)
        async with reading(server) as reads:
            for start in range(4):
                assert await reads.read("a", start, 5) == CONTENT[start : start + 5]
                await asyncio.sleep(start % 2 * 0.05)  # it may be known by then, or not
        assert server.connections == 4

    run(work())


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n<absent/>", KeyNotFound),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", StoreFault),
        (b"HTTP/1.1 503 Slow Down\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", StoreFault),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789", StoreFault),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", StoreFault),
        (RANGE % (9, b"012345678"), StoreFault),
        (RANGE % (11, b"0123456789x"), StoreFault),
        (RANGE % (0, b""), StoreFault),
        (b"HTTP/1.1 206 Partial Content\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n" + bytes(1024), StoreFault),
        (b"nonsense\r\n\r\n", StoreFault),
        (b"\0" * 100, StoreFault),
    ],
)
def test_what_is_not_the_range_is_a_fault_and_does_no_harm_to_the_next(answer: bytes, fault: type[StoreFault]) -> None:
    async def work() -> None:
        server = Server(lambda _: answer)
        async with reading(server) as reads:
            with pytest.raises(fault) as caught:
                await reads.read("a", 0, 10)
            assert type(caught.value) is fault
            server.answer = in_range
            assert await reads.read("a", 3, 10) == CONTENT[3:13]

    run(work())


def test_an_answer_that_breaks_off_is_a_fault() -> None:
    async def work() -> None:
        async with reading(Server(lambda _: RANGE % (10, b"0123"), closes=True)) as reads:
            with pytest.raises(StoreFault):
                await reads.read("a", 0, 10)

    run(work())


def test_bytes_that_nobody_asked_for_end_the_connection() -> None:
    async def work() -> None:
        server = Server(lambda asked: in_range(asked) + b"HTTP/1.1 206 P\r\nContent-Length: 5\r\n\r\nwrong")
        async with reading(server) as reads:
            assert await reads.read("a", 0, 5) == CONTENT[:5]
            await asyncio.sleep(0.05)
            server.answer = in_range
            assert await reads.read("a", 1, 5) == CONTENT[1:6]
        assert server.connections == 2

    run(work())


def test_no_answer_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranged_reads, "_READ_SECONDS", 0.3)

    async def work() -> None:
        server = Server(lambda _: b"")
        async with reading(server) as reads:
            with pytest.raises(StoreFault):
                await reads.read("a", 0, 10)
            server.answer = in_range
            assert await reads.read("a", 0, 10) == CONTENT[:10]

    run(work())


def test_nobody_there_is_a_fault() -> None:
    async def work() -> None:
        server = Server(in_range)
        async with reading(server):
            pass
        with pytest.raises(StoreFault):
            await RangedReads(server.sign).read("a", 0, 10)

    run(work())


def test_an_address_is_signed_anew_before_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranged_reads, "_RENEW_SECONDS", 0.0)

    async def work() -> None:
        server = Server(in_range)
        async with reading(server) as reads:
            for _ in range(3):
                await reads.read("a", 0, 10)
        assert len(server.signed) == 3

    run(work())
