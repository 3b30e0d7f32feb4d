"""A pool of child processes for code that may crash, hang, exhaust memory, or be taken over by its input.

Masters and records are read and large images are rendered here. The protocol between the two processes (`frames.py`)::

    parent                                          child
                                               <--  READY: all rights are given up
    SandboxPool.call(function, *arguments)     -->  function(*descriptors, *arguments)
                        STARTED                <--
                        RESULT or ERROR        <--

    SandboxPool.open_session(function, *arguments)  -->  function(channel, *descriptors, *arguments)
                        STARTED                <--
                        REQUEST                <--  channel.request(value)
                        RESPONSE (respond)     -->
                        CHUNK                  <--  channel.send(chunk), any number of times
                        RESULT or ERROR        <--

A child has an empty environment and gives up its rights before the first call (`boundary.py`): it can use the files
whose descriptors a call passes, and nothing else. It runs one call at a time. A child that dies, exceeds its time or
sends something malformed is replaced, and only its call fails, with `SandboxFailed`. A session that is closed early
kills its child. The socket buffers little, so `Channel.send` blocks until the parent reads. A `ShanbenError` that the
function declares is sent to the parent and raised there; any other exception ends the child, and the last line of its
traceback becomes the reason of `SandboxFailed`.

Children end with their parent, however it ends: each reads a pipe whose other end only the parent holds. Each child is
in a process group of its own, so that Ctrl-C at the terminal reaches only the parent. It stays in the parent's session,
because Linux may divide processor time between sessions before it considers nice values (sched(7), autogroups).
Standard output and error go to a temporary file. A child is started by the first call that needs it.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from repository.errors import SandboxFailed
from repository.localized import LocalizedText
from repository.sandbox.frames import FrameInvalid, FrameKind, SentCall, SentError, decode, encode, rebuild_error
from repository.sandbox.functions import Layer, Quota, Result, SandboxFunction, SandboxNotStarted
from repository.sandbox.process import ChildProcess, malformed

LAYERS: Final = tuple(Layer)
"""All layers of the boundary; those that the system offers become active."""


class SandboxSession:
    """A call that is running: an iterator of the chunks it sends. `result` is its return value once it has ended.

    `next` raises what the function or `respond` raises, and `SandboxFailed`. The time limit counts while `next` runs,
    `respond` included, and not between two calls, while the child waits for the parent to read.
    """

    def __init__(
        self,
        child: ChildProcess,
        release: Callable[[ChildProcess | None], None],
        seconds: float,
        function: SandboxFunction[Any],
        respond: Callable[[Any], object],
    ) -> None:
        self.result: Any = None
        self._child: ChildProcess | None = child
        self._release = release
        self._seconds = self._left = seconds
        self._function = function
        self._respond = respond

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        """Return the next chunk."""
        child, started = self._child, monotonic()
        if child is None:
            raise StopIteration
        with ExitStack() as on_failure:
            on_failure.callback(self.close)
            try:
                chunk = self._next_chunk(child, started + self._left)
            except TimeoutError as fault:
                seconds = f"{self._seconds:g}"
                reason = LocalizedText(f"超过 {seconds} 秒", f"it took more than {seconds} s")
                raise SandboxFailed(reason=reason) from fault
            except FrameInvalid as fault:
                raise malformed(fault) from fault
            on_failure.pop_all()
        self._left -= monotonic() - started
        if chunk is None:
            raise StopIteration
        return chunk

    def _next_chunk(self, child: ChildProcess, deadline: float) -> bytes | None:
        while True:
            kind, payload = child.receive(deadline)
            if kind is FrameKind.CHUNK:
                return payload
            if kind is FrameKind.REQUEST:
                response = self._respond(decode(payload, self._function.request))
                child.send(FrameKind.RESPONSE, encode(response), deadline)
                continue
            error = None
            if kind is FrameKind.RESULT:
                self.result = decode(payload, self._function.result)
            elif kind is FrameKind.ERROR:
                error = rebuild_error(decode(payload, SentError), self._function.errors)
            else:
                raise FrameInvalid(kind.name)
            self._child = None
            self._release(child)
            if error is not None:
                raise error
            return None

    def close(self) -> None:
        """Kill the child if the call has not ended. Closing twice is harmless."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            self._release(None)

    def abort(self) -> None:
        """Kill the child, from any thread; a thread that waits for a chunk gets `SandboxFailed`. Call `close` too."""
        child = self._child
        if child is not None:
            child.interrupt()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SandboxPool:
    """A pool of `count` children that run `functions`. Safe to use from several threads.

    `scratch` holds the temporary files of the pool. `layers` are the layers of the boundary to use, where they exist.
    """

    def __init__(
        self,
        functions: Sequence[SandboxFunction[Any]],
        count: int,
        scratch: Path,
        limits: Quota,
        layers: Sequence[Layer] = LAYERS,
    ) -> None:
        self._functions = [function.address for function in functions]
        self._scratch = scratch
        self._limits = limits
        self._layers = layers
        self._life_read, self._life_write = os.pipe()
        self._closed = False
        # None: a child that has not been started.
        self._idle: queue.SimpleQueue[ChildProcess | None] = queue.SimpleQueue()
        self.count = count
        for _ in range(count):
            self._idle.put(None)

    def call(
        self,
        function: SandboxFunction[Result],
        *arguments: object,
        files: Sequence[int] = (),
        seconds: float | None = None,
        respond: Callable[[Any], object] | None = None,
    ) -> Result:
        """Run `function` in a free child, wait for one if necessary, and return its result.

        `files` are descriptors, which the child receives copies of. `seconds` is the time of this call, if less than
        that of the quota. `respond` answers the child's requests; the function then has a channel, on which it sends
        no chunks. Raises what `function` declares, what `respond` raises, `SandboxFailed` when the child dies, exceeds
        its time or sends something malformed, `SandboxNotStarted`, and `StagingFault` when `scratch` cannot be written.
        """
        with self._open(function, arguments, files, respond, seconds) as session:
            for _ in session:
                raise malformed(FrameInvalid("a chunk from a function that has none"))
        result: Result = session.result
        return result

    def open_session(
        self,
        function: SandboxFunction[Any],
        *arguments: object,
        respond: Callable[[Any], object],
        files: Sequence[int] = (),
    ) -> SandboxSession:
        """Start `function` in a free child and return the session that yields its chunks.

        `respond` answers the child's requests in the thread that iterates over the session; an error of `respond` is
        raised there and kills the child. The caller must exhaust or close the session.
        """
        return self._open(function, arguments, files, respond)

    def active_layers(self) -> tuple[Layer, ...]:
        """Return the layers of the boundary around the children. Starts a child if none has been started.

        Raises `SandboxNotStarted`, `StagingFault`.
        """
        child = self._idle.get()
        with ExitStack() as on_failure:
            on_failure.callback(self._idle.put, None)
            child = child or self._started()
            on_failure.pop_all()
        self._idle.put(child)
        return child.layers

    def _open(
        self,
        function: SandboxFunction[Any],
        arguments: tuple[object, ...],
        files: Sequence[int],
        respond: Callable[[Any], object] | None,
        seconds: float | None = None,
    ) -> SandboxSession:
        call = SentCall(function.address, msgspec.Raw(encode(arguments)), respond is not None)
        child = self._idle.get()
        with ExitStack() as on_failure:
            on_failure.callback(self._idle.put, None)
            if child is not None and not child.start(call, files):
                child.kill()
                child = None
            if child is None:
                child = self._started()
                on_failure.callback(child.kill)
                if not child.start(call, files):
                    raise SandboxNotStarted(reason=child.exit_reason())
            on_failure.pop_all()
        limit = min(seconds or self._limits.seconds, self._limits.seconds)
        return SandboxSession(child, self._idle.put, limit, function, respond or _refuse_request)

    def _started(self) -> ChildProcess:
        child = ChildProcess(self._scratch, self._limits, self._life_read, self._functions, self._layers)
        if not child.wait_until_ready():
            reason = child.exit_reason()
            child.kill()
            raise SandboxNotStarted(reason=reason)
        return child

    def close(self) -> None:
        """End the children. No call may be running."""
        if self._closed:
            return
        self._closed = True
        for _ in range(self.count):
            if child := self._idle.get():
                child.kill()
        os.close(self._life_read)
        os.close(self._life_write)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _refuse_request(value: Any) -> object:
    raise FrameInvalid(f"request outside a session: {value!r:.80}")
