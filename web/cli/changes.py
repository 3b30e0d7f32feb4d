"""The commands of the feed of changes: announce every work again."""

from __future__ import annotations

import click

from repository.config import process_settings
from repository.errors import RequestInvalid
from repository.localized import LocalizedText, counted
from repository.repository import open_repository
from web.cli.terminal import Terminal, command

_NO_ADDRESS = LocalizedText(
    "应为从前的对外地址，以 http:// 或 https:// 开头，与现在的不同",
    "it must be the former public address, with http:// or https://, and not the present one",
)


@click.group()
def changes() -> None:
    """告知合作机构的变更。 The changes that partners follow."""


@changes.command()
@click.option("--moved-from", metavar="ADDRESS", help="对外地址的旧址。 The public address that works had before.")
@command
def refresh(terminal: Terminal, moved_from: str | None) -> None:
    """重新通告全部公开著作。 Announce every published work to partners again."""
    repository = open_repository(process_settings())
    origin = moved_from.rstrip("/") if moved_from else None
    if origin and (not origin.startswith(("http://", "https://")) or origin == repository.settings.base_url):
        raise RequestInvalid(part="--moved-from", reason=_NO_ADDRESS)
    works = repository.changes.refresh(origin)
    terminal.write(
        LocalizedText(f"已重新通告 {works} 种著作", f"{counted(works, 'work', 'works')} announced to partners again")
    )
    terminal.result({"works": works})
