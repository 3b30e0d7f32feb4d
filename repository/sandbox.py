"""A pool of child processes for code that may crash, hang or exhaust memory.

Masters are decoded and large images are rendered here. The protocol between the two processes::

    parent                                          child
    SandboxPool.call(function, *arguments)     -->  function(*arguments)
                        acknowledgement        <--
                        result or error        <--

    SandboxPool.open_session(function, *arguments)  -->  function(channel, *arguments)
                        acknowledgement        <--
                        request                <--  channel.request(value)
                        respond(value)         -->
                        chunk of bytes         <--  channel.send(chunk), any number of times
                        result or error        <--

A child runs one call at a time. A child that dies or exceeds its time is replaced, and only its call fails, with
`SandboxFailed`. A session that is closed early kills its child. The pipe buffers little, so `Channel.send` blocks until
the parent reads. A `ShanbenError` is sent to the parent and raised there; any other exception ends the child, and the
last line of its traceback becomes the reason of `SandboxFailed`.

Children end with their parent, however it ends: each reads a pipe whose other end only the parent holds. Each child is
in a process group of its own, so that Ctrl-C at the terminal reaches only the parent. It stays in the parent's session,
because Linux may divide processor time between sessions before it considers nice values (sched(7), autogroups).
Standard output and error go to a temporary file. A child is started by the first call that needs it.
"""

from __future__ import annotations

import os
import queue
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from signal import Signals
from time import monotonic
from types import TracebackType
from typing import IO, Any, Final, Self, TypeVar

from repository.errors import SandboxFailed, ShanbenError, StagingFault
from repository.localized import LocalizedText

MEMORY: Final = 4 << 30
"""Default limit of a child's private memory in bytes (RLIMIT_DATA): twice what the longest accepted scroll needs."""

_PROGRAM: Final = "import sys; from repository.sandbox import run_child; run_child(sys.argv[1:])"
_START_SECONDS: Final = 60.0
_EXIT_SECONDS: Final = 10.0
_STDERR_BYTES: Final = 4096

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Quota:
    """The resources of one call: `seconds` of elapsed time, `memory` in bytes, `threads` for libvips in one child.

    `niceness` is added to the child's nice value, 0 to 19 (nice(2)).
    """

    seconds: float
    memory: int = MEMORY
    threads: int = 1
    niceness: int = 0


class Channel:
    """The child's end of a session. Several threads may use it, as libvips does."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._requesting = threading.Lock()
        self._sending = threading.Lock()

    def request(self, value: object) -> Any:
        """Return the parent's response to `value`."""
        with self._requesting:
            self._write(_Request(value))
            return self._pipe.recv()

    def send(self, chunk: bytes) -> None:
        """Send a chunk of the output; block until the parent has read enough of the earlier ones."""
        self._write(_Chunk(chunk))

    def _write(self, message: object) -> None:
        with self._sending:
            self._pipe.send(message)


class SandboxSession:
    """A call that is running: an iterator of the chunks it sends. `result` is its return value once it has ended.

    `next` raises what the function or `respond` raises, and `SandboxFailed`. The time limit counts only while the
    parent waits for the child, not while the child waits for the parent to read.
    """

    def __init__(
        self,
        child: _Child,
        release: Callable[[_Child | None], None],
        seconds: float,
        respond: Callable[[Any], object],
    ) -> None:
        self.result: Any = None
        self._child: _Child | None = child
        self._release = release
        self._seconds = self._left = seconds
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
            chunk = self._next_chunk(child, started)
            on_failure.pop_all()
        self._left -= monotonic() - started
        if chunk is None:
            raise StopIteration
        return chunk

    def _next_chunk(self, child: _Child, started: float) -> bytes | None:
        while True:
            message = child.receive(self._left - (monotonic() - started))
            if message is None:
                seconds = f"{self._seconds:g}"
                raise SandboxFailed(reason=LocalizedText(f"超过 {seconds} 秒", f"it took more than {seconds} s"))
            if isinstance(message, _Chunk):
                return message.data
            if isinstance(message, _Request):
                child.send(self._respond(message.value))
                continue
            self._child = None
            self._release(child)
            if isinstance(message, _Error):
                raise message.kind(**message.details)
            self.result = message.value
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


@dataclass(frozen=True, slots=True)
class _Call:
    function: Callable[..., Any]
    arguments: tuple[object, ...]
    needs_channel: bool


@dataclass(frozen=True, slots=True)
class _Request:
    value: Any


@dataclass(frozen=True, slots=True)
class _Chunk:
    data: bytes


@dataclass(frozen=True, slots=True)
class _Result:
    value: Any


@dataclass(frozen=True, slots=True)
class _Error:
    """A domain error. Its class takes keyword arguments only, which pickle cannot reproduce."""

    kind: type[ShanbenError]
    details: dict[str, Any]


class SandboxPool:
    """A pool of `count` children with their temporary files in `scratch`. Safe to use from several threads."""

    def __init__(self, count: int, scratch: Path, limits: Quota) -> None:
        self._scratch = scratch
        self._limits = limits
        self._life_read, self._life_write = os.pipe()
        self._closed = False
        # None: a child that has not been started.
        self._idle: queue.SimpleQueue[_Child | None] = queue.SimpleQueue()
        self._count = count
        for _ in range(count):
            self._idle.put(None)

    def call(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Run `function` in a free child, wait for one if necessary, and return its result.

        The function and its arguments must be picklable and importable in the child. Raises what `function` raises if
        that is a `ShanbenError`, `SandboxFailed` when the child dies or exceeds its time, and `StagingFault` when
        `scratch` cannot be written.
        """
        with self._open(_Call(function, arguments, needs_channel=False), _refuse_request) as session:
            for _ in session:
                raise TypeError(f"{function} sends chunks: use open_session()")
        result: Result = session.result
        return result

    def open_session(
        self, function: Callable[..., None], *arguments: object, respond: Callable[[Any], object]
    ) -> SandboxSession:
        """Start ``function(channel, *arguments)`` in a free child and return the session that yields its chunks.

        `respond` answers the child's requests in the thread that iterates over the session; an error of `respond` is
        raised there and kills the child. The caller must exhaust or close the session.
        """
        return self._open(_Call(function, arguments, needs_channel=True), respond)

    def _open(self, call: _Call, respond: Callable[[Any], object]) -> SandboxSession:
        child = self._idle.get()
        with ExitStack() as on_failure:
            on_failure.callback(self._idle.put, None)
            if child is not None and not child.start(call):
                child.kill()
                child = None
            if child is None:
                child = _Child(self._scratch, self._limits, self._life_read)
                on_failure.callback(child.kill)
                if not child.start(call):
                    raise SandboxFailed(reason=child.exit_reason())
            on_failure.pop_all()
        return SandboxSession(child, self._idle.put, self._limits.seconds, respond)

    def close(self) -> None:
        """End the children. No call may be running."""
        if self._closed:
            return
        self._closed = True
        for _ in range(self._count):
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


class _Child:
    """One child process with its pipe and the file of its standard error."""

    def __init__(self, scratch: Path, limits: Quota, life: int) -> None:
        try:
            self._stderr: IO[bytes] = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115  closed with the child
        except OSError as fault:
            raise StagingFault(reason=fault.strerror) from fault
        ours, theirs = Pipe()
        numbers = (theirs.fileno(), life, limits.memory, limits.threads, limits.niceness)
        self._process = subprocess.Popen(  # noqa: S603  our own module, our own numbers
            [sys.executable, "-P", "-c", _PROGRAM, *map(str, numbers), str(scratch)],
            stdin=subprocess.DEVNULL,
            stdout=self._stderr,
            stderr=self._stderr,
            pass_fds=(theirs.fileno(), life),
            process_group=0,
        )
        theirs.close()
        self._pipe = ours

    def start(self, call: _Call) -> bool:
        """Send a call and return whether the child acknowledged it. If not, it was dead before: the call is not why."""
        # The child writes through the same open file description, so its offset returns to the start too.
        self._stderr.seek(0)
        self._stderr.truncate()
        try:
            self._pipe.send(call)
            acknowledged = self._pipe.poll(_START_SECONDS)
            if acknowledged:
                self._pipe.recv()
        except (EOFError, OSError):
            return False
        return acknowledged

    def send(self, message: object) -> None:
        """Send a message to the child. Raises `SandboxFailed` when the child is dead."""
        try:
            self._pipe.send(message)
        except OSError as fault:
            raise SandboxFailed(reason=self.exit_reason()) from fault

    def receive(self, seconds: float) -> Any:
        """Return a message from the child, or None after `seconds`. Raises `SandboxFailed` when the child is dead."""
        try:
            return self._pipe.recv() if self._pipe.poll(max(seconds, 0)) else None
        except (EOFError, OSError) as fault:
            raise SandboxFailed(reason=self.exit_reason()) from fault

    def interrupt(self) -> None:
        """Send SIGKILL to the process; its resources stay until `kill`."""
        self._process.kill()

    def kill(self) -> None:
        """Kill the process if it is alive, and release its resources."""
        self._process.kill()
        self._process.wait()
        self._pipe.close()
        self._stderr.close()

    def exit_reason(self) -> str | LocalizedText:
        """Return why the process ended: the signal, the last line of its standard error, or both."""
        try:
            status = self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            return LocalizedText("连接中断", "the connection broke")
        line = self._last_line()
        if status >= 0:
            return line or f"exit {status}"
        with suppress(ValueError):
            return f"{Signals(-status).name}{': ' if line else ''}{line}"
        return f"signal {-status}"

    def _last_line(self) -> str:
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - _STDERR_BYTES))
        lines = [line.strip() for line in self._stderr.read().decode("utf-8", "replace").splitlines()]
        return next((line for line in reversed(lines) if line), "")


def run_child(arguments: list[str]) -> None:
    """Set the resource limits and serve calls: the main function of a child process."""
    pipe, life, memory, threads, niceness = map(int, arguments[:5])
    # libvips reads both variables when it is loaded, which the first call does.
    os.environ["TMPDIR"] = arguments[5]
    os.environ["VIPS_CONCURRENCY"] = str(threads)
    os.nice(niceness)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_exit_with_parent, args=(life,), daemon=True).start()
    _serve_calls(Connection(pipe))


def _serve_calls(pipe: Connection) -> None:
    """Run calls until the parent closes its end of the pipe."""
    while True:
        try:
            call = pipe.recv()
        except EOFError:
            return
        pipe.send(None)  # the acknowledgement: from here on a crash may be due to the call
        channel = (Channel(pipe),) if call.needs_channel else ()
        answer: _Result | _Error
        try:
            answer = _Result(call.function(*channel, *call.arguments))
        except ShanbenError as error:
            answer = _Error(type(error), error.details)
        pipe.send(answer)


def _exit_with_parent(life: int) -> None:
    """Wait for the end of file of a pipe that nobody writes to, which is the end of the parent; then exit."""
    os.read(life, 1)
    os._exit(1)


def _refuse_request(value: Any) -> object:
    raise TypeError(f"request outside a session: {value!r}")
