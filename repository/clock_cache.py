"""A bounded memory of what was used lately, for many threads. (pure)"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class _Entry(Generic[Value]):
    __slots__ = ("cost", "touched", "value")

    def __init__(self, value: Value, cost: int) -> None:
        self.value = value
        self.cost = cost
        self.touched = False


def _one(_: object) -> int:
    return 1


class ClockCache(Generic[Key, Value]):
    """A mapping that forgets, to stay within a budget: `capacity` in the units of `cost`, entries unless told.

    What was not asked for since the last round of forgetting goes first (the CLOCK rule), so that a hit, which every
    tile is, sets one flag and takes no lock. A value that alone is over the budget is not kept.
    """

    def __init__(self, capacity: int, cost: Callable[[Value], int] = _one) -> None:
        self._capacity = capacity
        self._cost = cost
        self._used = 0
        self._entries: dict[Key, _Entry[Value]] = {}
        self._lock = Lock()

    def get(self, key: Key) -> Value | None:
        """The value kept under `key`, or None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        entry.touched = True
        return entry.value

    def put(self, key: Key, value: Value) -> None:
        """Keep a value, and forget others for it."""
        entry = _Entry(value, self._cost(value))
        with self._lock:
            self._remove(key)
            if entry.cost > self._capacity:
                return
            while self._used + entry.cost > self._capacity:
                self._forget_one()
            self._entries[key] = entry
            self._used += entry.cost

    def forget(self, key: Key) -> None:
        """Drop what is kept under `key`, if anything is."""
        with self._lock:
            self._remove(key)

    def _forget_one(self) -> None:
        """Drop the oldest entry that was not asked for; those that were get one more round."""
        while True:
            key, entry = next(iter(self._entries.items()))
            if not entry.touched:
                break
            entry.touched = False
            self._entries[key] = self._entries.pop(key)
        self._remove(key)

    def _remove(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._used -= entry.cost
