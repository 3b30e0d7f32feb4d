"""`shanben serve` with settings of the test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from command_line import SHANBEN
from ports import reserve_port
from server_process import ServerProcess, answers

NO_LOCAL_WORKER: Final = {"SHANBEN_BROKER": "redis://127.0.0.1:9/0"}
"""The setting of a broker that is absent: `shanben serve` leaves jobs to workers, and starts no local worker."""


class WebServer:
    """The web application in `processes` processes; a context manager that waits until it is ready, and stops it."""

    def __init__(self, folder: Path, environment: Mapping[str, str], processes: int = 2) -> None:
        self.port = reserve_port()
        self.address = f"http://127.0.0.1:{self.port}"
        command = [SHANBEN, "serve", "--port", str(self.port), "--workers", str(processes)]
        self.process = ServerProcess("shanben serve", command, folder / "web.log", environment=environment)

    def __enter__(self) -> Self:
        try:
            self.process.start(lambda: answers(f"{self.address}/health/ready"))
        except BaseException:
            self.process.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()
