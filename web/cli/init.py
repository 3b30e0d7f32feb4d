"""`shanben init`: prepares the data folder, the database, the store and the log's key."""

from __future__ import annotations

import click

from preservation.log.sequencer import verifier_key
from repository.config import process_settings
from repository.errors import DependencyMissing
from repository.localized import LocalizedText
from web.cli.terminal import Terminal, command
from workers.bootstrap import bootstrap


@click.command()
@command
def init(terminal: Terminal) -> None:
    """建立数据目录、数据库与密钥；可重复执行。 Create the data folder, database and keys; safe to repeat."""
    repository = bootstrap(process_settings())
    settings = repository.settings
    terminal.write(LocalizedText(f"已就绪：{settings.data}", f"Ready: {settings.data}"))
    try:
        key = verifier_key(repository)
    except DependencyMissing as fault:  # the store has a log, and its key is nowhere
        key = None
        terminal.warn(fault.message)
    terminal.result({"data": str(settings.data), "store": settings.store_url, "log_key": key})
