"""Child processes that count metrics in the shared folder of a data folder, on command."""

from __future__ import annotations

import multiprocessing
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

from prometheus_client import CollectorRegistry, generate_latest

from repository.config import Settings
from web.telemetry.process_metrics import ProcessMetrics, prepare


def metrics_text(metrics: ProcessMetrics) -> str:
    """Return what a scrape responds with."""
    registry = CollectorRegistry()
    registry.register(metrics)
    return generate_latest(registry).decode()


class MetricsProcess:
    """A process with `ProcessMetrics` of its own; its methods are called by name."""

    def __init__(self, data: Path) -> None:
        # Imports once, then forks quickly; no thread of the test process is copied.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["web.telemetry.process_metrics"])
        self._commands, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, data), daemon=True)
        self._process.start()
        theirs.close()
        self._commands.recv()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    def call(self, name: str, *arguments: Any) -> None:
        """Call a method of the metrics."""
        self._commands.send((name, arguments))
        self._commands.recv()

    def set_gauge(self, name: str, value: float) -> None:
        """Register a gauge with a constant value, and update all gauges."""
        self.call("register_gauge", name, value)

    def scrape(self) -> str:
        self._commands.send(("scrape", ()))
        text: str = self._commands.recv()
        return text

    def kill(self) -> None:
        """End the process as `kill -9` does."""
        self._process.kill()
        self._process.join()
        assert self._process.exitcode == -signal.SIGKILL
        self._commands.close()


def _serve(commands: Connection, data: Path) -> None:
    metrics = ProcessMetrics(None, prepare(Settings(data=data)))
    commands.send(None)
    while True:
        name, arguments = commands.recv()
        if name == "scrape":
            commands.send(metrics_text(metrics))
            continue
        if name == "register_gauge":
            gauge, value = arguments
            metrics.register_gauge(gauge, lambda value=value: value)
            metrics._gauges.update()
        else:
            getattr(metrics, name)(*arguments)
        commands.send(None)
