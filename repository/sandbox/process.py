"""One child process, as its parent sees it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from signal import Signals
from time import monotonic
from typing import IO, Final

import msgspec

from repository.errors import SandboxFailed, StagingFault
from repository.localized import LocalizedText
from repository.sandbox.child import Orders
from repository.sandbox.frames import FrameInvalid, FrameKind, FrameSocket, SentCall, decode, encode
from repository.sandbox.functions import Layer, Quota, SandboxNotStarted

_PROGRAM: Final = (
    "import json, sys; orders = sys.argv[1]; sys.path[:] = json.loads(orders)['path']; "
    "from repository.sandbox.child import run_child; run_child(orders)"
)
_START_SECONDS: Final = 60.0
_EXIT_SECONDS: Final = 10.0
_STDERR_BYTES: Final = 4096
_MALFORMED: Final = LocalizedText("子进程发来的内容不合格式", "the child sent something malformed")


class ChildProcess:
    """A child with its socket and the file of its standard error. Its environment is empty.

    `layers` are the active layers of its boundary, known after `wait_until_ready`.
    """

    def __init__(
        self, scratch: Path, limits: Quota, life: int, functions: Sequence[str], layers: Sequence[Layer]
    ) -> None:
        self.layers: tuple[Layer, ...] = ()
        try:
            self._stderr: IO[bytes] = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115  closed with the child
        except OSError as fault:
            raise StagingFault(reason=fault.strerror) from fault
        try:
            ours = self._start(scratch, limits, life, functions, layers)
        except OSError as fault:
            self._stderr.close()
            raise SandboxNotStarted(reason=fault.strerror) from fault
        self._socket = FrameSocket(ours)

    def _start(
        self, scratch: Path, limits: Quota, life: int, functions: Sequence[str], layers: Sequence[Layer]
    ) -> socket.socket:
        """Start the process, and return the parent's end of its socket."""
        ours, theirs = socket.socketpair()
        orders = Orders(
            socket=theirs.fileno(),
            life=life,
            memory=limits.memory,
            threads=limits.threads,
            niceness=limits.niceness,
            file_bytes=limits.file_bytes,
            scratch=str(scratch.absolute()),
            # Relative entries are left out: a child imports nothing from the current folder.
            path=[entry for entry in sys.path if os.path.isabs(entry)],
            functions=list(functions),
            layers=list(layers),
        )
        with ExitStack() as on_failure, theirs:
            on_failure.callback(ours.close)
            self._process = subprocess.Popen(  # noqa: S603  our own module, our own orders
                [sys.executable, "-I", "-c", _PROGRAM, msgspec.json.encode(orders).decode()],
                stdin=subprocess.DEVNULL,
                stdout=self._stderr,
                stderr=self._stderr,
                pass_fds=(theirs.fileno(), life),
                process_group=0,
                env={},
            )
            on_failure.pop_all()
        return ours

    def wait_until_ready(self) -> bool:
        """Wait until the child has given up its rights; return whether it has."""
        try:
            kind, payload = self._socket.receive(monotonic() + _START_SECONDS)
            self.layers = decode(payload, tuple[Layer, ...])
        except (EOFError, OSError, FrameInvalid):
            return False
        return kind is FrameKind.READY

    def start(self, call: SentCall, files: Sequence[int]) -> bool:
        """Send a call and return whether the child acknowledged it. If not, it was dead before: the call is not why."""
        # The child writes through the same open file description, so its offset returns to the start too.
        self._stderr.seek(0)
        self._stderr.truncate()
        deadline = monotonic() + _START_SECONDS
        try:
            self._socket.send(FrameKind.CALL, encode(call), deadline, files)
            kind, _ = self._socket.receive(deadline)
        except (EOFError, OSError, FrameInvalid):
            return False
        return kind is FrameKind.STARTED

    def send(self, kind: FrameKind, payload: bytes, deadline: float) -> None:
        """Send a frame. Raises `TimeoutError`, and `SandboxFailed` when the child is dead."""
        try:
            self._socket.send(kind, payload, deadline)
        except TimeoutError:
            raise
        except OSError as fault:
            raise SandboxFailed(reason=self.exit_reason()) from fault

    def receive(self, deadline: float) -> tuple[FrameKind, bytes]:
        """Return a frame from the child. Raises `TimeoutError`, and `SandboxFailed` when it is dead or malicious."""
        try:
            return self._socket.receive(deadline)
        except TimeoutError:
            raise
        except FrameInvalid as fault:
            raise malformed(fault) from fault
        except (EOFError, OSError) as fault:
            raise SandboxFailed(reason=self.exit_reason()) from fault

    def interrupt(self) -> None:
        """Send SIGKILL to the process; its resources stay until `kill`."""
        self._process.kill()

    def kill(self) -> None:
        """Kill the process if it is alive, and release its resources."""
        self._process.kill()
        self._process.wait()
        self._socket.close()
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


def malformed(fault: FrameInvalid) -> SandboxFailed:
    """Return the error for a frame that a child of ours would not send; the child must be killed."""
    return SandboxFailed(reason=LocalizedText(f"{_MALFORMED.zh}：{fault}", f"{_MALFORMED.en}: {fault}"))
