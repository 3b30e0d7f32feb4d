"""The status as a person at a terminal reads it: a table of figures, a bar an ingest, troubles with their reasons."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text as Line

from repository.localized import Language, LocalizedText
from web.messages.interface import MESSAGES
from web.operations.formatting import bytes_words, distance, grouped, percent
from web.operations.status import MOST_LISTED, Ingest, Replica, Status, Trouble, progress, remedy

_BAR_WIDTH: Final = 20


class StatusView:
    """Draws a status in a reader's language, or in both; times are told from `now`."""

    def __init__(self, language: Language | None, now: datetime) -> None:
        self._language = language
        self._now = now

    def whole(self, status: Status) -> RenderableType:
        """All of it, for a terminal or a file."""
        parts: list[RenderableType] = [self._figures(status)]
        for title, rows in (
            ("status.ingests", self._ingests(status.ingests)),
            ("status.delayed", self._troubles(status.delayed)),
            ("status.failed", self._troubles(status.failed)),
            ("status.replicas", self._replicas(status.replicas)),
        ):
            if rows is not None:
                parts += [Line(), Line(self._say(title), style="bold"), rows]
        return Group(*parts)

    def line(self, status: Status) -> str:
        """The most of it in one line, for where there is no terminal to draw on."""
        figures = [(name, value) for name, value in self._rows(status) if name in {"status.works", "status.images"}]
        told = [f"{self._say(name)} {value}" for name, value in figures]
        told.append(f"{self._say('status.jobs')} {self._jobs(status)}")
        told += [f"{item.deposit} {self._progress(item)}" for item in status.ingests]
        told += [f"{self._say(f'status.{name}')} {len(jobs)}" for name, jobs in _troubles_of(status) if jobs]
        return f"{self._now:%H:%M:%S}  " + "  ".join(told)

    def _figures(self, status: Status) -> Table:
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in self._rows(status):
            table.add_row(Line(self._say(name)), Line(value))
        return table

    def _rows(self, status: Status) -> list[tuple[str, str]]:
        counts = status.counts
        preserved = {"preserved": grouped(status.preserved), "works": grouped(counts.works)}
        return [
            ("status.works", grouped(counts.works)),
            ("status.images", grouped(counts.images)),
            ("status.bytes", bytes_words(counts.bytes)),
            ("status.preserved", self._say("status.preserved-of", **preserved)),
            ("status.fixity", self._say("status.fixity-checked", checked=0, expected=grouped(counts.images))),
            ("status.log", self._log(status)),
            ("status.jobs", self._jobs(status)),
        ]

    def _log(self, status: Status) -> str:
        log = status.log
        if log.size is None:
            told = [self._say("status.unknown", reason=log.reason)]
        else:
            told = [self._say("status.log-size", size=grouped(log.size)), f"{self._say('status.root')} {log.root}"]
        if status.counts.staged:
            told.append(self._say("status.log-staged", staged=grouped(status.counts.staged)))
        return " · ".join(told)

    def _jobs(self, status: Status) -> str:
        standing = [(state, count) for state, count in status.jobs.items() if count]
        return " · ".join(f"{self._say(f'state.{state}')} {grouped(count)}" for state, count in standing) or "0"

    def _ingests(self, ingests: Sequence[Ingest]) -> RenderableType | None:
        if not ingests:
            return None
        table = _table(3)
        for item in ingests:
            bar = ProgressBar(total=item.total or 1, completed=item.done, width=_BAR_WIDTH)
            since = self._say("status.since", distance=distance(item.since, self._now))
            detail = Line(f"\n{self._say(f'state.{item.state}')} · {since}", style="dim")
            table.add_row(Line(item.deposit, style="bold"), bar, Line(self._progress(item)).append_text(detail))
        return self._limited(table, len(ingests))

    def _progress(self, item: Ingest) -> str:
        told = self._say(progress(item), done=grouped(item.done), total=grouped(item.total))
        return f"{told} {percent(item.done, item.total)}%" if item.total else told

    def _troubles(self, troubles: Sequence[Trouble]) -> RenderableType | None:
        if not troubles:
            return None
        table = _table(2)
        for job in troubles:
            about = " ".join(filter(None, (job.deposit, job.subject, job.store)))
            what = Line(self._say_kind(job.kind), style="bold").append(f"\n{about}" if about else "", style="not bold")
            table.add_row(what, Line(job.reason.in_language(self._language)).append_text(self._fate(job)))
        return self._limited(table, len(troubles))

    def _fate(self, job: Trouble) -> Line:
        """What becomes of it: when it is tried again, or what somebody must do."""
        told = [self._say("status.when", distance=distance(job.first, self._now))]
        told.append(self._say("status.tries", tries=job.tries))
        told.append(
            self._say("status.next", distance=distance(job.next, self._now)) if job.next else self._say(remedy(job))
        )
        return Line("\n" + " · ".join(told), style="dim")

    def _replicas(self, replicas: Sequence[Replica]) -> RenderableType | None:
        if not replicas:
            return None
        table = _table(3)
        for item in replicas:
            total = item.works + item.behind
            bar = ProgressBar(total=total or 1, completed=item.works if total else 1, width=_BAR_WIDTH)
            works = self._say("status.replica-works", works=grouped(item.works))
            behind = self._say("status.replica-behind", behind=grouped(item.behind))
            told = Line(f"{works} · {behind if item.behind else self._say('status.replica-whole')}")
            if item.reason:
                told.append(f"\n{item.reason.in_language(self._language)}")
            table.add_row(Line(item.store, style="bold"), bar, told)
        return table

    def _limited(self, table: Table, count: int) -> RenderableType:
        if count < MOST_LISTED:
            return table
        return Group(table, Line(self._say("status.limited", count=count), style="dim"))

    def _say_kind(self, kind: str) -> str:
        return self._say(f"kind.{kind}") if f"kind.{kind}" in MESSAGES else kind

    def _say(self, key: str, **details: object) -> str:
        return _text(key, details).in_language(self._language)


def _text(key: str, details: dict[str, object]) -> LocalizedText:
    return MESSAGES[key].format(**details)


def _troubles_of(status: Status) -> tuple[tuple[str, Sequence[Trouble]], ...]:
    return (("delayed", status.delayed), ("failed", status.failed))


def _table(columns: int) -> Table:
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False, padding=(0, 1), show_edge=False)
    for _ in range(columns):
        table.add_column(overflow="fold")
    return table
