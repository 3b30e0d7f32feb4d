"""A fuse before a service that may be away: so that not every thread comes to wait for it. (pure)"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from repository.errors import SystemFault

Value = TypeVar("Value")


class CircuitBreaker:
    """After a passing fault of the kind given, only one thread at a time tries; one success, and all go on as before.

    So a service that is away holds, once it is known to be, one thread and not all, for as long as its time-outs last.
    """

    def __init__(self, kind: type[SystemFault]) -> None:
        self._kind = kind
        self._blown = False
        self._trial = Lock()

    @property
    def is_open(self) -> bool:
        """Whether the last that was heard of the service is that it is away."""
        return self._blown

    def run(self, act: Callable[[], Value], **details: object) -> Value:
        """What `act` gives. While another thread tries, raises the fault at once, with `details`."""
        if not self._blown:
            return self._try(act)
        if not self._trial.acquire(blocking=False):
            raise self._kind(**details)
        try:
            return self._try(act)
        finally:
            self._trial.release()

    def _try(self, act: Callable[[], Value]) -> Value:
        try:
            value = act()
        except self._kind as fault:
            self._blown = fault.transient
            raise
        self._blown = False
        return value
