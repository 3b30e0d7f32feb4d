"""One process of `shanben serve`: its event loop, the connections it takes, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.utils import formatdate
from multiprocessing.connection import Connection as Pipe
from typing import Any, Final

import uvloop

from iiif_server.render.pool import PLACES
from repository.config import process_settings
from repository.errors import ShanbenError
from repository.storage.address import S3_SCHEME
from web.connection import PATIENCE, Connection, Patience
from web.wsgi import Composed, compose_site

THREADS: Final = 4
"""Requests that a process answers beside its event loop; more would only wait for each other's turn."""

DISTANT_THREADS: Final = 32
"""The same where tiles come over a network: most of these threads only wait for the store."""

MOST_CONNECTIONS: Final = 2048
"""Connections that a process holds, if it may open as many files."""

_FEWEST_CONNECTIONS: Final = 64
_OTHER_FILES: Final = 512
"""Files that a process has open besides: pyramids, the database, libraries."""

_LINGER_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 0.05
_TURN_SECONDS: Final = 0.0005

_LOG: Final = logging.getLogger("shanben.web")


class Process:
    """The `Site` of one process. `listener` is shared with the other processes: each takes a connection at a time.

    It holds at most `most` connections; further ones wait to be taken.
    """

    def __init__(
        self,
        listener: socket.socket,
        site: Composed,
        pool: ThreadPoolExecutor,
        patience: Patience = PATIENCE,
        most: int = MOST_CONNECTIONS,
    ) -> None:
        host, port = listener.getsockname()[:2]
        self.application = site.application
        self.at_once = site.at_once
        self.pool = pool
        self.patience = patience
        self.always: dict[str, Any] = {
            "SCRIPT_NAME": "",
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.input_terminated": True,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        self.connections: set[Connection] = set()
        self.date = _date()
        self.stopping = False
        self._listener = listener
        self._takes = False
        self._most = most
        self._arriving: set[asyncio.Task[object]] = set()

    async def run(self, stop: asyncio.Event, stop_seconds: float) -> None:
        """Serve until told to stop; then answers under way may take `stop_seconds` to end."""
        self.loop = asyncio.get_running_loop()
        while not stop.is_set():
            self._look_after()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1.0)
        await self._stop(stop_seconds)

    def _look_after(self) -> None:
        """What there is to do every second."""
        self.date = _date()
        now = self.loop.time()
        for connection in tuple(self.connections):
            connection.look_after(now, closes_idle=False)
        if not self._takes and len(self.connections) < self._most:
            self._takes = True
            self.loop.add_reader(self._listener.fileno(), self._take)

    def _take(self) -> None:
        """Take one connection: the next one is left to whichever process comes first."""
        try:
            client, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):
            return
        except OSError as fault:  # no room for one more just now
            _LOG.warning("暂不接受新连接 / takes no connections for a moment: %s", fault.strerror)
            self._take_none()
            return
        client.setblocking(False)
        task = self.loop.create_task(self.loop.connect_accepted_socket(lambda: Connection(self), client))
        self._arriving.add(task)
        task.add_done_callback(self._arrived)
        if len(self.connections) + len(self._arriving) >= self._most:
            self._take_none()

    def _arrived(self, task: asyncio.Task[object]) -> None:
        self._arriving.discard(task)
        if not task.cancelled() and (fault := task.exception()):  # gone again before it could be served
            _LOG.info("%s", fault)

    def _take_none(self) -> None:
        self._takes = False
        self.loop.remove_reader(self._listener.fileno())

    async def _stop(self, seconds: float) -> None:
        """End what is under way, then close: first connections that nobody has used for a moment, at last all."""
        self.stopping = True
        self._take_none()
        self._listener.close()
        began = self.loop.time()
        while (self.connections or self._arriving) and self.loop.time() < began + seconds:
            await asyncio.sleep(_PAUSE_SECONDS)
            now = self.loop.time()
            for connection in tuple(self.connections):
                # A request may be on its way to a connection that looks idle.
                connection.look_after(now, closes_idle=now > began + _LINGER_SECONDS)
        for connection in tuple(self.connections):
            connection.abort()
        await asyncio.sleep(0)


def serve(listener: socket.socket, told: Pipe, stop_seconds: float) -> None:
    """The whole life of a process: it says something to `told` when it begins to take connections.

    When it is to stop, answers under way may take `stop_seconds` to end; then they are broken off.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # at a terminal all processes get it; ours are told by their parent
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        settings = process_settings()
        site = compose_site(settings)
    except ShanbenError as error:
        sys.exit(str(error))
    gc.collect()
    gc.freeze()  # what was loaded lives as long as the process: looking through it would only hold up a tile
    # Threads that make pages and pictures give way to the event loop soon enough for a tile.
    sys.setswitchinterval(_TURN_SECONDS)
    # Requests in the lane of slow pictures wait in threads of their own: they take none from others.
    threads = PLACES + (DISTANT_THREADS if settings.store_url.startswith(S3_SCHEME) else THREADS)
    with ThreadPoolExecutor(threads, "web") as pool:
        uvloop.run(_run(Process(listener, site, pool, most=_room()), told, stop_seconds))
        pool.shutdown(wait=False, cancel_futures=True)


async def _run(process: Process, told: Pipe, stop_seconds: float) -> None:
    """Until SIGTERM comes, or the process at the other end of `told` ends."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(told.fileno(), stop.set)
    told.send_bytes(b"ready")
    await process.run(stop, stop_seconds)


def _room() -> int:
    """How many connections there are files for: this process may open as many as it is allowed to allow itself."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + _OTHER_FILES
    if resource.RLIM_INFINITY not in {now, most}:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(now, min(wanted, most)), most))
        wanted = min(wanted, max(now, most))
    return max(wanted - _OTHER_FILES, _FEWEST_CONNECTIONS)


def _date() -> bytes:
    return f"Date: {formatdate(usegmt=True)}\r\n".encode()
