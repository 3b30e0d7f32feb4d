"""The spool between a rendering and a client that reads slower."""

from __future__ import annotations

import asyncio
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iiif_server.render import spool
from iiif_server.render.spool import ClientTooSlow, Spool, SpoolRoom
from repository.errors import StoreFault

PART = bytes(range(256)) * 4


class Clock:
    """A clock that stands still until `now` is changed."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MEMORY", 2 * len(PART))
    monkeypatch.setattr(spool, "_PART", len(PART))


async def take_all(queue: Spool) -> bytes:
    parts = []
    while (part := await queue.take()) is not None:
        parts.append(part)
    return b"".join(parts)


@settings(deadline=None, max_examples=60)
@given(
    lengths=st.lists(st.integers(1, 3 * len(PART)), max_size=30),
    pauses=st.lists(st.integers(0, 4), min_size=1, max_size=10),
    capacity=st.sampled_from([0, 3 * len(PART), 1 << 30]),
    writable=st.booleans(),
)
def test_parts_are_taken_as_they_were_put_however_the_client_reads(
    lengths: list[int], pauses: list[int], capacity: int, writable: bool
) -> None:
    parts = [bytes([number % 251]) * length for number, length in enumerate(lengths)]

    async def scenario() -> bytes:
        with ThreadPoolExecutor(2) as threads, pytest.MonkeyPatch.context() as patch:
            if not writable:
                patch.setattr(tempfile, "tempdir", "/nowhere")
            queue = Spool(SpoolRoom(capacity), threads)

            async def put() -> None:
                for number, part in enumerate(parts):
                    for _ in range(pauses[number % len(pauses)]):
                        await asyncio.sleep(0)
                    await queue.put(part)
                queue.end()

            putting = asyncio.create_task(put())
            taken = []
            while (part := await queue.take()) is not None:
                taken.append(part)
                for _ in range(pauses[-1 - len(taken) % len(pauses)]):
                    await asyncio.sleep(0)
            await putting
            queue.close()
            return b"".join(taken)

    assert asyncio.run(scenario()) == b"".join(parts)


def test_everything_is_put_without_a_client_and_its_length_is_known() -> None:
    async def scenario() -> None:
        with ThreadPoolExecutor(1) as threads:
            queue = Spool(SpoolRoom(), threads)
            for _ in range(50):
                await queue.put(PART)
            queue.end()
            assert await queue.length() == 50 * len(PART)
            assert await take_all(queue) == 50 * PART

    asyncio.run(scenario())


def test_length_is_unknown_when_there_is_no_space() -> None:
    async def scenario() -> None:
        with ThreadPoolExecutor(1) as threads:
            queue = Spool(SpoolRoom(0), threads)

            async def put() -> None:
                for _ in range(5):
                    await queue.put(PART)

            putting = asyncio.create_task(put())
            assert await queue.length() is None
            queue.close()
            await putting

    asyncio.run(scenario())


def test_fault_is_raised_after_the_parts_before_it() -> None:
    async def scenario() -> None:
        with ThreadPoolExecutor(1) as threads:
            queue = Spool(SpoolRoom(), threads)
            for _ in range(6):
                await queue.put(PART)
            queue.end(StoreFault(key="k", reason="away"))
            assert [await queue.take() for _ in range(6)] == [PART] * 6
            for read in (queue.take, queue.length):
                with pytest.raises(StoreFault):
                    await read()

    asyncio.run(scenario())


def test_image_whose_client_reads_slowest_makes_room_for_another() -> None:
    async def scenario() -> None:
        clock = Clock()
        room = SpoolRoom(18 * len(PART), clock)
        with ThreadPoolExecutor(1) as threads:
            queues = [Spool(room, threads) for _ in range(2)]
            for queue in queues:
                for _ in range(10):
                    await queue.put(PART)
                queue.end()
            clock.now += 10
            slow, fast = queues
            for _ in range(3):
                await fast.take()
            other = Spool(room, threads)
            for _ in range(6):
                await other.put(PART)
            other.end()
            with pytest.raises(ClientTooSlow):
                await slow.take()
            assert await take_all(fast) == 7 * PART
            assert await take_all(other) == 6 * PART

    asyncio.run(scenario())


def test_file_has_no_name_and_its_space_is_freed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    async def scenario() -> None:
        room = SpoolRoom(4 * len(PART))
        with ThreadPoolExecutor(1) as threads:
            queue = Spool(room, threads)
            for _ in range(20):  # five times the capacity, because the client keeps up
                for _ in range(5):
                    await queue.put(PART)
                assert [await queue.take() for _ in range(5)] == [PART] * 5
            for _ in range(5):
                await queue.put(PART)
            assert list(tmp_path.iterdir()) == []
            queue.close()
            assert await queue.take() is None

    asyncio.run(scenario())
