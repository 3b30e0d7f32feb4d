"""Runs a witness in one process of uvicorn: one process keeps the check of a size and its record together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import uvicorn
from a2wsgi import WSGIMiddleware

from repository.logs import log_configuration
from web.cli.serve import KEEP_ALIVE_SECONDS, STOP_SECONDS, listen
from web.http_limits import LimitedHttpProtocol
from web.witness.application import create_witness
from web.witness.state import WitnessFolder

_THREADS: Final = 4


def serve_witness(folder: WitnessFolder, host: str, port: int, announce: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT. Raises `DependencyMissing` when the port is taken."""
    config = uvicorn.Config(
        WSGIMiddleware(create_witness(folder), workers=_THREADS),  # type: ignore[arg-type]
        http=LimitedHttpProtocol,
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=log_configuration(),
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    with listen(host, port) as listener:
        announce()
        uvicorn.Server(config).run(sockets=[listener])
