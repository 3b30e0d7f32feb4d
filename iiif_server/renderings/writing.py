"""Runs a writer of a file in a thread and hands its bytes to the event loop, as fast as the client reads.

The writer asks for pictures and writes bytes; both wait for the event loop. `WrittenFile.close` ends the writer at its
next step, so a client that leaves stops the work.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import CancelledError, Executor, Future
from typing import Any, Final, TypeVar

from iiif_server.renderings.book_pdf import FetchPicture, Output

_PART: Final = 64 << 10
"""Bytes that are collected before they are handed over."""

_PARTS: Final = 4
"""Parts that wait for the client; the writer waits when there are more."""

FetchPictureAsync = Callable[[str], Coroutine[Any, Any, bytes]]
Writer = Callable[[FetchPicture, Output], None]

_Result = TypeVar("_Result")


class WritingEnded(ConnectionAbortedError):
    """The client has left, so the file is not written to its end."""


class WrittenFile:
    """The bytes of a file while `writer` writes it in a thread of `threads`. Used from one event loop."""

    def __init__(self, writer: Writer, fetch: FetchPictureAsync, threads: Executor) -> None:
        self._loop = asyncio.get_running_loop()
        self._parts: asyncio.Queue[bytes] = asyncio.Queue(_PARTS)
        self._bridge = _Bridge(self._loop, fetch, self._parts)
        self._writing = self._loop.run_in_executor(threads, self._bridge.run, writer)

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the bytes. Raises what the writer raises: the bytes before are not a whole file then."""
        while not (self._writing.done() and self._parts.empty()):
            step = asyncio.ensure_future(self._parts.get())
            await asyncio.wait((step, self._writing), return_when=asyncio.FIRST_COMPLETED)
            if step.done():
                yield step.result()
            else:
                step.cancel()
        await self._writing

    def end(self) -> None:
        """Let the writer end at its next step; `parts` then raises `WritingEnded`."""
        self._bridge.end()

    async def close(self) -> None:
        """End the writer, and wait until it has ended. May be called again."""
        self.end()
        await asyncio.wait({self._writing})
        if not self._writing.cancelled():
            self._writing.exception()  # asyncio logs those that nobody has seen


class _Bridge:
    """What the writer sees in its thread: a function that fetches pictures, and an output."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fetch: FetchPictureAsync, parts: asyncio.Queue[bytes]) -> None:
        self._loop, self._fetch, self._parts = loop, fetch, parts
        self._lock = threading.Lock()
        self._step: Future[Any] | None = None
        self._has_ended = False
        self._buffer = bytearray()

    def run(self, writer: Writer) -> None:
        """Run the writer to its end."""
        writer(self._picture, self)
        self._flush()

    def write(self, data: bytes) -> None:
        """Take bytes of the file."""
        self._buffer += data
        if len(self._buffer) >= _PART:
            self._flush()

    def end(self) -> None:
        """Let the step that waits, or the next one, raise `WritingEnded`."""
        with self._lock:
            self._has_ended = True
            if self._step is not None:
                self._step.cancel()

    def _picture(self, path: str) -> bytes:
        self._flush()  # the client has what precedes the picture while the picture is made
        return self._wait(self._fetch(path))

    def _flush(self) -> None:
        if self._buffer:
            part, self._buffer = bytes(self._buffer), bytearray()
            self._wait(self._parts.put(part))

    def _wait(self, step: Coroutine[Any, Any, _Result]) -> _Result:
        """Return the result of a step in the event loop."""
        with self._lock:
            if self._has_ended:
                step.close()
                raise WritingEnded
            waiting: Future[_Result] = asyncio.run_coroutine_threadsafe(step, self._loop)
            self._step = waiting
        try:
            return waiting.result()
        except CancelledError as fault:
            raise WritingEnded from fault
