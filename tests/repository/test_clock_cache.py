from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from repository.clock_cache import ClockCache


def test_entries_that_were_not_read_are_evicted_first() -> None:
    kept: ClockCache[str, int] = ClockCache(3)
    for number, key in enumerate("abc"):
        kept.put(key, number)
    assert kept.get("a") == 0
    kept.put("d", 3)
    assert [kept.get(key) for key in "abcd"] == [0, None, 2, 3]


def test_the_capacity_bounds_the_total_cost() -> None:
    kept: ClockCache[str, bytes] = ClockCache(10, len)
    kept.put("a", b"x" * 6)
    kept.put("b", b"x" * 5)
    assert kept.get("a") is None
    kept.put("c", b"x" * 11)
    assert kept.get("c") is None
    assert kept.get("b") == b"x" * 5
    kept.put("b", b"x" * 10)
    kept.forget("b")
    kept.put("d", b"x" * 10)
    assert kept.get("d") is not None


def test_the_cache_may_be_used_by_many_threads() -> None:
    kept: ClockCache[int, int] = ClockCache(50)

    def work(start: int) -> None:
        for step in range(3000):
            key = (start * 7 + step) % 200
            found = kept.get(key)
            assert found is None or found == key
            kept.put(key, key)
            if step % 11 == 0:
                kept.forget(key)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert sum(kept.get(key) is not None for key in range(200)) <= 50
