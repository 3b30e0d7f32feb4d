"""A pool of child processes for work that may crash, hang or eat memory: the decoding of foreign files.

::

    parent                                   child
    ChildPool.call(function, *arguments) --> serve: function(*arguments)
                    result or error      <--

One child does one call at a time. A child that dies or overstays is replaced, and only its call fails (`DecoderLost`).
Domain errors travel back as they are; any other error of a function is a defect, and ends the child with its traceback
as the reason.

Children end with their parent, however it ends: each watches a pipe whose other end only the parent holds. They sit in
a session of their own, so that an interrupt at the terminal reaches the parent alone. What they write on standard error
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
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from signal import Signals
from types import TracebackType
from typing import IO, Any, Final, Self, TypeVar

from repository.errors import DecoderLost, ShanbenError, StagingFault
from repository.text import Text

MEMORY: Final = 4 << 30
"""Bytes of private memory a child may take (RLIMIT_DATA): twice what the longest scroll allowed needs."""

_START: Final = "import sys; from workers.child import run; run(sys.argv[1:])"
_DEATH_SECONDS: Final = 10.0
_LAST_WORDS: Final = 4096

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may take: `seconds` by the clock, `memory` in bytes; `threads` is for libvips in one child."""

    seconds: float
    memory: int = MEMORY
    threads: int = 1


class ChildPool:
    """`count` children, their temporary files in `scratch`. Its methods may be used from several threads."""

    def __init__(self, count: int, scratch: Path, limits: Limits) -> None:
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

        Raises what `function` raises if it is a `ShanbenError`, `DecoderLost` when the child dies or overstays, and
        `StagingFault` when there is no room to begin.
        """
        child = self._idle.get()
        kept: _Child | None = None
        try:
            if child is None:
                child = _Child(self._scratch, self._limits, self._life_read)
            answer = child.ask(function, arguments, self._limits.seconds)
            kept = child
        finally:
            if child is not None and kept is None:
                child.end()
            self._idle.put(kept)
        if isinstance(answer, _Failure):
            raise answer.error(**answer.details)
        result: Result = answer
        return result

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


@dataclass(frozen=True, slots=True)
class _Failure:
    """A domain error on its way back; errors take keywords only, which pickle cannot know."""

    error: type[ShanbenError]
    details: dict[str, Any]


class _Child:
    """One process, its pipe and its last words."""

    def __init__(self, scratch: Path, limits: Limits, life: int) -> None:
        try:
            self._words: IO[bytes] = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115  closed with the child
        except OSError as fault:
            raise StagingFault(reason=fault.strerror) from fault
        ours, theirs = Pipe()
        numbers = (theirs.fileno(), life, limits.memory, limits.threads)
        self._process = subprocess.Popen(  # noqa: S603  our own module, our own numbers
            [sys.executable, "-P", "-c", _START, *map(str, numbers), str(scratch)],
            stdin=subprocess.DEVNULL,
            stdout=self._words,
            stderr=self._words,
            pass_fds=(theirs.fileno(), life),
            start_new_session=True,
        )
        theirs.close()
        self._pipe = ours

    def ask(self, function: Callable[..., Any], arguments: tuple[object, ...], seconds: float) -> Any:
        """The answer. Raises `DecoderLost`; the child is then of no more use."""
        # The child writes through the same open file, so this takes it back to the start too.
        self._words.seek(0)
        self._words.truncate()
        try:
            self._pipe.send((function, arguments))
            if not self._pipe.poll(seconds):
                raise DecoderLost(reason=Text(f"超过 {seconds:g} 秒", f"it took more than {seconds:g} s"))
            return self._pipe.recv()
        except (EOFError, OSError) as fault:
            raise DecoderLost(reason=self._cause_of_death()) from fault

    def end(self) -> None:
        """Kill the process, if it lives, and let go of what belongs to it."""
        self._process.kill()
        self._process.wait()
        self._pipe.close()
        self._words.close()

    def _cause_of_death(self) -> str | Text:
        try:
            status = self._process.wait(_DEATH_SECONDS)
        except subprocess.TimeoutExpired:
            return Text("连接中断", "the connection broke")
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
            function, arguments = pipe.recv()
        except EOFError:
            return
        try:
            answer = function(*arguments)
        except ShanbenError as error:
            answer = _Failure(type(error), error.details)
        pipe.send(answer)


def run(arguments: list[str]) -> None:
    """Set the limits and serve: what a child process is started with."""
    pipe, life, memory, threads = map(int, arguments[:4])
    # libvips reads both when it is loaded, which the first call does.
    os.environ["TMPDIR"] = arguments[4]
    os.environ["VIPS_CONCURRENCY"] = str(threads)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_end_with_parent, args=(life,), daemon=True).start()
    serve(Connection(pipe))


def _end_with_parent(life: int) -> None:
    """Nothing is ever written to this pipe: reading returns when the parent is gone."""
    os.read(life, 1)
    os._exit(1)
