from __future__ import annotations

import asyncio

import pytest

from iiif_server.tiles.circuit_breaker import CircuitBreaker
from repository.errors import KeyNotFound, StoreFault


async def fail() -> bytes:
    raise StoreFault(key="k", reason="unavailable")


async def miss() -> bytes:
    raise KeyNotFound(key="k")


async def succeed() -> bytes:
    return b"data"


def test_an_open_circuit_breaker_lets_one_call_probe_and_fails_the_others() -> None:
    async def scenario() -> None:
        breaker, finish = CircuitBreaker(StoreFault), asyncio.Event()
        with pytest.raises(StoreFault, match="unavailable"):
            await breaker.call(fail, key="k", reason="first")
        assert breaker.is_open

        async def probe() -> bytes:
            await finish.wait()
            return b"probe"

        probing = asyncio.create_task(breaker.call(probe, key="k", reason="probe"))
        await asyncio.sleep(0)
        with pytest.raises(StoreFault, match="refused"):
            await breaker.call(succeed, key="k", reason="refused")
        finish.set()
        assert await probing == b"probe"
        assert not breaker.is_open
        assert await breaker.call(succeed, key="k", reason="") == b"data"

    asyncio.run(scenario())


def test_a_failed_or_cancelled_probe_lets_the_next_call_probe() -> None:
    async def scenario() -> None:
        breaker = CircuitBreaker(StoreFault)
        for _ in range(2):
            with pytest.raises(StoreFault, match="unavailable"):
                await breaker.call(fail, key="k", reason="refused")
        probing = asyncio.create_task(breaker.call(lambda: asyncio.sleep(60, b""), key="k", reason="refused"))
        await asyncio.sleep(0)
        probing.cancel()
        await asyncio.wait({probing})
        assert await breaker.call(succeed, key="k", reason="refused") == b"data"

    asyncio.run(scenario())


def test_a_missing_key_does_not_open_the_circuit_breaker() -> None:
    async def scenario() -> None:
        breaker = CircuitBreaker(StoreFault)
        with pytest.raises(KeyNotFound):
            await breaker.call(miss, key="k", reason="")
        assert not breaker.is_open

    asyncio.run(scenario())
