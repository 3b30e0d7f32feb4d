"""What every server of this program has: uvicorn's configuration, and the socket on which it listens."""

from __future__ import annotations

import socket
from typing import Any, Final

import uvicorn

from repository.errors import DependencyMissing
from repository.localized import LocalizedText
from repository.logs import log_configuration
from web.http_limits import LimitedHttpProtocol

STOP_SECONDS: Final = 30
"""The seconds that requests in progress may take to end when a process stops; then they are aborted."""

KEEP_ALIVE_SECONDS: Final = 75
"""The seconds for which an idle connection stays open: longer than the edge keeps one."""

_BACKLOG: Final = 2048


def server_configuration(application: Any, **more: Any) -> uvicorn.Config:
    """Return what every server of this program has, with `more`: bounded requests, and our own request log."""
    return uvicorn.Config(
        application,
        http=LimitedHttpProtocol,
        loop="uvloop",
        ws="none",
        log_config=log_configuration(),
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        **more,
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket that child processes inherit. Raises `DependencyMissing` when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as fault:
        listener.close()
        remedy = LocalizedText(f"请改用其他端口（{fault.strerror}）", f"choose another port ({fault.strerror})")
        what = LocalizedText(f"可用的端口（{host}:{port} 无法监听）", f"a usable port ({host}:{port} cannot be bound)")
        raise DependencyMissing(what=what, remedy=remedy) from fault
    listener.set_inheritable(True)
    return listener
