"""Runs a witness in one process of uvicorn: one process keeps the check of a size and its record together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import uvicorn
from a2wsgi import WSGIMiddleware

from web.cli.server import listen, server_configuration
from web.witness.application import create_witness
from web.witness.state import WitnessFolder

_THREADS: Final = 4


def serve_witness(folder: WitnessFolder, host: str, port: int, announce: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT. Raises `DependencyMissing` when the port is taken."""
    application = WSGIMiddleware(create_witness(folder), workers=_THREADS)  # type: ignore[arg-type]
    config = server_configuration(application, lifespan="off")
    with listen(host, port) as listener:
        announce()
        uvicorn.Server(config).run(sockets=[listener])
