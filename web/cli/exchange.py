"""The commands ``shanben export`` and ``shanben import-bag``: works as BagIt bags, for other institutions."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from repository import identifiers
from repository.config import process_settings
from repository.errors import RequestInvalid
from repository.identifiers import Kind
from repository.localized import LocalizedText, counted
from web.cli.examiner import opened_examiner
from web.cli.ingest import DEFAULT_ADDRESS, ingest_by_workers, ingest_locally
from web.cli.terminal import Terminal, command
from workers.bootstrap import bootstrap
from workers.execution.context import TaskContext

_FILE: Final = click.Path(path_type=Path)
_NOT_SHARED: Final = LocalizedText(
    "设有消息代理时，请先把包解压到各工作机都能读取的文件夹，再导入该文件夹",
    "with a broker, unpack the bag into a folder that every worker can read, and import that folder",
)


@click.command()
@click.argument("work")
@click.option(
    "-o",
    "--output",
    required=True,
    type=_FILE,
    help="写入的文件；后缀为 .tar 时写成 TAR，否则 ZIP。 The file: TAR if its suffix is .tar, else ZIP.",
)
@command
def export(terminal: Terminal, work: str, output: Path) -> None:
    """把著作导出为 BagIt 包：原图、著录、PREMIS、METS、清单。 Export a work as a BagIt bag."""
    identifier = identifiers.parse(work, Kind.WORK)
    repository = bootstrap(process_settings())
    # Imported here because only this command needs what writes XML.
    from workers.exchange.export import export_work  # noqa: PLC0415

    base_url = repository.settings.base_url or DEFAULT_ADDRESS
    bag = export_work(repository, identifier, output, base_url, terminal.progress())
    terminal.write(
        LocalizedText(
            f"已导出 {output}：{bag.files} 个文件，第 {bag.version} 版",
            f"Exported {output}: {counted(bag.files, 'file', 'files')}, v{bag.version}",
        )
    )
    terminal.result(
        {"identifier": bag.work, "version": bag.version, "file": str(output), "files": bag.files, "bytes": bag.bytes}
    )


@click.command(name="import-bag")
@click.argument("bag", metavar="FILE", type=_FILE)
@command
def import_bag(terminal: Terminal, bag: Path) -> int:
    """校验 BagIt 包（文件夹、ZIP 或 TAR），将其内容收入。 Verify a BagIt bag, and ingest its payload as a deposit."""
    repository = bootstrap(process_settings())
    if repository.settings.broker and not bag.is_dir():
        raise RequestInvalid(part="FILE", reason=_NOT_SHARED)
    # Imported here because only this command needs what verifies bags.
    from workers.exchange.bag import opened_bag  # noqa: PLC0415

    with opened_bag(bag, repository.settings.staging) as verified:
        if repository.settings.broker:
            return ingest_by_workers(repository, [verified.payload], terminal, bag=verified.root)
        with opened_examiner(repository.settings) as examiner:
            context = TaskContext(repository, examiner)
            return ingest_locally(context, [verified.payload], terminal, bag=verified.root)
