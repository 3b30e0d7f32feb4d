"""The `shanben` command and its subcommands.

Exit codes: 0 success, 1 a fault of the content, 2 a fault of the call, 3 something that the system needs is missing.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import click

from preservation.log.sequencer import verifier_key
from repository.config import process_settings
from repository.errors import DependencyMissing, StoreFault
from repository.localized import LocalizedText, counted
from repository.logs import log_to_stderr
from web.cli.access import access, restore, withdraw
from web.cli.account import account
from web.cli.certificate import certificate
from web.cli.delete import delete
from web.cli.deposit_report import arrangement_json, show_arrangement, show_ignored
from web.cli.examiner import opened_examiner
from web.cli.exchange import export, import_bag
from web.cli.fixity import fixity
from web.cli.harvest import harvest
from web.cli.history import history
from web.cli.ingest import ingest_by_workers, ingest_locally, revised_work
from web.cli.keys import keys
from web.cli.lint_manifest import lint_manifest
from web.cli.log import log
from web.cli.rebuild import report_rebuilt
from web.cli.repair import repair
from web.cli.retry import jobs_to_retry, retry_by_workers, retry_locally
from web.cli.sandbox_report import active_layers, report_sandbox
from web.cli.status import status
from web.cli.store import store
from web.cli.terminal import EXIT_CONTENT, Terminal, command
from web.cli.witness import witness
from workers.bootstrap import bootstrap, bootstrap_to_rebuild, bootstrap_to_serve
from workers.deposit.check import check as check_deposit
from workers.deposit.examiner import open_deposit_examiner
from workers.execution.context import TaskContext
from workers.maintenance.rebuild import rebuild as rebuild_catalogue
from workers.service.local import local_runner

FOLDER = click.Path(path_type=Path)


@click.group()
def main() -> None:
    """善本 Shanben：古籍数字典藏与 IIIF 图像服务。 A digital heritage repository and IIIF image service."""
    log_to_stderr(line="%(message)s")


main.add_command(access)
main.add_command(account)
main.add_command(certificate)
main.add_command(delete)
main.add_command(export)
main.add_command(import_bag)
main.add_command(fixity)
main.add_command(keys)
main.add_command(lint_manifest)
main.add_command(harvest)
main.add_command(history)
main.add_command(log)
main.add_command(repair)
main.add_command(restore)
main.add_command(status)
main.add_command(store)
main.add_command(withdraw)
main.add_command(witness)


@main.command()
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


@main.command()
@click.argument("folder", type=FOLDER)
@command
def sample(terminal: Terminal, folder: Path) -> None:
    """制作样书（千字文）送存目录。 Write the sample rare book, a deposit folder ready for `ingest`."""
    # Imported here because only this command needs the libraries that draw the book.
    from sample_book import make_sample  # noqa: PLC0415

    make_sample(folder, terminal.progress())
    terminal.write(LocalizedText(f"样书已制成：{folder}", f"Sample book written: {folder}"))
    terminal.result({"deposit": str(folder)})


@main.command()
@click.argument("deposit", type=FOLDER)
@command
def check(terminal: Terminal, deposit: Path) -> int:
    """检查送存目录，列出次序与全部问题，不写入任何内容。 List the order and every fault; write nothing."""
    settings = process_settings()
    with TemporaryDirectory() as scratch, open_deposit_examiner(settings, Path(scratch)) as examiner:
        checked = check_deposit(deposit, examiner, terminal.progress())
    faults = checked.faults
    show_arrangement(checked.volumes, terminal)
    show_ignored(checked.ignored, terminal)
    terminal.faults(faults)
    terminal.notices(checked.notices)
    count = len(faults)
    terminal.write(
        LocalizedText(f"共 {count} 处问题", counted(count, "fault", "faults"))
        if faults
        else LocalizedText("没有问题", "No faults")
    )
    terminal.result(
        {
            "faults": [fault.to_localized_json(terminal.language) for fault in faults],
            "notices": [notice.to_localized_json(terminal.language) for notice in checked.notices],
            "volumes": arrangement_json(checked.volumes),
            "ignored": list(checked.ignored),
        }
    )
    return EXIT_CONTENT if faults else 0


@main.command()
@click.argument("deposits", nargs=-1, required=True, type=FOLDER)
@click.option("--revises", metavar="WORK", help="收为此著作的新版本。 Ingest as a new version of this work.")
@command
def ingest(terminal: Terminal, deposits: tuple[Path, ...], revises: str | None) -> int:
    """收入送存：检查、保存、切片、发布；重复执行，结果不变。 Check, preserve, tile and publish; safe to repeat."""
    repository = bootstrap(process_settings())
    work = revised_work(repository, deposits, revises) if revises else None
    if repository.settings.broker:
        return ingest_by_workers(repository, deposits, terminal, work)
    with opened_examiner(repository.settings) as examiner:
        return ingest_locally(TaskContext(repository, examiner), deposits, terminal, work)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 256))
@command
def serve(terminal: Terminal, host: str, port: int, workers: int) -> int:
    """启动网站与 IIIF 服务。 Serve the whole web application."""
    settings = process_settings()
    if fault := bootstrap_to_serve(settings):
        terminal.warn(_without_store(fault))
    report_sandbox(terminal, active_layers())
    scheme = "https" if settings.tls_certificate else "http"
    address = settings.base_url or f"{scheme}://{host}:{port}"
    # Imported here because only this command needs a web server, which takes long to load.
    from web.cli.serve import serve as serve_site  # noqa: PLC0415

    return serve_site(settings, host, port, workers, announce=lambda: terminal.write(_address(address)))


def _without_store(fault: StoreFault) -> LocalizedText:
    message = fault.message
    zh = f"{message.zh}。网站照常启动；依赖存储的内容待其恢复后提供"
    return LocalizedText(
        zh, f"{message.en}. The site starts without it; content in the store is served once it is available"
    )


def _address(address: str) -> LocalizedText:
    return LocalizedText(f"请打开 {address}/ （按 Ctrl+C 停止）", f"Open {address}/ (press Ctrl+C to stop)")


@main.command()
@click.option("--concurrency", default=1, show_default=True, type=click.IntRange(1, 64))
@command
def worker(terminal: Terminal, concurrency: int) -> None:
    """启动 Celery 工作进程（需消息代理）。 Run a Celery worker; needs a broker."""
    repository = bootstrap(process_settings())
    if not repository.settings.broker:
        remedy = LocalizedText(
            "请设为消息代理的地址，如 redis://… 或 amqp://…",
            "set it to the address of the broker: redis://… or amqp://…",
        )
        raise DependencyMissing(what="SHANBEN_BROKER", remedy=remedy)
    # Imported here because Celery takes long to load, and only a broker needs it.
    from workers.service.worker import run_worker  # noqa: PLC0415

    report_sandbox(terminal, active_layers())
    with opened_examiner(repository.settings, concurrency) as examiner:
        run_worker(TaskContext(repository, examiner), concurrency)


@main.command()
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@command
def retry(terminal: Terminal, keys: tuple[str, ...]) -> int:
    """重试失败或推迟的任务（不含送存）。 Retry failed and delayed jobs: the given ones, else all but ingests."""
    repository = bootstrap(process_settings())
    new_jobs = jobs_to_retry(repository.jobs, keys)
    if repository.settings.broker or not new_jobs:
        return retry_by_workers(repository, new_jobs, terminal)
    with opened_examiner(repository.settings) as examiner, local_runner(TaskContext(repository, examiner)) as runner:
        return retry_locally(runner, new_jobs, terminal)


@main.command()
@command
def rebuild(terminal: Terminal) -> int:
    """仅凭存储重建目录数据库；损坏的著作跳过并列出。 Rebuild the catalogue from storage alone; name what is damaged."""
    repository = bootstrap_to_rebuild(process_settings())
    with opened_examiner(repository.settings) as examiner:
        done = rebuild_catalogue(repository, examiner, terminal.progress())
    return report_rebuilt(terminal, done)
