"""A circuit breaker: limits calls to a service that is known to be unavailable. (pure)"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from repository.errors import SystemFault

Value = TypeVar("Value")


class CircuitBreaker:
    """Opens after a transient `fault` and closes after the next success. Used from one event loop.

    While it is open one call at a time probes the service and every other call fails immediately, so that an outage
    does not make all requests wait for its timeouts.
    """

    def __init__(self, fault: type[SystemFault]) -> None:
        self._fault = fault
        self._open = False
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether the last call found the service unavailable."""
        return self._open

    async def call(self, action: Callable[[], Awaitable[Value]], **details: object) -> Value:
        """Return the result of `action`. Raises `fault` with `details` while another call probes the service."""
        if not self._open:
            return await self._attempt(action)
        if self._probing:
            raise self._fault(**details)
        self._probing = True
        try:
            return await self._attempt(action)
        finally:
            self._probing = False

    async def _attempt(self, action: Callable[[], Awaitable[Value]]) -> Value:
        try:
            value = await action()
        except self._fault as fault:
            self._open = fault.transient
            raise
        self._open = False
        return value
