"""``shanben status``: how things stand, once or again every second."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Final

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text as Line

from repository.clock import system_clock
from repository.config import Settings, process_settings
from repository.errors import DatabaseFault
from repository.localized import LocalizedText
from repository.repository import open_repository
from web.cli.status_view import StatusView
from web.cli.terminal import Terminal, command
from web.messages.interface import MESSAGES
from web.operations.status import Status, StatusReader, status_document

_PATIENCE_SECONDS: Final = 5.0
"""How long one look waits for the store; long enough to bridge a short outage."""

_PACE_SECONDS: Final = 1.0
_FILE_WIDTH: Final = 160


@click.command()
@click.option("--watch", is_flag=True, help="每秒更新，按 Ctrl+C 停止。 Again every second, until Ctrl+C.")
@command
def status(terminal: Terminal, watch: bool) -> None:
    """馆藏与任务概况。 What is held, under way, delayed and failed."""
    settings = process_settings()
    if watch:
        _watch(terminal, settings)
        return
    found = StatusReader(open_repository(settings)).read(_PATIENCE_SECONDS)
    terminal.result(status_document(found, terminal.language))
    if not terminal.as_json:
        _console().print(StatusView(terminal.language, system_clock()).whole(found))


def _console() -> Console:
    """Standard output; where that is no terminal, wide enough that reasons are seldom broken."""
    console = Console()
    return console if console.is_terminal else Console(width=_FILE_WIDTH)


def _watch(terminal: Terminal, settings: Settings) -> None:
    look = _Look(settings)
    try:
        if terminal.as_json:
            _repeat(look, lambda found: _print_json(terminal, found))
        elif (console := _console()).is_terminal:
            with Live(console=console, auto_refresh=False) as live:
                _repeat(look, lambda found: _draw(terminal, live, found))
        else:
            _repeat(look, lambda found: _print_line(terminal, found))
    except KeyboardInterrupt:
        return  # the way in which this ends well


class _Look:
    """Opens the repository when that can be done, and reads its status."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reader: StatusReader | None = None

    def __call__(self) -> Status | DatabaseFault:
        try:
            if self._reader is None:
                self._reader = StatusReader(open_repository(self._settings))
            return self._reader.read(_PACE_SECONDS)
        except DatabaseFault as fault:
            return fault


def _repeat(look: _Look, show: Callable[[Status | DatabaseFault], None]) -> None:
    while True:
        began = time.monotonic()
        show(look())
        time.sleep(max(0.0, _PACE_SECONDS - (time.monotonic() - began)))


def _print_json(terminal: Terminal, found: Status | DatabaseFault) -> None:
    if isinstance(found, Status):
        terminal.result(status_document(found, terminal.language))
    else:
        fault = {"code": found.code, "message": found.in_language(terminal.language)}
        click.echo(json.dumps({"fault": fault}, ensure_ascii=False))


def _draw(terminal: Terminal, live: Live, found: Status | DatabaseFault) -> None:
    if isinstance(found, Status):
        live.update(StatusView(terminal.language, system_clock()).whole(found), refresh=True)
    else:
        live.update(Line(_away(found).in_language(terminal.language), style="bold red"), refresh=True)


def _print_line(terminal: Terminal, found: Status | DatabaseFault) -> None:
    if isinstance(found, Status):
        click.echo(StatusView(terminal.language, system_clock()).line(found))
    else:
        click.echo(_away(found).in_language(terminal.language))


def _away(fault: DatabaseFault) -> LocalizedText:
    return MESSAGES["status.database-away"].format(reason=fault.message)
