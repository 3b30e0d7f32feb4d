"""``shanben status``: what is held, in progress, delayed and failed, once or every second (``--watch``).

A terminal gets tables and progress bars, redrawn in place by ``--watch``. Elsewhere ``--watch`` writes one line a
second, and ``--json`` one document a line.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

import click
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from repository.clock import system_clock
from repository.config import Settings, process_settings
from repository.errors import DatabaseFault
from repository.localized import Language, LocalizedText
from repository.repository import open_repository
from web.cli.sandbox_report import active_layers, layers_document, report_sandbox
from web.cli.terminal import EXIT_SYSTEM, PrintableConsole, Terminal, command
from web.messages.interface import MESSAGES
from web.operations.fixity_status import fixity_key
from web.operations.formatting import byte_size, grouped, percent, relative_time
from web.operations.log_status import key_text, timestamp_text
from web.operations.status import (
    MOST_LISTED,
    IngestProgress,
    JobFailure,
    ReplicaProgress,
    Status,
    StatusReader,
    preserved_key,
    progress_key,
    remedy_key,
    replica_key,
    status_document,
    witness_behind,
    witness_key,
)
from workers.tasks.fixity_state import FixityState

_STORE_TIMEOUT_SECONDS: Final = 5.0
"""The seconds for which one status waits for the store: enough for a short outage."""

_INTERVAL_SECONDS: Final = 1.0
_FILE_WIDTH: Final = 160
_BAR_WIDTH: Final = 20


@click.command()
@click.option("--watch", is_flag=True, help="每秒更新，按 Ctrl+C 停止。 Update every second until Ctrl+C.")
@command
def status(terminal: Terminal, watch: bool) -> int:
    """馆藏与任务概况。 Show what is held, in progress, delayed and failed."""
    settings = process_settings()
    if watch:
        _watch(terminal, settings)
        return 0
    current = StatusReader(open_repository(settings)).read(_STORE_TIMEOUT_SECONDS)
    layers = active_layers()
    terminal.result(status_document(current, terminal.language) | {"sandbox": layers_document(layers)})
    if not terminal.as_json:
        _console().print(StatusView(terminal.language, system_clock()).tables(current))
        report_sandbox(terminal, layers)
    if current.store_fault is None:
        return 0
    terminal.warn(current.store_fault)
    return EXIT_SYSTEM


def _console() -> Console:
    """Return standard output; outside a terminal, wide enough that most reasons stay on one line."""
    console = PrintableConsole()
    return console if console.is_terminal else PrintableConsole(width=_FILE_WIDTH)


def _watch(terminal: Terminal, settings: Settings) -> None:
    poll = _StatusPoll(settings)
    try:
        if terminal.as_json:
            _repeat(poll, lambda result: _print_json(terminal, result))
        elif (console := _console()).is_terminal:
            with Live(console=console, auto_refresh=False) as live:
                _repeat(poll, lambda result: _redraw(terminal, live, result))
        else:
            _repeat(poll, lambda result: _print_line(terminal, result))
    except KeyboardInterrupt:
        return  # Ctrl+C is the documented way to end the command


class _StatusPoll:
    """Reads the status, and opens the repository when the database allows it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reader: StatusReader | None = None

    def __call__(self) -> Status | DatabaseFault:
        try:
            if self._reader is None:
                self._reader = StatusReader(open_repository(self._settings))
            return self._reader.read(_INTERVAL_SECONDS)
        except DatabaseFault as fault:
            return fault


def _repeat(poll: _StatusPoll, show: Callable[[Status | DatabaseFault], None]) -> None:
    while True:
        started = time.monotonic()
        show(poll())
        time.sleep(max(0.0, _INTERVAL_SECONDS - (time.monotonic() - started)))


def _print_json(terminal: Terminal, result: Status | DatabaseFault) -> None:
    if isinstance(result, Status):
        terminal.result(status_document(result, terminal.language))
    else:
        fault = {"code": result.code, "message": result.in_language(terminal.language)}
        terminal.result({"fault": fault})


def _redraw(terminal: Terminal, live: Live, result: Status | DatabaseFault) -> None:
    if isinstance(result, Status):
        live.update(StatusView(terminal.language, system_clock()).tables(result), refresh=True)
    else:
        live.update(Text(_unavailable(result).in_language(terminal.language), style="bold red"), refresh=True)


def _print_line(terminal: Terminal, result: Status | DatabaseFault) -> None:
    if isinstance(result, Status):
        terminal.write_line(StatusView(terminal.language, system_clock()).line(result))
    else:
        terminal.write(_unavailable(result))


def _unavailable(fault: DatabaseFault) -> LocalizedText:
    return MESSAGES["status.database-away"].format(reason=fault.message)


class StatusView:
    """Formats a status in one language, or in both when `language` is None; times are relative to `now`."""

    def __init__(self, language: Language | None, now: datetime) -> None:
        self._language = language
        self._now = now

    def tables(self, status: Status) -> RenderableType:
        """Return the whole status, for a terminal or a file."""
        parts: list[RenderableType] = [*self._store_fault(status), self._summary(status)]
        for title, table in (
            ("status.ingests", self._ingests(status.ingests)),
            ("status.delayed", self._failures(status.delayed)),
            ("status.failed", self._failures(status.failed)),
            ("status.replicas", self._replicas(status.replicas)),
            ("status.witnesses", self._witnesses(status)),
        ):
            if table is not None:
                parts += [Text(), Text(self._translate(title), style="bold"), table]
        return Group(*parts)

    def line(self, status: Status) -> str:
        """Return the main numbers in one line."""
        parts = [
            f"{self._translate('status.works')} {grouped(status.counts.works)}",
            f"{self._translate('status.images')} {grouped(status.counts.images)}",
            f"{self._translate('status.jobs')} {self._jobs(status)}",
        ]
        if status.store_fault:
            parts.append(self._translate("status.store-fault"))
        parts += [f"{item.deposit} {self._progress(item)}" for item in status.ingests]
        for key, jobs in (("status.delayed", status.delayed), ("status.failed", status.failed)):
            if jobs:
                parts.append(f"{self._translate(key)} {len(jobs)}")
        return f"{self._now:%H:%M:%S}  " + "  ".join(parts)

    def _store_fault(self, status: Status) -> list[RenderableType]:
        if status.store_fault is None:
            return []
        title = Text(self._translate("status.store-fault"), style="bold red")
        return [title, Text(status.store_fault.in_language(self._language)), Text()]

    def _summary(self, status: Status) -> Table:
        counts = status.counts
        numbers = {"preserved": grouped(status.preserved), "works": grouped(counts.works)}
        preserved = self._translate(preserved_key(status), **numbers, date=status.verified_since[:10])
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        lost = self._translate("status.lost-works", count=grouped(status.lost))
        for name, value in (
            ("status.works", grouped(counts.works)),
            *((("status.lost", lost),) if status.lost else ()),
            ("status.images", grouped(counts.images)),
            ("status.bytes", byte_size(counts.bytes)),
            ("status.preserved", preserved),
            ("status.fixity", self._fixity(status.fixity)),
            ("status.log", self._log(status)),
            *self._care(status),
            ("status.jobs", self._jobs(status)),
        ):
            table.add_row(Text(self._translate(name)), Text(value))
        return table

    def _care(self, status: Status) -> Iterator[tuple[str, str]]:
        if stamped := timestamp_text(status.care, status.log.size, self._now):
            yield "status.timestamp", stamped.in_language(self._language)
        if key := status.care.key:
            yield "status.log-key", f"{key.key_id} {key_text(key, self._now).in_language(self._language)}"

    def _fixity(self, state: FixityState) -> str:
        return self._translate(
            fixity_key(state),
            stores=state.stores,
            verified=state.verified,
            date=state.since,
            files=grouped(state.files - state.checked),
            findings=grouped(state.findings),
        )

    def _log(self, status: Status) -> str:
        log = status.log
        if log.size is None:
            parts = [self._translate("status.unknown", reason=log.reason)]
        else:
            parts = [self._translate("status.log-size", size=grouped(log.size))]
            parts.append(f"{self._translate('status.root')} {log.root}")
        if status.counts.staged:
            parts.append(self._translate("status.log-staged", staged=grouped(status.counts.staged)))
        return " · ".join(parts)

    def _jobs(self, status: Status) -> str:
        counts = [(state, count) for state, count in status.jobs.items() if count]
        return " · ".join(f"{self._translate(f'state.{state}')} {grouped(count)}" for state, count in counts) or "0"

    def _ingests(self, ingests: Sequence[IngestProgress]) -> RenderableType | None:
        if not ingests:
            return None
        table = _table(3)
        for item in ingests:
            bar = ProgressBar(total=item.total or 1, completed=item.done, width=_BAR_WIDTH)
            since = self._translate("status.since", distance=relative_time(item.since, self._now))
            state = Text(f"\n{self._translate(f'state.{item.state}')} · {since}", style="dim")
            table.add_row(Text(item.deposit, style="bold"), bar, Text(self._progress(item)).append_text(state))
        return self._limited(table, len(ingests))

    def _progress(self, item: IngestProgress) -> str:
        progress = self._translate(progress_key(item), done=grouped(item.done), total=grouped(item.total))
        return f"{progress} {percent(item.done, item.total)}%" if item.total else progress

    def _failures(self, failures: Sequence[JobFailure]) -> RenderableType | None:
        if not failures:
            return None
        table = _table(2)
        for job in failures:
            subject = " ".join(filter(None, (job.deposit, job.subject, job.store)))
            title = Text(self._kind(job.kind), style="bold").append(f"\n{subject}" if subject else "", style="not bold")
            table.add_row(title, Text(job.reason.in_language(self._language)).append_text(self._next_step(job)))
        return self._limited(table, len(failures))

    def _next_step(self, job: JobFailure) -> Text:
        """Return when the job is retried, or what somebody must do."""
        parts = [self._translate("status.when", distance=relative_time(job.first, self._now))]
        parts.append(self._translate("status.tries", tries=job.tries))
        if job.next:
            parts.append(self._translate("status.next", distance=relative_time(job.next, self._now)))
        else:
            parts.append(self._translate(remedy_key(job)))
        return Text("\n" + " · ".join(parts), style="dim")

    def _replicas(self, replicas: Sequence[ReplicaProgress]) -> RenderableType | None:
        if not replicas:
            return None
        table = _table(3)
        for item in replicas:
            total = item.works + item.behind
            bar = ProgressBar(total=total or 1, completed=item.works if total else 1, width=_BAR_WIDTH)
            works = self._translate(replica_key(item), works=grouped(item.works), date=item.since[:10])
            behind = self._translate("status.replica-behind", behind=grouped(item.behind))
            detail = Text(f"{works} · {behind if item.behind else self._translate('status.replica-whole')}")
            if item.reason:
                detail.append(f"\n{item.reason.in_language(self._language)}")
            table.add_row(Text(item.store, style="bold"), bar, detail)
        return table

    def _witnesses(self, status: Status) -> RenderableType | None:
        if not status.witnesses:
            return None
        table = _table(2)
        for item in status.witnesses:
            behind = grouped(witness_behind(item, status) or 0)
            numbers = {"size": grouped(item.size), "behind": behind, "date": item.time[:10]}
            detail = Text(self._translate(witness_key(item, status), **numbers))
            if item.reason:
                detail.append(f"\n{item.reason.in_language(self._language)}")
            table.add_row(Text(item.name, style="bold"), detail)
        return table

    def _limited(self, table: Table, count: int) -> RenderableType:
        if count < MOST_LISTED:
            return table
        return Group(table, Text(self._translate("status.limited", count=count), style="dim"))

    def _kind(self, kind: str) -> str:
        return self._translate(f"kind.{kind}") if f"kind.{kind}" in MESSAGES else kind

    def _translate(self, key: str, **details: object) -> str:
        return MESSAGES[key].format(**details).in_language(self._language)


def _table(columns: int) -> Table:
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False, padding=(0, 1), show_edge=False)
    for _ in range(columns):
        table.add_column(overflow="fold")
    return table
