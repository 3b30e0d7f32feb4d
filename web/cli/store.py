"""``shanben store``: a whole store copied and verified."""

from __future__ import annotations

from dataclasses import replace

import click

from preservation.replication.transfer import NamedStore
from repository.config import Settings, process_settings
from repository.errors import SettingInvalid
from repository.localized import LocalizedText
from repository.paths import LOG_CHECKPOINT, OCFL_ROOT
from repository.storage.address import distinct_replicas, store_name
from repository.storage.store import open_store_at
from web.cli.terminal import EXIT_CONTENT, Terminal, command
from web.operations.formatting import byte_size
from workers.bootstrap import prepare_store
from workers.maintenance.copy_store import StoreCopied, copy_store


@click.group()
def store() -> None:
    """存储：整体复制与核验。 Stores: copied whole, and verified."""


@store.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--masters-only", is_flag=True, help="不含浏览图与清单。 Without pyramids and manifests.")
@command
def copy(terminal: Terminal, source: str, target: str, masters_only: bool) -> int:
    """复制并核验整个存储；中断后再次运行即可继续。 Copy and verify a whole store; stopped, run it again."""
    settings = process_settings()
    # The same rule as for replicas: the two must be different places, neither within the other.
    distinct_replicas(replace(settings, store=source, replicas=(target,)))
    origin = _opened_source(source, settings)
    prepare_store(target, settings)
    destination = NamedStore(store_name(target), open_store_at(target, settings))
    copied = copy_store(origin, destination, terminal.progress(), masters_only=masters_only)
    _tell(terminal, copied)
    terminal.result(_document(terminal, origin, destination, copied))
    return EXIT_CONTENT if copied.problems else 0


def _opened_source(address: str, settings: Settings) -> NamedStore:
    found = open_store_at(address, settings)
    if not (found.exists(f"{OCFL_ROOT}/0=ocfl_1.1") or found.exists(LOG_CHECKPOINT)):
        raise SettingInvalid(
            name="FROM",
            reason=LocalizedText(
                f"{store_name(address)} 中没有存储内容", f"{store_name(address)} holds no store of ours"
            ),
        )
    return NamedStore(store_name(address), found)


def _tell(terminal: Terminal, copied: StoreCopied) -> None:
    for problem in copied.problems:
        terminal.write(LocalizedText(f"✗ {problem.message.zh}", f"✗ {problem.message.en}"))
    done, entries = copied.done, copied.log.size if copied.log else 0
    terminal.write(
        LocalizedText(
            f"已核验：著作 {copied.works} 部，日志 {entries} 条，对象 {done.objects} 个，{byte_size(done.bytes)}；"
            f"本次复制 {done.objects_put} 个，{byte_size(done.bytes_put)}",
            f"Verified: {copied.works} works, {entries} log entries, {done.objects} objects, {byte_size(done.bytes)};"
            f" copied in this run: {done.objects_put} objects, {byte_size(done.bytes_put)}",
        )
    )
    if copied.problems:
        count = len(copied.problems)
        terminal.write(
            LocalizedText(
                f"{count} 处有问题，未复制；其余已完成。改正后再次运行即可",
                f"{count} problem(s) were not copied, all else was; mend them and run it again",
            )
        )


def _document(terminal: Terminal, source: NamedStore, target: NamedStore, copied: StoreCopied) -> dict[str, object]:
    done, log = copied.done, copied.log
    return {
        "from": source.name,
        "to": target.name,
        "works": copied.works,
        "objects": done.objects,
        "bytes": done.bytes,
        "objects_put": done.objects_put,
        "bytes_put": done.bytes_put,
        "log": {"size": log.size, "root": log.root} if log else None,
        "problems": [
            {"code": problem.code, "message": problem.in_language(terminal.language)} for problem in copied.problems
        ],
    }
