from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from iiif_server.tiles.circuit_breaker import CircuitBreaker
from repository.errors import KeyNotFound, StoreFault


def fail() -> bytes:
    raise StoreFault(key="k", reason="away")


def absent() -> bytes:
    raise KeyNotFound(key="k")


def test_once_the_store_is_away_one_thread_tries_and_the_others_are_refused_at_once() -> None:
    fuse, entered, go_on = CircuitBreaker(StoreFault), threading.Event(), threading.Event()
    with pytest.raises(StoreFault):
        fuse.run(fail, key="k", reason="first")

    def slow() -> bytes:
        entered.set()
        assert go_on.wait(10)
        return b"there"

    with ThreadPoolExecutor(1) as pool:
        trial = pool.submit(fuse.run, slow, key="k", reason="trial")
        assert entered.wait(10)
        with pytest.raises(StoreFault, match="refused"):
            fuse.run(lambda: b"never called", key="k", reason="refused")
        go_on.set()
        assert trial.result(10) == b"there"
    assert fuse.run(lambda: b"again", key="k", reason="") == b"again"


def test_an_answer_that_something_is_absent_does_not_blow_it() -> None:
    fuse = CircuitBreaker(StoreFault)
    with pytest.raises(KeyNotFound):
        fuse.run(absent, key="k", reason="")
    with ThreadPoolExecutor(2) as pool:
        barrier = threading.Barrier(2)
        both = [pool.submit(fuse.run, lambda: barrier.wait(10), key="k", reason="") for _ in range(2)]
        assert {flight.result(10) for flight in both} == {0, 1}
