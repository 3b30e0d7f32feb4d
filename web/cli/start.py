"""The entry point of the `shanben` command, which loads the command quickly."""

from __future__ import annotations

import sys

from repository.loading import loading


def main() -> None:
    """Load the command and the subcommand that is called, and run it."""
    with loading():
        # Loaded while the collector is off.
        from web.cli.main import load  # noqa: PLC0415
        from web.cli.main import main as shanben  # noqa: PLC0415

        for name in sys.argv[1:2]:
            load(name)
    shanben()
