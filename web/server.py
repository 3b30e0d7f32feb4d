"""The web server of `shanben serve`: processes that share one listening socket, replaced when they end or on SIGHUP."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import socket
import time
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from typing import Final

from repository.errors import DependencyMissing
from repository.localized import LocalizedText
from workers.service.local_process import LocalWorkerProcess

STOP_SECONDS: Final = 30.0
"""How long answers under way may take to end when a process is to stop; then they are broken off."""

_BACKLOG: Final = 2048
_READY_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.2
_RESTART_SECONDS: Final = 0.5
_KILL_SECONDS: Final = STOP_SECONDS + 3

_LOG: Final = logging.getLogger("shanben.web")


def run_server(
    host: str, port: int, workers: int, announce: Callable[[], None], local_worker: LocalWorkerProcess | None = None
) -> int:
    """Serve until stopped; the exit code. Raises `DependencyMissing` when the port is taken.

    SIGTERM and SIGINT end it when the answers under way have ended, at most after `STOP_SECONDS`. SIGHUP replaces one
    process after the other by a new one, which reads the settings anew; connections are taken all the while.
    """
    with _listen(host, port) as listener:
        announce()
        return _Server(listener, workers, local_worker).run()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as fault:
        listener.close()
        remedy = f"--port … ({fault.strerror})"
        raise DependencyMissing(
            what=LocalizedText(f"空闲的端口 {host}:{port}", f"a free port: {host}:{port}"), remedy=remedy
        ) from fault
    listener.setblocking(False)
    return listener


def _serve(listener: socket.socket, told: Pipe) -> None:
    # Imported by those who serve alone: it takes them most of a second.
    from web.serving import serve  # noqa: PLC0415

    serve(listener, told, STOP_SECONDS)


class _Process:
    """A process that serves, and our end of the pipe by which it says so; it ends when that is closed."""

    def __init__(self, listener: socket.socket) -> None:
        # A forked process would inherit the store's connections without the threads that serve them.
        context = multiprocessing.get_context("spawn")
        self._told, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(listener, theirs))
        self._process.start()
        theirs.close()
        self.is_ready = False

    @property
    def sentinel(self) -> int:
        """Readable when the process has ended."""
        return self._process.sentinel

    @property
    def pid(self) -> int | None:
        """Its number."""
        return self._process.pid

    def lives(self) -> bool:
        """Whether it runs; takes note of its being ready."""
        if not self.is_ready:
            try:
                self.is_ready = self._told.poll() and bool(self._told.recv_bytes())
            except (EOFError, OSError):
                return self._process.is_alive()
        return self._process.is_alive()

    def terminate(self) -> None:
        """Tell it to end what it does, and itself."""
        self._process.terminate()

    def join(self, seconds: float) -> None:
        """Wait for its end, which is brought about after `seconds`."""
        self._process.join(max(seconds, 0))
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._told.close()


class _Server:
    """The processes, and what becomes of them."""

    def __init__(self, listener: socket.socket, workers: int, local_worker: LocalWorkerProcess | None) -> None:
        self._listener = listener
        self._local_worker = local_worker
        if local_worker:
            local_worker.start()
        self._stopping = self._reloading = False
        self._leaving: list[tuple[_Process, float]] = []
        self._processes = [_Process(listener) for _ in range(workers)]

    def run(self) -> int:
        """Until a signal ends it, or no process can be started at all; the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        signal.signal(signal.SIGHUP, lambda *_: self._reload())
        begun, code = False, 0
        while not self._stopping:
            wait([process.sentinel for process in self._processes], _LOOK_SECONDS)
            self._keep_local_worker()
            living = [process.lives() for process in self._processes]
            begun = begun or any(process.is_ready for process in self._processes)  # it may have been, and have ended
            for place, lives in enumerate(living):
                if lives:
                    continue
                if not begun:
                    self._stopping, code = True, 1
                else:
                    self._replace_ended(place)
            if self._reloading and not self._stopping:
                self._reloading = False
                self._replace_all()
            self._see_off()
        self._end()
        return code

    def _keep_local_worker(self) -> None:
        if self._local_worker:
            self._local_worker.ensure_running()

    def _stop(self) -> None:
        self._stopping = True

    def _reload(self) -> None:
        self._reloading = True

    def _replace_ended(self, place: int) -> None:
        ended = self._processes[place]
        ended.join(0)
        _LOG.warning("网站进程 %s 意外结束，已另起 / a web process ended unexpectedly, replaced", ended.pid)
        time.sleep(_RESTART_SECONDS)
        self._processes[place] = _Process(self._listener)

    def _replace_all(self) -> None:
        """One after the other, each leaving when the new one takes connections."""
        for place, old in enumerate(self._processes):
            new = _Process(self._listener)
            deadline = time.monotonic() + _READY_SECONDS
            while new.lives() and not new.is_ready and not self._stopping and time.monotonic() < deadline:
                time.sleep(_LOOK_SECONDS)
            if not new.is_ready:
                new.join(0)
                _LOG.error("新的网站进程未能启动，原进程继续服务 / a new web process did not start; the old ones stay")
                return
            old.terminate()
            self._leaving.append((old, time.monotonic() + _KILL_SECONDS))
            self._processes[place] = new

    def _see_off(self) -> None:
        """Take leave of those that have ended, and end those that would not."""
        for process, deadline in tuple(self._leaving):
            if not process.lives() or time.monotonic() > deadline:
                process.join(0)
                self._leaving.remove((process, deadline))

    def _end(self) -> None:
        self._listener.close()
        if self._local_worker:
            self._local_worker.terminate()
        remaining = [*self._processes, *(process for process, _ in self._leaving)]
        for process in remaining:
            process.terminate()
        deadline = time.monotonic() + _KILL_SECONDS
        for process in remaining:
            process.join(deadline - time.monotonic())
        if self._local_worker:
            self._local_worker.stop()
