"""A bounded cache with the CLOCK replacement policy, for many threads. (pure)"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class _Entry(Generic[Value]):
    __slots__ = ("cost", "value", "was_read")

    def __init__(self, value: Value, cost: int) -> None:
        self.value = value
        self.cost = cost
        self.was_read = False


def _cost_of_one(_: object) -> int:
    return 1


class ClockCache(Generic[Key, Value]):
    """A mapping whose values cost at most `capacity` together; without a `cost` function each value costs 1.

    To make room it evicts the oldest entry that was not read since the last scan (the CLOCK policy), so that a hit sets
    one flag and takes no lock. A value that costs more than `capacity` is not stored.
    """

    def __init__(self, capacity: int, cost: Callable[[Value], int] = _cost_of_one) -> None:
        self._capacity = capacity
        self._cost = cost
        self._used = 0
        self._entries: dict[Key, _Entry[Value]] = {}
        self._lock = Lock()

    def get(self, key: Key) -> Value | None:
        """Return the value of a key, or None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        entry.was_read = True
        return entry.value

    def put(self, key: Key, value: Value) -> None:
        """Store a value, and evict others to make room."""
        entry = _Entry(value, self._cost(value))
        with self._lock:
            self._remove(key)
            if entry.cost > self._capacity:
                return
            while self._used + entry.cost > self._capacity:
                self._evict_one()
            self._entries[key] = entry
            self._used += entry.cost

    def forget(self, key: Key) -> None:
        """Remove the value of a key, if there is one."""
        with self._lock:
            self._remove(key)

    def _evict_one(self) -> None:
        """Evict the oldest entry that was not read; entries that were read move to the end."""
        while True:
            key, entry = next(iter(self._entries.items()))
            if not entry.was_read:
                break
            entry.was_read = False
            self._entries[key] = self._entries.pop(key)
        self._remove(key)

    def _remove(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._used -= entry.cost
