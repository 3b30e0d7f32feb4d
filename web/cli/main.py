"""The `shanben` command and its subcommands.

Exit codes: 0 success, 1 a fault of the content, 2 a fault of the call, 3 something that the system needs is missing.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import Final

import click

from repository.logs import log_to_stderr

COMMANDS: Final = MappingProxyType(
    {
        "access": "access:access",
        "account": "account:account",
        "certificate": "certificate:certificate",
        "changes": "changes:changes",
        "check": "check:check",
        "delete": "delete:delete",
        "export": "exchange:export",
        "fixity": "fixity:fixity",
        "harvest": "harvest:harvest",
        "history": "history:history",
        "import-bag": "exchange:import_bag",
        "ingest": "ingest:ingest",
        "init": "init:init",
        "keys": "keys:keys",
        "lint-manifest": "lint_manifest:lint_manifest",
        "log": "log:log",
        "ocr": "ocr:ocr",
        "rebuild": "rebuild:rebuild",
        "repair": "repair:repair",
        "restore": "access:restore",
        "retry": "retry:retry",
        "sample": "sample:sample",
        "search": "search:search",
        "serve": "serve:serve",
        "status": "status:status",
        "store": "store:store",
        "token": "token:token",
        "text": "text:text",
        "withdraw": "access:withdraw",
        "witness": "witness:witness",
        "worker": "worker:worker",
    }
)
"""The module in this package and the function of each subcommand. A call loads the module of its own subcommand."""


def load(name: str) -> click.Command | None:
    """Return a subcommand; None when there is none of this name."""
    module, _, function = COMMANDS.get(name, "").partition(":")
    return getattr(import_module(f"web.cli.{module}"), function) if module else None


class LazyGroup(click.Group):
    """A group whose subcommands are loaded when they are called: all of them take a second to load."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the names of all subcommands."""
        return list(COMMANDS)

    def get_command(self, _context: click.Context, cmd_name: str) -> click.Command | None:
        """Return a subcommand; None when there is none of this name."""
        return load(cmd_name)


@click.group(cls=LazyGroup)
def main() -> None:
    """善本 Shanben：古籍数字典藏与 IIIF 图像服务。 A digital heritage repository and IIIF image service."""
    log_to_stderr(line="%(message)s")
