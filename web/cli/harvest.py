"""The commands ``shanben harvest``: sources of partners' records are added, harvested, listed and removed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import click
import msgspec

from iiif_server.presentation.collections import ALL
from repository.config import process_settings
from repository.database.outbox import FINISHED, Job, JobState, NewJob
from repository.errors import RequestInvalid
from repository.localized import Language, LocalizedText, counted
from repository.model.harvest import HarvestSource, RunTotals, SourceSettings, is_source_name
from repository.network.guarded_http import parse_partner_url
from repository.repository import Repository, open_repository
from web.cli.examiner import opened_examiner
from web.cli.terminal import EXIT_CODES, EXIT_SYSTEM, Terminal, TerminalProgress, command
from workers.bootstrap import bootstrap
from workers.execution.context import TaskContext
from workers.harvest.keeping import forget_source, keep_source
from workers.service.local import local_runner
from workers.tasks.harvest import guarded_client, kind_of_source
from workers.tasks.jobs import harvest_job
from workers.tasks.publish import publish_period

_PAUSE_SECONDS: Final = 0.5
_NAME: Final = LocalizedText(
    "应为 1 至 32 个小写字母、数字或中间的连字符", "it must be 1 to 32 lower-case letters, digits and inner hyphens"
)
_ORIGIN: Final = LocalizedText("应形如 https://images.example", "it must be like https://images.example")


@click.group()
def harvest() -> None:
    """收割合作机构的元数据：增加来源、收割、列出、去除。 Harvest partners' records: add, run, list, remove."""


@harvest.command()
@click.argument("name")
@click.argument("url")
@click.option("--title", default="", help="来源的名称，供读者阅读。 The name of the source for readers.")
@click.option("--set", "subset", default="", help="只收割此集合（OAI-PMH）。 Only this set (OAI-PMH).")
@click.option(
    "--format", "prefix", default="", help="元数据格式，默认取最详的。 The metadata format; default: the richest."
)
@click.option(
    "--every", default=24, type=click.IntRange(0, 8760), help="间隔小时，0 为手动。 Hours between runs; 0: none."
)
@click.option("--rate", default=1.0, type=click.FloatRange(0.01, 100), help="每秒请求数。 The most requests a second.")
@click.option("--pictures", multiple=True, metavar="ORIGIN", help="另许显示此处的图像。 Also show pictures from here.")
@command
def add(terminal: Terminal, name: str, url: str, **options: Any) -> None:
    """增加来源：OAI-PMH 服务或 IIIF 集合的地址。 Add a source: an OAI-PMH provider or a IIIF collection."""
    if not is_source_name(name):
        raise RequestInvalid(part="NAME", reason=_NAME)
    parse_partner_url(url)
    origins = tuple(_origin(each) for each in options["pictures"])
    repository = bootstrap(process_settings())
    kind = kind_of_source(guarded_client(repository), url)
    settings = SourceSettings(
        kind, options["title"], options["subset"], options["prefix"], options["every"], options["rate"], origins
    )
    source = HarvestSource(name, url, settings)
    repository.harvests.add(source)
    keep_source(repository, source)
    publish_period(repository, ALL)
    terminal.write(
        LocalizedText(
            f"已增加来源 {name}（{kind.value}）；请运行 shanben harvest run {name}",
            f"Source {name} added ({kind.value}); run shanben harvest run {name}",
        )
    )
    terminal.result(source_json(repository, source, terminal.language))


@harvest.command()
@click.argument("name", required=False)
@click.option("--full", is_flag=True, help="收割全部记录，不只新的。 Harvest all records, not only new ones.")
@click.option("--accept-deletions", is_flag=True, help="许可一次删去许多。 Follow however many deletions.")
@command
def run(terminal: Terminal, name: str | None, *, full: bool, accept_deletions: bool) -> int:
    """立即收割此来源，不写名称则全部。 Harvest a source now, or all; a run that changes nothing says so."""
    repository = bootstrap(process_settings())
    sources = [repository.harvests.source(name)] if name else repository.harvests.sources()
    if not sources:
        terminal.write(_NO_SOURCES)
    jobs = [harvest_job(source.name, full=full, accept=accept_deletions) for source in sources]
    if repository.settings.broker:
        _request(repository, jobs)
        ended = [_awaited(terminal, repository, job.key, str(job.arguments["source"])) for job in jobs]
    else:
        ended = _run_here(terminal, repository, jobs)
    for each in ended:
        terminal.write(_outcome(each))
    terminal.result({"sources": [_run_json(job, terminal.language) for job in ended]})
    failed = [job for job in ended if job.state is not JobState.DONE]
    return max((EXIT_CODES.get(str((job.result or {}).get("branch")), EXIT_SYSTEM) for job in failed), default=0)


@harvest.command(name="list")
@command
def list_sources(terminal: Terminal) -> None:
    """列出来源及其记录数和最近一次收割。 List the sources, their records and their last run."""
    repository = open_repository(process_settings())
    sources = repository.harvests.sources()
    for source in sources:
        terminal.write(_line(repository, source))
    if not sources:
        terminal.write(_NO_SOURCES)
    terminal.result({"sources": [source_json(repository, source, terminal.language) for source in sources]})


@harvest.command()
@click.argument("name")
@command
def remove(terminal: Terminal, name: str) -> None:
    """去除来源及其全部记录。 Remove a source with all its records."""
    repository = bootstrap(process_settings())
    source = repository.harvests.source(name)
    counts = repository.harvests.counts(name)
    forget_source(repository, source.name)
    publish_period(repository, ALL)
    zh, en = f"已去除来源 {name} 及其 {counts.live} 条记录", f"Source {name} and its {counts.live} records removed"
    terminal.write(LocalizedText(zh, en))
    terminal.result({"name": name, "records": counts.live})


def _request(repository: Repository, jobs: Sequence[NewJob]) -> None:
    """Queue jobs for workers, and send what is due to the broker."""
    # Imported here because Celery takes long to load, and only a broker needs it.
    from workers.service.celery_app import create_celery  # noqa: PLC0415
    from workers.service.dispatch import send_due  # noqa: PLC0415

    for job in jobs:
        repository.jobs.enqueue(job)
    send_due(create_celery(repository.settings), repository)


def _run_here(terminal: Terminal, repository: Repository, jobs: Sequence[NewJob]) -> list[Job]:
    """Run jobs in this process, one after the other."""
    ended: list[Job] = []
    with opened_examiner(repository.settings, 1) as examiner, local_runner(TaskContext(repository, examiner)) as runner:
        for job in jobs:
            bar = _RunProgress(terminal, repository, str(job.arguments["source"]))
            ended.append(runner.run(job, bar.show))
            bar.finish()
    return ended


class _RunProgress:
    """The progress of a run: records that it has met, of those that the partner states."""

    def __init__(self, terminal: Terminal, repository: Repository, name: str) -> None:
        self._repository = repository
        self._name = name
        self._bar: TerminalProgress = terminal.progress()
        self._size = -1

    def show(self) -> None:
        """Show how far the run is."""
        running = self._repository.harvests.source(self._name).state.run
        if running is None:
            return
        if running.size is not None and running.size != self._size:
            self._size = running.size
            self._bar.start(LocalizedText(f"收割 {self._name}", f"Harvesting {self._name}"), running.size)
        self._bar.advance_to(running.listed)

    def finish(self) -> None:
        self._bar.finish()


def source_json(repository: Repository, source: HarvestSource, language: Language | None) -> dict[str, object]:
    """Return a source for programs."""
    counts, state = repository.harvests.counts(source.name), source.state
    fault = LocalizedText.of_json(state.fault).in_language(language) if state.fault else None
    settings = msgspec.to_builtins(source.settings)
    return {
        "name": source.name,
        "url": source.url,
        **settings,
        "records": counts.live,
        "deleted": counts.deleted,
        "bytes": repository.harvests.held(source.name).bytes,
        "last_run": state.ended or None,
        "last_success": state.succeeded or None,
        "failing_since": state.failing or None,
        "fault": fault,
        "totals": msgspec.to_builtins(state.totals),
    }


def _awaited(terminal: Terminal, repository: Repository, key: str, name: str) -> Job:
    """Wait for the workers to end a job."""
    bar = _RunProgress(terminal, repository, name)
    while True:
        job = repository.jobs.get(key)
        if job is not None and job.state in FINISHED:
            bar.finish()
            return job
        bar.show()
        time.sleep(_PAUSE_SECONDS)


def _origin(text: str) -> str:
    parse_partner_url(text)
    parts = urlsplit(text)
    if parts.path.strip("/") or parts.query:
        raise RequestInvalid(part="--pictures", reason=_ORIGIN)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _run_json(job: Job, language: Language | None) -> dict[str, object]:
    result = dict(job.result or {})
    if job.state is JobState.DONE:
        return {**result, "state": "done"}
    message = result.get("message")
    text = LocalizedText.of_json(message).in_language(language) if isinstance(message, dict) else ""
    return {"source": job.arguments["source"], "state": "failed", "code": result.get("code"), "message": text}


def _outcome(job: Job) -> LocalizedText:
    name, result = job.arguments["source"], job.result or {}
    if job.state is not JobState.DONE:
        message = result.get("message")
        reason = LocalizedText.of_json(message) if isinstance(message, dict) else LocalizedText("原因不明", "unknown")
        return LocalizedText(f"✗ {name}：{reason.zh}", f"✗ {name}: {reason.en}")
    totals = RunTotals(**{name: int(str(result.get(name, 0))) for name in msgspec.to_builtins(RunTotals())})
    return totals_text(name, totals)


def totals_text(name: str, totals: RunTotals) -> LocalizedText:
    """Return what a run did, in words."""
    if totals.has_changed:
        zh = f"{name}：新增 {totals.added}，更改 {totals.changed}，删除 {totals.deleted}，未变 {totals.unchanged}"
        en = f"{name}: {totals.added} added, {totals.changed} changed, {totals.deleted} deleted"
        en += f", {totals.unchanged} unchanged"
    else:
        zh, en = (
            f"{name}：没有变化（核对 {totals.unchanged} 条）",
            f"{name}: nothing has changed ({totals.unchanged} checked)",
        )
    for count, words, english in (
        (totals.unreadable, "无法读取", "unreadable"),
        (totals.collisions, "编号重复", "with a repeated identifier"),
        (
            totals.held_back,
            "不再列出、暂予保留（--accept-deletions）",
            "no longer listed and kept (--accept-deletions)",
        ),
    ):
        if count:
            zh, en = f"{zh}；{words} {count}", f"{en}; {count} {english}"
    return LocalizedText(zh, en)


def _line(repository: Repository, source: HarvestSource) -> LocalizedText:
    counts, state = repository.harvests.counts(source.name), source.state
    head = f"{source.name}  {source.settings.kind.value}  {source.url}"
    zh = f"{head}  {counts.live} 条  最近收割 {state.succeeded or '从未'}"
    en = f"{head}  {counted(counts.live, 'record', 'records')}  harvested {state.succeeded or 'never'}"
    if state.fault:
        reason = LocalizedText.of_json(state.fault)
        zh, en = f"{zh}  ✗ 自 {state.failing} 失败：{reason.zh}", f"{en}  ✗ failing since {state.failing}: {reason.en}"
    return LocalizedText(zh, en)


_NO_SOURCES: Final = LocalizedText("没有收割来源", "There are no sources")
