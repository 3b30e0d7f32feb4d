"""Limits the rendering that one client may use, as a token bucket of cost. (pure)

The unit is that of `cost.cost`: the time of one decoded JPEG pixel, about 22 ns of a core. Stored tiles cost nothing
and are not limited. Each process keeps its own buckets, so `n` processes serve a client at up to `n` times the rate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from repository.clock_cache import ClockCache

BURST_SECONDS: Final = 30.0
"""The size of a full bucket, in seconds of the rate."""

_CLIENTS: Final = 10_000


class ClientBudget:
    """Token buckets for clients, refilled at `rate` units a second. Used from one event loop.

    A bucket may go into debt by one request, so that a request that alone exceeds a full bucket is still served.
    """

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: ClockCache[str, tuple[float, float]] = ClockCache(_CLIENTS)

    def spend(self, client: str, cost: float) -> float:
        """Charge a request and return 0, or return the seconds to wait and charge nothing.

        An empty `client` stands for a trusted caller, which is not limited; nor is anybody while the rate is 0.
        """
        if not client or not self._rate:
            return 0.0
        full = self._rate * BURST_SECONDS
        now = self._clock()
        balance, since = self._buckets.get(client) or (full, now)
        balance = min(full, balance + (now - since) * self._rate)
        if balance <= 0:
            return -balance / self._rate + 1.0
        self._buckets.put(client, (balance - cost, now))
        return 0.0

    def refund(self, client: str, cost: float) -> None:
        """Give back what `spend` charged for a request that was refused after all."""
        if bucket := self._buckets.get(client):
            balance, since = bucket
            self._buckets.put(client, (balance + cost, since))
