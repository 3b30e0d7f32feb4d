"""`shanben serve`: runs the site in several processes of uvicorn, and without a broker a local worker beside them."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Callable
from typing import Final

import click
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from repository.config import Settings, process_settings
from repository.errors import SettingInvalid, StoreFault
from repository.localized import LocalizedText
from web.cli.sandbox_report import active_layers, report_sandbox
from web.cli.server import listen, server_configuration
from web.cli.terminal import Terminal, command
from workers.bootstrap import bootstrap_to_serve
from workers.service.local_process import LocalWorkerProcess

START_SECONDS: Final = 30
"""The seconds that a process may be silent before it is replaced. Loading takes seconds on a busy machine."""

_OPEN_FILES: Final = 8192


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 256))
@command
def serve(terminal: Terminal, host: str, port: int, workers: int) -> int:
    """启动网站与 IIIF 服务。 Serve the whole web application."""
    settings = process_settings()
    if fault := bootstrap_to_serve(settings):
        terminal.warn(_without_store(fault))
    report_sandbox(terminal, active_layers())
    address = settings.base_url or own_address(host, port, is_secure=bool(settings.tls_certificate))
    return serve_site(settings, host, port, workers, announce=lambda: terminal.write(_address(address)))


def own_address(host: str, port: int, *, is_secure: bool) -> str:
    """Return the URL of the site at a host and a port; an IPv6 address is in brackets (RFC 3986, section 3.2.2)."""
    return f"{'https' if is_secure else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def _without_store(fault: StoreFault) -> LocalizedText:
    message = fault.message
    zh = f"{message.zh}。网站照常启动；依赖存储的内容待其恢复后提供"
    return LocalizedText(
        zh, f"{message.en}. The site starts without it; content in the store is served once it is available"
    )


def _address(address: str) -> LocalizedText:
    return LocalizedText(f"请打开 {address}/ （按 Ctrl+C 停止）", f"Open {address}/ (press Ctrl+C to stop)")


def serve_site(settings: Settings, host: str, port: int, processes: int, announce: Callable[[], None]) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code.

    SIGHUP replaces the processes one after the other; the new ones read the settings again. A process that ends is
    replaced. Raises `DependencyMissing` when the port is taken, `SettingInvalid` for TLS files that cannot be used.
    """
    certificate, key = _tls_files(settings)
    config = server_configuration(
        "web.asgi_start:create",
        factory=True,
        workers=processes,
        lifespan="on",
        timeout_worker_healthcheck=START_SECONDS,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    _raise_file_limit()
    with listen(host, port) as listener:
        announce()
        supervisor = Supervisor(config, [listener], _local_worker(settings))
        supervisor.run()
    return supervisor.exit_code


class Supervisor(Multiprocess):
    """uvicorn's supervisor, which also keeps a local worker running."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], worker: LocalWorkerProcess | None) -> None:
        super().__init__(config, sockets)
        self._worker = worker

    @property
    def exit_code(self) -> int:
        """1 when the processes could not start, else 0."""
        return int(any(process.exitcode == STARTUP_FAILURE for process in self.processes))

    def init_processes(self) -> None:
        """Start the web processes and the worker."""
        super().init_processes()
        self._notice_ends()
        if self._worker:
            self._worker.start()

    def keep_subprocess_alive(self) -> None:
        """Replace processes that have ended."""
        super().keep_subprocess_alive()
        self._notice_ends()
        if self._worker and not self.should_exit.is_set():
            self._worker.ensure_running()

    def handle_hup(self) -> None:
        """Replace all processes. The worker is kept, as the web processes are, when a new one cannot start."""
        first = self.processes[0]
        super().handle_hup()
        if self._worker and self.processes[0] is not first:
            self._worker.stop()
            self._worker.start()

    def terminate_all(self) -> None:
        """Refuse further connections and ask all processes to end."""
        for listener in self.sockets:
            listener.close()
        if self._worker:
            self._worker.terminate()
        super().terminate_all()

    def join_all(self) -> None:
        """Wait until all processes have ended."""
        super().join_all()
        if self._worker:
            self._worker.stop()

    def _notice_ends(self) -> None:
        """Close our copies of the processes' ends of their pipes, so that the health check of a dead process ends.

        uvicorn keeps them open, and would wait for the whole time of a health check.
        """
        for process in self.processes:
            process.child_conn.close()


def _local_worker(settings: Settings) -> LocalWorkerProcess | None:
    """Return the process that runs jobs: none with a broker, and where the data folder can only be read."""
    return None if settings.broker or settings.is_read_only else LocalWorkerProcess()


def _tls_files(settings: Settings) -> tuple[str | None, str | None]:
    """Return the files of the certificate and its key, None without TLS. Raises `SettingInvalid`."""
    files = {"tls_certificate": settings.tls_certificate, "tls_key": settings.tls_key}
    if not any(files.values()):
        return None, None
    for name, file in files.items():
        if not file or not os.access(file, os.R_OK):
            reason = LocalizedText(
                f"须为可读的 PEM 文件，且证书与私钥须同时设置：{file or '（未设置）'}",
                f"it must be a readable PEM file; set the certificate and its key together: {file or '(not set)'}",
            )
            raise SettingInvalid(name=name, reason=reason)
    return settings.tls_certificate, settings.tls_key


def _raise_file_limit() -> None:
    """Allow each process as many open files as the system permits, for connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
