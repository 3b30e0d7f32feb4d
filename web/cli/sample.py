"""`shanben sample`: writes the sample rare book."""

from __future__ import annotations

from pathlib import Path

import click

from repository.localized import LocalizedText
from sample_book import make_sample
from web.cli.terminal import Terminal, command


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@command
def sample(terminal: Terminal, folder: Path) -> None:
    """制作样书（千字文）送存目录。 Write the sample rare book, a deposit folder ready for `ingest`."""
    make_sample(folder, terminal.progress())
    terminal.write(LocalizedText(f"样书已制成：{folder}", f"Sample book written: {folder}"))
    terminal.result({"deposit": str(folder)})
