"""``sample-book FOLDER``, or ``python -m sample_book FOLDER``: write the sample rare book as a deposit folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from repository.config import process_language
from repository.errors import ShanbenError
from repository.localized import Language, LocalizedText
from repository.printable import printable
from sample_book.book import make_sample

_EXIT_SYSTEM: Final = 3
"""The exit code of `shanben` when something that the program needs is missing."""


class _CountedProgress:
    """Reports the pages written, one line each, on standard error."""

    def __init__(self, language: Language | None) -> None:
        self._language = language
        self._label = ""
        self._done = self._total = 0

    def start(self, label: LocalizedText, total: int) -> None:
        """Start a phase of `total` pages."""
        self._label, self._done, self._total = label.in_language(self._language), 0, total

    def advance(self, amount: int) -> None:
        """Report `amount` more pages."""
        self._done += amount
        click.echo(f"{self._label}  {self._done}/{self._total}", err=True)

    def finish(self) -> None:
        """Do nothing: the last line has reported the end."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def main(folder: Path) -> None:
    """制作样书（千字文）送存目录。 Write the sample rare book, a deposit folder ready for `shanben ingest`."""
    language = process_language()
    try:
        make_sample(folder, _CountedProgress(language))
    except ShanbenError as error:
        click.echo(printable(error.in_language(language)), err=True)
        sys.exit(_EXIT_SYSTEM)
    click.echo(printable(str(folder)))


if __name__ == "__main__":
    main()
