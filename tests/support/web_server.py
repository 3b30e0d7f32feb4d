"""`shanben serve` with settings of the test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from command_line import SHANBEN
from ports import reserve_port
from server_process import ServerProcess, answers


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
