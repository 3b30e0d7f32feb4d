"""A server run in the foreground as a child of the test, with its log kept, and ended by its own process ids."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

# Ends a program whose test died without ending it: the pipe closes when the test process ends, whatever ended it.
GUARD = 'read -r _; kill -s KILL -- "-$1" 2>/dev/null'
LOG_LINES = 30
READY_SECONDS = 60.0
END_SECONDS = 30.0


class ServerFailed(AssertionError):
    """A server ended or did not answer in time; the message holds the end of its log."""


class Guard:
    """Kills a process group when the test process ends, until it is dismissed."""

    def __init__(self, group: int) -> None:
        command = ["sh", "-c", GUARD, "guard", str(group)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def dismiss(self) -> None:
        """End the guard. Call it before the group's leader is waited for: its id may then become another's."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


class ServerProcess:
    """A program that can be started, stopped or killed, and started again with the same command.

    It leads a session of its own: an interrupt at the terminal reaches the test alone, which then ends the program.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        *,
        user: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.log = log
        self._user = user
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self, ready: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
        """Start the program unless it runs, and wait until `ready` holds. Raises `ServerFailed`."""
        if self.pid is None:
            self._finish()
            self._launch()
        self.wait_until(ready, seconds)

    def wait_until(self, ready: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
        """Wait until `ready` holds. Raises `ServerFailed` when the program ends before, or after `seconds`."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self.pid is None:
                raise ServerFailed(f"{self.name} ended\n{self.end_of_log()}")
            if time.monotonic() > deadline:
                raise ServerFailed(f"{self.name} did not answer within {seconds:.0f} s\n{self.end_of_log()}")
            time.sleep(0.02)

    def send(self, number: int) -> None:
        """Send a signal if the program runs."""
        if self.pid is not None and self._process is not None:
            self._process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM, seconds: float = END_SECONDS) -> None:
        """End the program by a signal and wait; kill it when it does not end in time."""
        if number == signal.SIGKILL:
            self.kill()
            return
        self.send(number)
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        self.kill()

    def kill(self) -> None:
        """Send SIGKILL to the program and to every descendant, also to those in sessions of their own."""
        if self._process is not None:
            kill_family(self._process)
        self._finish()

    def end_of_log(self) -> str:
        """The last lines of the log."""
        lines = self.log.read_text("utf-8", "replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-LOG_LINES:])

    def _launch(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.log.parent,
                env=self._environment,
                user=self._user,
                group=self._user and group_of(self._user),
                extra_groups=[] if self._user else None,
                start_new_session=True,
            )
        self._guard = Guard(self._process.pid)

    def _finish(self) -> None:
        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None
        if self._process is not None:
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def running(command: Sequence[object], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Run a command beside the test; finally kill it and every descendant, also when the test itself is killed.

    `options` are those of `subprocess.Popen`.
    """
    process = subprocess.Popen([str(part) for part in command], start_new_session=True, **options)
    guard = Guard(process.pid)
    try:
        yield process
    finally:
        kill_family(process)
        guard.dismiss()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def kill_family(process: subprocess.Popen[Any]) -> None:
    """Send SIGKILL to a process that runs, and to every descendant, and wait until none of these runs."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGSTOP)  # so that it starts no more while they are counted
    family = descendants(process.pid)
    process.send_signal(signal.SIGKILL)
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for_end(family)


def group_of(user: str) -> int:
    """Return the first group of a user of this machine."""
    return pwd.getpwnam(user).pw_gid


def descendants(pid: int) -> list[int]:
    """Return the process ids of all descendants of `pid`."""
    family: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (thread / "children").read_text().split()):
                family += [child, *descendants(child)]
    return family


def is_alive(pid: int) -> bool:
    """Return whether a process of this id runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for_end(pids: Sequence[int], seconds: float = END_SECONDS) -> None:
    """Wait until none of the processes runs. Raises `ServerFailed`."""
    deadline = time.monotonic() + seconds
    while left := [pid for pid in pids if is_alive(pid)]:
        if time.monotonic() > deadline:
            raise ServerFailed(f"processes still run: {left}")
        time.sleep(0.01)


def accepts(port: int) -> bool:
    """Return whether a server listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(address: str) -> bool:
    """Return whether an HTTP server answers at this address, with any status."""
    try:
        urllib.request.urlopen(address, timeout=2).close()
    except urllib.error.HTTPError as answer:
        answer.close()
    except OSError:
        return False
    return True
