"""A file that a thread writes and the event loop sends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from iiif_server.renderings.book_pdf import FetchPicture, Output
from iiif_server.renderings.writing import WrittenFile

PART = 100_000


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


async def picture(path: str) -> bytes:
    await asyncio.sleep(0)
    return path.encode()


def test_bytes_arrive_in_order_and_what_precedes_a_picture_arrives_before_it(threads: ThreadPoolExecutor) -> None:
    asked = asyncio.Event()

    async def late(path: str) -> bytes:
        await asked.wait()
        return await picture(path)

    def write(fetch: FetchPicture, output: Output) -> None:
        output.write(b"head ")
        output.write(fetch("picture"))
        output.write(b" tail" + bytes(PART))

    async def read() -> bytes:
        file = WrittenFile(write, late, threads)
        received = []
        async for part in file.parts():
            received.append(part)
            asked.set()
        assert received[0] == b"head "
        return b"".join(received)

    assert asyncio.run(read()) == b"head picture tail" + bytes(PART)


def test_writer_waits_for_a_client_that_does_not_read_and_ends_when_it_leaves(threads: ThreadPoolExecutor) -> None:
    written, ended = [], threading.Event()

    def write(_: FetchPicture, output: Output) -> None:
        try:
            while True:
                output.write(bytes(PART))
                written.append(PART)
        finally:
            ended.set()

    async def leave() -> None:
        file = WrittenFile(write, picture, threads)
        async for _ in file.parts():
            break
        waiting = -1
        while waiting != len(written):  # until the writer waits
            waiting = len(written)
            await asyncio.sleep(0.05)
        assert waiting < 10
        await file.close()
        assert ended.is_set()
        assert len(written) == waiting

    asyncio.run(leave())


def test_picture_that_is_being_made_is_given_up_when_the_client_leaves(threads: ThreadPoolExecutor) -> None:
    given_up = False
    begun = asyncio.Event()

    async def endless(_: str) -> bytes:
        nonlocal given_up
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            given_up = True
        return b""

    async def leave() -> None:
        file = WrittenFile(lambda fetch, output: output.write(fetch("picture")), endless, threads)
        await begun.wait()
        await file.close()
        await asyncio.sleep(0)
        assert given_up

    asyncio.run(leave())


def test_error_of_the_writer_reaches_the_reader(threads: ThreadPoolExecutor) -> None:
    def write(_: FetchPicture, output: Output) -> None:
        output.write(b"begun")
        raise LookupError

    async def read() -> None:
        file = WrittenFile(write, picture, threads)
        with pytest.raises(LookupError):
            async for _ in file.parts():
                pass
        await file.close()

    asyncio.run(read())
