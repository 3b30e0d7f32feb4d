"""A server run in the foreground as a child of the test, its log kept, ended by its own process ids."""

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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

# Ends a server whose test died without ending it: the pipe closes with the test, however that went.
GUARD = 'read -r _; kill -s KILL -- "-$1" 2>/dev/null'
LOG_LINES = 30
READY_SECONDS = 60.0
END_SECONDS = 30.0


class ServerFailed(AssertionError):
    """A server ended or did not answer in time; the message holds the end of its log."""


class ServerProcess:
    """One program that is started, ended or killed, and started again with the same command.

    It leads a session of its own, so that an interrupt at the terminal reaches the test alone, which then ends it.
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
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self, ready: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
        """Start it, unless it runs, and wait until `ready` holds. Raises `ServerFailed`."""
        if self.pid is None:
            self._finish()
            self._launch()
        self.wait_until(ready, seconds)

    def wait_until(self, ready: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
        """Wait until `ready` holds; `ServerFailed` when the server ends before, or after `seconds`."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self.pid is None:
                raise ServerFailed(f"{self.name} ended\n{self.end_of_log()}")
            if time.monotonic() > deadline:
                raise ServerFailed(f"{self.name} did not answer within {seconds:.0f} s\n{self.end_of_log()}")
            time.sleep(0.02)

    def send(self, number: int) -> None:
        """Send a signal, when it runs."""
        if self.pid is not None and self._process is not None:
            self._process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM, seconds: float = END_SECONDS) -> None:
        """End it by a signal, and wait; what does not end in time is killed."""
        if number == signal.SIGKILL:
            self.kill()
            return
        self.send(number)
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to the program and to every process it started, those in sessions of their own among them."""
        if self.pid is not None:
            self.send(signal.SIGSTOP)  # so that it starts no more while they are counted
            family = descendants(self.pid)
            self.send(signal.SIGKILL)
            for pid in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            wait_for_end(family)
        self._finish()

    def end_of_log(self) -> str:
        """The last lines it wrote."""
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
        guard = ["sh", "-c", GUARD, "guard", str(self._process.pid)]
        self._guard = subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True)

    def _finish(self) -> None:
        """The guard first: a process id that is free again may soon be another's."""
        if self._guard is not None:
            self._guard.kill()
            self._guard.wait()
            if self._guard.stdin is not None:
                self._guard.stdin.close()
            self._guard = None
        if self._process is not None:
            self._process.wait()
            self._process = None


def group_of(user: str) -> int:
    """The first group of a user of this machine."""
    return pwd.getpwnam(user).pw_gid


def descendants(pid: int) -> list[int]:
    """The process ids of every child of `pid`, and of theirs."""
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (thread / "children").read_text().split()):
                found += [child, *descendants(child)]
    return found


def is_alive(pid: int) -> bool:
    """Whether a process of this id runs; one that ended and was not waited for does not."""
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
    """Whether somebody listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(address: str) -> bool:
    """Whether an HTTP server answers at this address, whatever it says."""
    try:
        urllib.request.urlopen(address, timeout=2).close()
    except urllib.error.HTTPError as answer:
        answer.close()
    except OSError:
        return False
    return True
