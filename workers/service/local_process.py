"""The local worker's process, as `shanben serve` starts, supervises and stops it.

It is a fresh interpreter that reads the settings itself. It shares nothing with the web processes but the data folder,
and ends when the process that started it does.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

STOP_SECONDS: Final = 10.0
"""The seconds that the process may take to stop before it is killed; it gives its jobs `GRACE_SECONDS` to end."""

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 60.0
"""Seconds between the end of a process and the start of the next: doubled after each one that ended early."""

COMMAND: Final = (sys.executable, "-P", "-m", "workers.service.local_worker_start")

_LOG: Final = logging.getLogger("shanben.jobs")


class LocalWorkerProcess:
    """A local worker that is restarted when it ends. Used from one thread."""

    def __init__(self, command: Sequence[str] = COMMAND, clock: Callable[[], float] = monotonic) -> None:
        self._command = command
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause = FIRST_PAUSE
        self._restart_at: float | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start the process, unless it runs."""
        if self.pid is not None:
            return
        self._close()
        # A process group of its own: an interrupt at the terminal reaches the parent alone, which stops this process.
        # It stays in the parent's session, because Linux may share the processors out among sessions before it looks
        # at priorities (sched(7), autogroups).
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, process_group=0)  # noqa: S603  our own
        self._started = self._clock()
        self._restart_at = None

    def ensure_running(self) -> None:
        """Start the process again when it has ended, after a pause. Never waits: to be called about once a second."""
        if self.pid is not None:
            return
        now = self._clock()
        if self._restart_at is None:
            lasted = now - self._started
            self._pause = FIRST_PAUSE if lasted > LONGEST_PAUSE else min(2 * self._pause, LONGEST_PAUSE)
            self._restart_at = now + self._pause
            _LOG.warning("本机任务进程意外结束，将重新启动 / the local worker ended unexpectedly and will be restarted")
        elif now >= self._restart_at:
            self.start()

    def terminate(self) -> None:
        """Ask the process to stop, without waiting for it."""
        if self._process is not None:
            self._process.terminate()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Stop the process; it is killed after `seconds`."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._close()

    def _close(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None
