"""The web server of `shanben serve`: granian, with the composed WSGI application in each of its processes."""

from __future__ import annotations

import logging
import multiprocessing
import os
import socket
from collections.abc import Callable
from typing import Final

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from iiif_server.render_pool import PLACES
from repository.config import process_settings
from repository.errors import ToolAbsent
from repository.store_address import S3_SCHEME
from repository.text import Text
from web.gate import LONGEST_HEAD

MOST_THREADS: Final = 8
"""Requests that one process answers at once. More threads cost more switching than they hide waiting."""

DISTANT_THREADS: Final = 32
"""The same where tiles come over a network: most of these threads only wait for the store."""


STOP_SECONDS: Final = 30
"""How long answers under way may take to end when a process is to stop; then they are broken off."""


def run_server(host: str, port: int, workers: int, announce: Callable[[], None]) -> None:
    """Serve until stopped. Raises `ToolAbsent` when the port is taken.

    SIGTERM and SIGINT end it when the answers under way have ended. SIGHUP replaces one process after the other by a
    new one, which reads the settings anew; connections are taken all the while.
    """
    _require_free(host, port)
    announce()
    # A forked process would inherit the store's connections without the threads that serve them, and wait for ever.
    multiprocessing.set_start_method("spawn", force=True)
    server = Server(
        "web.wsgi:create",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(max_buffer_size=LONGEST_HEAD),
        # Requests in the lane of slow pictures wait in threads of their own: they take none from tiles.
        blocking_threads=_threads() + PLACES,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
        log_access=False,
        log_level=LogLevels.warning,
    )
    # granian warns of more threads than it would start. Ours mostly wait.
    logging.getLogger("_granian").addFilter(lambda record: "Python threads" not in str(record.msg))
    server.serve()


def _threads() -> int:
    if process_settings().store_url.startswith(S3_SCHEME):
        return DISTANT_THREADS
    return min(MOST_THREADS, 2 * (os.cpu_count() or 1) + 1)


def _require_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as fault:
            remedy = f"--port … ({fault.strerror})"
            raise ToolAbsent(
                what=Text(f"空闲的端口 {host}:{port}", f"a free port: {host}:{port}"), remedy=remedy
            ) from fault
