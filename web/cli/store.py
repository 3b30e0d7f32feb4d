"""The commands ``shanben store``: copy, restore, validate or adopt a store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from preservation.fixity.canaries import plant_canaries
from preservation.ocfl.store_validation import survey_store, validate_store
from preservation.replication.transfer import NamedStore
from preservation.store_identity import StoreNotRecognised, verify_primary, verify_replica
from preservation.store_identity import adopt as adopt_store
from repository.config import Settings, process_settings
from repository.errors import Busy, DatabaseFault, SettingInvalid, StoreFault
from repository.localized import LocalizedText, counted
from repository.paths import LOG_CHECKPOINT, OCFL_ROOT
from repository.repository import Repository, open_repository
from repository.storage.address import parse_address, replica_addresses, store_name
from repository.storage.store import open_store_at
from repository.store_label import PRIMARY_LABEL
from web.cli.lost_works import accept_loss, list_lost
from web.cli.restored_report import report_restored
from web.cli.store_option import replica_named, unknown_store
from web.cli.terminal import EXIT_CONTENT, EXIT_SYSTEM, Terminal, command
from web.cli.validation_report import collect_findings, findings_document, report_findings
from web.operations.formatting import byte_size
from workers.bootstrap import bootstrap
from workers.maintenance.copy_store import StoreCopied, copy_store
from workers.maintenance.restore_store import restore_store
from workers.store_preparation import prepare_store
from workers.tasks.replicate import replication_jobs


@click.group()
def store() -> None:
    """存储：整体复制、恢复、验证与认领。 Stores: copy, restore, validate or adopt one."""


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
    settings = process_settings()
    selected = _open_selected(name, settings)
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
    if fault := _identity_fault(name, settings):
        terminal.report_error(fault)
        return EXIT_SYSTEM
    return EXIT_CONTENT if findings.faults else 0


@store.command()
@click.option(
    "--store", "name", metavar="NAME", help="副本的名称（缺省为主存储）。 A replica's name; the primary by default."
)
@click.option(
    "--refill", is_flag=True, help="副本的内容已丢失，重新复制。 The replica's content is lost: fill it again."
)
@command
def adopt(terminal: Terminal, name: str | None, refill: bool) -> None:
    """认领存储：写入本馆的标识（须存有目录所载的著作）。 Give a store that holds the works this library's identity."""
    repository = open_repository(process_settings())
    replica = replica_named(repository, name)
    if refill and not replica:
        reason = LocalizedText("只能用于副本；请以 --store 指定", "it is for replicas; name one by --store")
        raise SettingInvalid(name="--refill", reason=reason)
    if refill:
        repository.stores.forget_replica(replica)
    adopt_store(repository, replica)
    plant_canaries(repository.replicas[replica] if replica else repository.store)
    for job in replication_jobs(repository, failed=True) if replica else ():
        repository.jobs.enqueue(job)
    label = replica or store_name(repository.settings.store_url)
    terminal.write(LocalizedText(f"已认领：{label}", f"Adopted: {label}"))
    terminal.result({"store": label, "refill": refill})


@store.command()
@click.option(
    "--from",
    "names",
    metavar="NAME[,NAME]",
    required=True,
    help="来源存储的名称或地址，以逗号分隔。 The stores to restore from: names or addresses, comma-separated.",
)
@click.option(
    "--to", "address", metavar="ADDRESS", help="恢复到此地址，缺省为主存储。 Where to; the primary by default."
)
@command
def restore(terminal: Terminal, names: str, address: str | None) -> int:
    """用其他存储恢复主存储或新的存储，并列出缺失的内容。 Restore a store from others, and list what is missing."""
    settings = process_settings()
    repository = open_repository(settings)
    target = _restore_target(repository, address)
    sources = [_restore_source(repository, name.strip()) for name in names.split(",") if name.strip()]
    restored = restore_store(repository, sources, target, terminal.progress())
    return report_restored(terminal, target.name, restored)


@store.command()
@click.argument("work", required=False)
@click.option("--reason", default="", help="接受丢失的理由，存档但不公开。 Why the loss is accepted; never published.")
@command
def lost(terminal: Terminal, work: str | None, reason: str) -> int:
    """列出日志记有而存储所无的著作，或接受其丢失。 List works that the log names and no store has, or accept a loss."""
    repository = bootstrap(process_settings())
    return accept_loss(terminal, repository, work, reason) if work else list_lost(terminal, repository)


def _restore_target(repository: Repository, address: str | None) -> NamedStore:
    settings = repository.settings
    prepare_store(address or settings.store_url, settings)
    if address is None or store_name(address) == store_name(settings.store_url):
        return NamedStore(PRIMARY_LABEL, repository.store)
    return NamedStore(store_name(address), open_store_at(address, settings))


def _restore_source(repository: Repository, name: str) -> NamedStore:
    """Return the store with this name, or at this address. Raises `SettingInvalid`."""
    if name in {PRIMARY_LABEL, store_name(repository.settings.store_url)}:
        return NamedStore(PRIMARY_LABEL, repository.store)
    if name in repository.replicas:
        return NamedStore(name, repository.replicas[name])
    return _open_source(name, repository.settings)


def _identity_fault(name: str | None, settings: Settings) -> StoreNotRecognised | None:
    """Return why the validated store is not the one that the library filled; None without a database that knows it."""
    if not settings.has_database:
        return None
    try:
        repository = open_repository(settings)
        replica = replica_named(repository, name)
        if replica:
            verify_replica(repository, replica)
        else:
            verify_primary(repository)
    except StoreNotRecognised as fault:
        return fault
    except (DatabaseFault, Busy):
        pass  # the store alone is validated
    return None


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
    addresses = {PRIMARY_LABEL: settings.store_url, primary: settings.store_url, **replicas}
    address = addresses.get(PRIMARY_LABEL if name is None else name)
    if address is None:
        raise unknown_store(str(name), replicas)
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
            f"Verified: {counted(copied.works, 'work', 'works')}, {counted(entries, 'log entry', 'log entries')},"
            f" {counted(done.objects, 'object', 'objects')}, {byte_size(done.bytes)}; copied in this run:"
            f" {counted(done.objects_put, 'object', 'objects')}, {byte_size(done.bytes_put)}",
        )
    )
    if copied.problems:
        count = len(copied.problems)
        terminal.write(
            LocalizedText(
                f"{count} 处有问题，未复制；其余已完成。改正后再次运行即可",
                f"{counted(count, 'problem', 'problems')}: what has one was not copied; everything else was. Correct"
                " them"
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
