from __future__ import annotations

import asyncio

import pytest

from iiif_server.tiles.single_flight import SingleFlight
from repository.errors import StoreFault


def test_concurrent_calls_for_a_key_share_one_execution() -> None:
    async def scenario() -> None:
        flights: SingleFlight[int] = SingleFlight()
        executions = 0

        async def read() -> int:
            nonlocal executions
            executions += 1
            await asyncio.sleep(0.01)
            return executions

        assert await asyncio.gather(*(flights.run("key", read) for _ in range(5))) == [1] * 5
        assert await asyncio.gather(flights.run("key", read), flights.run("other", read)) == [2, 3] or executions == 3

    asyncio.run(scenario())


def test_concurrent_calls_share_an_error_and_the_next_call_executes_again() -> None:
    async def scenario() -> None:
        flights: SingleFlight[bytes] = SingleFlight()
        failing = True

        async def read() -> bytes:
            await asyncio.sleep(0.01)
            if failing:
                raise StoreFault(key="k", reason="unavailable")
            return b"data"

        results = await asyncio.gather(*(flights.run("k", read) for _ in range(3)), return_exceptions=True)
        assert {type(result) for result in results} == {StoreFault}
        failing = False
        assert await flights.run("k", read) == b"data"

    asyncio.run(scenario())


def test_a_cancelled_caller_leaves_the_result_to_the_others() -> None:
    async def scenario() -> None:
        flights: SingleFlight[bytes] = SingleFlight()

        async def read() -> bytes:
            await asyncio.sleep(0.02)
            return b"data"

        first, second = (asyncio.create_task(flights.run("k", read)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == b"data"
        with pytest.raises(asyncio.CancelledError):
            await first

    asyncio.run(scenario())
