"""A pool of child processes for work that may crash, hang or eat memory: decoding foreign files, making large pictures.

::

    parent                                   child
    SandboxPool.call(function, *arguments) --> serve: function(*arguments)
                    taken on             <--
                    result or error      <--

    SandboxPool.talk(function, *arguments) --> serve: function(link, *arguments)
                    a question           <-- link.ask(question)
                    reply(question)      -->
                    bytes                <-- link.give(part), as often as there is something to give
                    the end, or error    <--

One child does one call at a time. A child that dies or overstays is replaced, and only its call fails
(`SandboxFailed`). A talk that is not heard to its end ends the child. The pipe holds little, so a child waits for
whoever takes its parts. Domain errors travel back as they are; any other error of a function is a defect, and ends the
child with its traceback as the reason.

Children end with their parent, however it ends: each watches a pipe whose other end only the parent holds. They sit in
process groups of their own, so that an interrupt at the terminal reaches the parent alone; but in its session, for
Linux may share the processors out among sessions first (sched(7), autogroups), where a nice one gets as much as one
that is not. What they write on standard error
goes to a file, never to the terminal, and its last line explains a death. They are started at the first call.
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
"""Bytes of private memory a child may take (RLIMIT_DATA): twice what the longest scroll allowed needs."""

_START: Final = "import sys; from repository.sandbox import run; run(sys.argv[1:])"
_START_SECONDS: Final = 60.0
_DEATH_SECONDS: Final = 10.0
_LAST_WORDS: Final = 4096

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Quota:
    """What one call may take: `seconds` by the clock, `memory` in bytes; `threads` is for libvips in one child.

    `niceness` is how far the child stands back for others, 0 to 19 (nice(2)).
    """

    seconds: float
    memory: int = MEMORY
    threads: int = 1
    niceness: int = 0


class Channel:
    """The child's end of a talk. Its methods may be used from several threads, as libvips does."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._asking = threading.Lock()
        self._sending = threading.Lock()

    def ask(self, question: object) -> Any:
        """What the parent replies."""
        with self._asking:
            self._send(_Question(question))
            return self._pipe.recv()

    def give(self, part: bytes) -> None:
        """A part of what the call gives; waits while nobody takes it."""
        self._send(_Part(part))

    def _send(self, message: object) -> None:
        with self._sending:
            self._pipe.send(message)


class SandboxSession:
    """A call under way: an iterator of the parts it gives. `result` is what it returned, when it has ended.

    Raises, as the parts are taken, what the function or `reply` raises, and `SandboxFailed`. The time that the child
    may take is counted while its parts are waited for, not while they wait to be taken.
    """

    def __init__(
        self, child: _Child, put: Callable[[_Child | None], None], seconds: float, reply: Callable[[Any], object]
    ) -> None:
        self.result: Any = None
        self._child: _Child | None = child
        self._put = put
        self._seconds = self._left = seconds
        self._reply = reply

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        """The next part."""
        child, began = self._child, monotonic()
        if child is None:
            raise StopIteration
        with ExitStack() as on_failure:
            on_failure.callback(self.close)
            part = self._next_part(child, began)
            on_failure.pop_all()
        self._left -= monotonic() - began
        if part is None:
            raise StopIteration
        return part

    def _next_part(self, child: _Child, began: float) -> bytes | None:
        while True:
            message = child.receive(self._left - (monotonic() - began))
            if message is None:
                seconds = f"{self._seconds:g}"
                raise SandboxFailed(reason=LocalizedText(f"超过 {seconds} 秒", f"it took more than {seconds} s"))
            if isinstance(message, _Part):
                return message.data
            if isinstance(message, _Question):
                child.send(self._reply(message.question))
                continue
            self._child = None
            self._put(child)
            if isinstance(message, _Failure):
                raise message.error(**message.details)
            self.result = message.result
            return None

    def close(self) -> None:
        """Give up what has not ended: its child is killed. May be called again."""
        child, self._child = self._child, None
        if child is not None:
            child.end()
            self._put(None)

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
    talks: bool


@dataclass(frozen=True, slots=True)
class _Question:
    question: Any


@dataclass(frozen=True, slots=True)
class _Part:
    data: bytes


@dataclass(frozen=True, slots=True)
class _Result:
    result: Any


@dataclass(frozen=True, slots=True)
class _Failure:
    """A domain error on its way back; errors take keywords only, which pickle cannot know."""

    error: type[ShanbenError]
    details: dict[str, Any]


class SandboxPool:
    """`count` children, their temporary files in `scratch`. Its methods may be used from several threads."""

    def __init__(self, count: int, scratch: Path, limits: Quota) -> None:
        self._scratch = scratch
        self._limits = limits
        self._life_read, self._life_write = os.pipe()
        self._closed = False
        # None stands for a child not started yet.
        self._idle: queue.SimpleQueue[_Child | None] = queue.SimpleQueue()
        self._count = count
        for _ in range(count):
            self._idle.put(None)

    def call(self, function: Callable[..., Result], *arguments: object) -> Result:
        """What `function` returns; waits for a free child. Both must be picklable and importable in the child.

        Raises what `function` raises if it is a `ShanbenError`, `SandboxFailed` when the child dies or overstays, and
        `StagingFault` when there is no room to begin.
        """
        with self._begin(_Call(function, arguments, talks=False), _no_reply) as talk:
            for _ in talk:
                raise TypeError(f"{function} gives parts: it is for talk()")
        result: Result = talk.result
        return result

    def talk(self, function: Callable[..., None], *arguments: object, reply: Callable[[Any], object]) -> SandboxSession:
        """Begin ``function(link, *arguments)`` in a free child, for which this waits; it gives its parts as they come.

        What the child asks is answered by `reply` in the thread that takes the parts; an error of `reply` is raised
        there, and ends the child. The result must be read to its end or closed.
        """
        return self._begin(_Call(function, arguments, talks=True), reply)

    def _begin(self, call: _Call, reply: Callable[[Any], object]) -> SandboxSession:
        child = self._idle.get()
        with ExitStack() as on_failure:
            on_failure.callback(self._idle.put, None)
            if child is not None and not child.begin(call):
                child.end()
                child = None
            if child is None:
                child = _Child(self._scratch, self._limits, self._life_read)
                on_failure.callback(child.end)
                if not child.begin(call):
                    raise SandboxFailed(reason=child.cause_of_death())
            on_failure.pop_all()
        return SandboxSession(child, self._idle.put, self._limits.seconds, reply)

    def close(self) -> None:
        """End the children, when no call is under way."""
        if self._closed:
            return
        self._closed = True
        for _ in range(self._count):
            if child := self._idle.get():
                child.end()
        os.close(self._life_read)
        os.close(self._life_write)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Child:
    """One process, its pipe and its last words."""

    def __init__(self, scratch: Path, limits: Quota, life: int) -> None:
        try:
            self._words: IO[bytes] = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115  closed with the child
        except OSError as fault:
            raise StagingFault(reason=fault.strerror) from fault
        ours, theirs = Pipe()
        numbers = (theirs.fileno(), life, limits.memory, limits.threads, limits.niceness)
        self._process = subprocess.Popen(  # noqa: S603  our own module, our own numbers
            [sys.executable, "-P", "-c", _START, *map(str, numbers), str(scratch)],
            stdin=subprocess.DEVNULL,
            stdout=self._words,
            stderr=self._words,
            pass_fds=(theirs.fileno(), life),
            process_group=0,
        )
        theirs.close()
        self._pipe = ours

    def begin(self, call: _Call) -> bool:
        """Send a call; whether the child has taken it on. If not it had ended before, which is no fault of the call."""
        # The child writes through the same open file, so this takes it back to the start too.
        self._words.seek(0)
        self._words.truncate()
        try:
            self._pipe.send(call)
            taken_on = self._pipe.poll(_START_SECONDS)
            if taken_on:
                self._pipe.recv()
        except (EOFError, OSError):
            return False
        return taken_on

    def send(self, message: object) -> None:
        """One message to the child. Raises `SandboxFailed` when it is gone."""
        try:
            self._pipe.send(message)
        except OSError as fault:
            raise SandboxFailed(reason=self.cause_of_death()) from fault

    def receive(self, seconds: float) -> Any:
        """One message from the child, None when none comes in time. Raises `SandboxFailed` when it is gone."""
        try:
            return self._pipe.recv() if self._pipe.poll(max(seconds, 0)) else None
        except (EOFError, OSError) as fault:
            raise SandboxFailed(reason=self.cause_of_death()) from fault

    def end(self) -> None:
        """Kill the process, if it lives, and let go of what belongs to it."""
        self._process.kill()
        self._process.wait()
        self._pipe.close()
        self._words.close()

    def cause_of_death(self) -> str | LocalizedText:
        """Why it ended: its last words, or the signal."""
        try:
            status = self._process.wait(_DEATH_SECONDS)
        except subprocess.TimeoutExpired:
            return LocalizedText("连接中断", "the connection broke")
        words = self._last_words()
        if status >= 0:
            return words or f"exit {status}"
        with suppress(ValueError):
            return f"{Signals(-status).name}{': ' if words else ''}{words}"
        return f"signal {-status}"

    def _last_words(self) -> str:
        size = self._words.seek(0, os.SEEK_END)
        self._words.seek(max(0, size - _LAST_WORDS))
        lines = [line.strip() for line in self._words.read().decode("utf-8", "replace").splitlines()]
        return next((line for line in reversed(lines) if line), "")


def serve(pipe: Connection) -> None:
    """Answer calls until the parent closes its end: the child's whole life."""
    while True:
        try:
            call = pipe.recv()
        except EOFError:
            return
        pipe.send(None)  # from here on, what befalls this process may be due to the call
        link = (Channel(pipe),) if call.talks else ()
        answer: _Result | _Failure
        try:
            answer = _Result(call.function(*link, *call.arguments))
        except ShanbenError as error:
            answer = _Failure(type(error), error.details)
        pipe.send(answer)


def run(arguments: list[str]) -> None:
    """Set the limits and serve: what a child process is started with."""
    pipe, life, memory, threads, niceness = map(int, arguments[:5])
    # libvips reads both when it is loaded, which the first call does.
    os.environ["TMPDIR"] = arguments[5]
    os.environ["VIPS_CONCURRENCY"] = str(threads)
    os.nice(niceness)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_end_with_parent, args=(life,), daemon=True).start()
    serve(Connection(pipe))


def _end_with_parent(life: int) -> None:
    """Nothing is ever written to this pipe: reading returns when the parent is gone."""
    os.read(life, 1)
    os._exit(1)


def _no_reply(question: Any) -> object:
    raise TypeError(f"nobody was to ask: {question!r}")
