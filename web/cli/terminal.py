"""What the command line shows a person: progress, tables, messages; results for programs as one JSON document.

Results go to standard output, everything else to standard error, so that `--json` output can be piped.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from repository.config import process_language, process_unknown_names
from repository.errors import Fault, ShanbenError, SystemFault
from repository.localized import Language, LocalizedText

EXIT_CONTENT: Final = 1
EXIT_SYSTEM: Final = 3
EXIT_CODES: Final = {"content": EXIT_CONTENT, "integrity": EXIT_CONTENT, "call": 2, "system": EXIT_SYSTEM}
"""The exit code of each branch of the error tree."""


class Interrupted(SystemFault):
    """The person at the terminal stopped the command."""

    code = "system.interrupted"
    text = LocalizedText("已中断；再次运行即可继续", "Interrupted; run it again to go on")


@dataclass(slots=True)
class TerminalProgress:
    """A progress bar on standard error; where that is no terminal, a line when each part begins."""

    console: Console
    language: Language | None
    _bars: Progress | None = field(default=None, init=False)
    _task: TaskID | None = field(default=None, init=False)

    def begin(self, what: LocalizedText, total: int) -> None:
        """A long piece of work of `total` units begins."""
        self.end()
        label = what.in_language(self.language)
        if not self.console.is_terminal:
            self.console.print(label, highlight=False)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
        )
        self._bars = Progress(*columns, console=self.console, transient=True)
        self._task = self._bars.add_task(label, total=total)
        self._bars.start()

    def advance(self, amount: int = 1) -> None:
        """`amount` units more are done."""
        if self._bars is not None and self._task is not None:
            self._bars.advance(self._task, amount)

    def end(self) -> None:
        """The piece of work is done, or given up."""
        if self._bars is not None:
            self._bars.stop()
        self._bars = self._task = None


@dataclass(frozen=True, slots=True)
class Terminal:
    """One command's way to speak: `as_json` decides what standard output is for."""

    language: Language | None
    as_json: bool
    console: Console = field(default_factory=lambda: Console(stderr=True, soft_wrap=True))

    def say(self, text: LocalizedText) -> None:
        """A line for a person."""
        self._line(text.in_language(self.language))

    def say_value(self, name: LocalizedText, value: str) -> None:
        """A line below another: what it is, in the reader's language, and its value once."""
        self._line(f"  {name.in_language(self.language)}  {value}")

    def _line(self, words: str) -> None:
        if self.as_json:
            self.console.print(words, highlight=False, markup=False)
        else:
            click.echo(words)

    def result(self, document: Mapping[str, object]) -> None:
        """The result, for a program that asked for it."""
        if self.as_json:
            click.echo(json.dumps(document, ensure_ascii=False))

    def warn(self, text: LocalizedText) -> None:
        """A line on standard error that stops nothing."""
        self.console.print(text.in_language(self.language), style="yellow", highlight=False, markup=False)

    def complain(self, error: ShanbenError) -> None:
        """What went wrong, on standard error."""
        self.console.print(error.in_language(self.language), style="bold red", highlight=False, markup=False)

    def faults(self, faults: Iterable[Fault]) -> None:
        """The faults of a deposit, a line each: file, place, what is wrong and what to do."""
        for fault in faults:
            where = "  ".join(part for part in (fault.file, fault.place) if part)
            self.say(LocalizedText(f"✗ {where}：{fault.message.zh}", f"✗ {where}: {fault.message.en}"))

    def progress(self) -> TerminalProgress:
        """A progress bar for this command."""
        return TerminalProgress(self.console, self.language)


def command(function: Callable[..., int | None]) -> Callable[..., None]:
    """Give a subcommand `--json`, a `Terminal` as its first argument, and the one way to end with a fault."""

    @click.option("--json", "as_json", is_flag=True, help="结果写成一份 JSON。 One JSON document on standard output.")
    @wraps(function)
    def run(*arguments: Any, as_json: bool, **options: Any) -> None:
        terminal = Terminal(process_language(), as_json)
        for name in process_unknown_names():
            terminal.warn(LocalizedText(f"没有名为 {name} 的设置", f"There is no setting {name}"))
        try:
            sys.exit(function(terminal, *arguments, **options) or 0)
        except ShanbenError as error:
            terminal.complain(error)
            sys.exit(EXIT_CODES[error.branch])
        except KeyboardInterrupt:
            terminal.complain(Interrupted())
            sys.exit(EXIT_SYSTEM)

    return run
