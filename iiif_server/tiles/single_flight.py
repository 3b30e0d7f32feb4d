"""Single-flight: concurrent calls for the same key share one execution. (pure)"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class SingleFlight(Generic[Value]):
    """Runs one coroutine for all that ask for a key at the same time. Used from one event loop.

    A caller that is cancelled leaves the execution to the others; nothing is kept after it has ended.
    """

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[Value]] = {}

    async def run(self, key: Hashable, read: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """Return the result of `read`, or raise its error; a call in progress for `key` is joined."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.get_running_loop().create_task(read())
            task.add_done_callback(lambda ended: self._end(key, ended))
        return await asyncio.shield(task)

    def _end(self, key: Hashable, task: asyncio.Task[Value]) -> None:
        del self._tasks[key]
        if not task.cancelled():
            task.exception()  # marks it as retrieved: all callers may have been cancelled
