"""The commands ``shanben store``: copy a whole store, and validate its OCFL storage root."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from preservation.ocfl.store_validation import survey_store, validate_store
from preservation.replication.transfer import NamedStore
from repository.config import Settings, process_settings
from repository.errors import SettingInvalid, StoreFault
from repository.localized import LocalizedText
from repository.paths import LOG_CHECKPOINT, OCFL_ROOT
from repository.storage.address import parse_address, replica_addresses, store_name
from repository.storage.store import open_store_at
from web.cli.terminal import EXIT_CONTENT, Terminal, command
from web.cli.validation_report import collect_findings, findings_document, report_findings
from web.operations.formatting import byte_size
from workers.bootstrap import prepare_store
from workers.maintenance.copy_store import StoreCopied, copy_store

_PRIMARY: Final = "store"


@click.group()
def store() -> None:
    """存储：整体复制与验证。 Stores: copy one, validate one."""


@store.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--masters-only", is_flag=True, help="不含浏览图与清单。 Without pyramids and manifests.")
@command
def copy(terminal: Terminal, source: str, target: str, masters_only: bool) -> int:
    """复制并核验整个存储；中断后再次运行即可继续。 Copy and verify a whole store; run it again to continue."""
    settings = process_settings()
    # The same rule as for replicas: the two must be different places, neither within the other.
    replica_addresses(replace(settings, store=source, replicas=(target,)))
    origin = _open_source(source, settings)
    prepare_store(target, settings)
    destination = NamedStore(store_name(target), open_store_at(target, settings))
    copied = copy_store(origin, destination, terminal.progress(), masters_only=masters_only)
    _report_copy(terminal, copied)
    terminal.result(_copy_document(terminal, origin, destination, copied))
    return EXIT_CONTENT if copied.problems else 0


@store.command()
@click.option(
    "--store", "name", metavar="NAME", help="副本的名称（缺省为主存储）。 A replica's name; the primary by default."
)
@command
def validate(terminal: Terminal, name: str | None) -> int:
    """按 OCFL 规则验证存储，逐一核对摘要。 Validate a store by the OCFL rules, every digest included."""
    selected = _open_selected(name, process_settings())
    progress = terminal.progress()
    try:
        progress.start(LocalizedText(f"列出 {selected.name}", f"Listing {selected.name}"), 0)
        survey = survey_store(selected.store)
        progress.start(LocalizedText(f"验证 {selected.name}", f"Validating {selected.name}"), survey.bytes)
        findings = collect_findings(validate_store(selected.store, survey, progress.advance))
    finally:
        progress.finish()
    report_findings(terminal, selected.name, survey.bytes, findings)
    terminal.result(findings_document(terminal, selected.name, survey.bytes, findings))
    return EXIT_CONTENT if findings.faults else 0


def _open_source(address: str, settings: Settings) -> NamedStore:
    opened = open_store_at(address, settings)
    if not (opened.exists(f"{OCFL_ROOT}/0=ocfl_1.1") or opened.exists(LOG_CHECKPOINT)):
        raise SettingInvalid(
            name="FROM",
            reason=LocalizedText(
                f"{store_name(address)} 中没有存储内容；请核对地址",
                f"{store_name(address)} does not contain a store; check the address",
            ),
        )
    return NamedStore(store_name(address), opened)


def _open_selected(name: str | None, settings: Settings) -> NamedStore:
    """Open the primary store, or the replica with this name. Raises `SettingInvalid`, `StoreFault`."""
    replicas = dict(zip(replica_addresses(settings), settings.replicas, strict=True))
    primary = store_name(settings.store_url)
    addresses = {_PRIMARY: settings.store_url, primary: settings.store_url, **replicas}
    address = addresses.get(_PRIMARY if name is None else name)
    if address is None:
        names = "、".join((_PRIMARY, *replicas)), ", ".join((_PRIMARY, *replicas))
        raise SettingInvalid(
            name="--store",
            reason=LocalizedText(
                f"没有名为 {name} 的存储；可用的名称：{names[0]}",
                f"no store is named {name}; the names are: {names[1]}",
            ),
        )
    location = parse_address(address, settings)
    if isinstance(location, Path) and not location.is_dir():
        raise StoreFault(
            key=store_name(address),
            reason=LocalizedText(
                "文件夹不存在；请检查是否已挂载，新建的存储请先运行 shanben init",
                "the folder does not exist; check that it is mounted, or run shanben init for a new store",
            ),
        )
    return NamedStore(store_name(address), open_store_at(address, settings))


def _report_copy(terminal: Terminal, copied: StoreCopied) -> None:
    for problem in copied.problems:
        terminal.write(LocalizedText(f"✗ {problem.message.zh}", f"✗ {problem.message.en}"))
    done, entries = copied.totals, copied.log.size if copied.log else 0
    terminal.write(
        LocalizedText(
            f"已核验：著作 {copied.works} 种，日志 {entries} 条，对象 {done.objects} 个，{byte_size(done.bytes)}；"
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
                f"{count} object(s) or work(s) with problems were not copied; everything else was. Correct the problems"
                " and run the command again",
            )
        )


def _copy_document(
    terminal: Terminal, source: NamedStore, target: NamedStore, copied: StoreCopied
) -> dict[str, object]:
    done, log = copied.totals, copied.log
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
