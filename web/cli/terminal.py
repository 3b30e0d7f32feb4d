"""The output of the command line: messages and progress for people, results as one JSON document for programs.

With ``--json`` the result alone goes to standard output, and everything else to standard error.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Final

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.segment import Segment

from repository.config import process_language, process_unknown_names
from repository.errors import ShanbenError, SystemFault
from repository.faults import Fault
from repository.localized import Language, LocalizedText
from repository.printable import printable, printable_lines

EXIT_CONTENT: Final = 1
EXIT_SYSTEM: Final = 3
EXIT_CODES: Final = {"content": EXIT_CONTENT, "integrity": EXIT_CONTENT, "call": 2, "system": EXIT_SYSTEM}
"""The exit code of each branch of the error tree."""


class Interrupted(SystemFault):
    """The command was stopped by Ctrl+C."""

    code = "system.interrupted"
    text = LocalizedText("已中断；再次运行即可继续", "Interrupted; run the command again to continue")


class PathUnusable(SystemFault):
    """A file or folder of a call or a setting cannot be reached or used."""

    code = "system.path"
    transient = False
    text = LocalizedText(
        "无法使用 {path}：{reason}；请检查路径与权限",
        "{path} cannot be used: {reason}; check the path and the permissions of its folders",
    )


_OF_PATHS: Final = frozenset(
    {
        errno.EACCES,
        errno.EDQUOT,
        errno.EIO,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
        errno.ESTALE,
    }
)
"""What is wrong with a file system or its permissions. Other errors of the system are faults of the program."""


class PrintableConsole(Console):
    """A console of rich that shows no control character of a text, such as a folder's name."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of a renderable. Those that control the terminal are rich's own, and marked."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable_lines(segment.text), segment.style)


@dataclass(slots=True)
class TerminalProgress:
    """A progress bar on standard error; outside a terminal, one line at the beginning of each step."""

    console: Console
    language: Language | None
    _bars: Progress | None = field(default=None, init=False)
    _task: TaskID | None = field(default=None, init=False)

    def start(self, label: LocalizedText, total: int) -> None:
        """Begin a step of `total` units, and end the one before."""
        self.finish()
        description = printable(label.in_language(self.language))
        if not self.console.is_terminal:
            self.console.print(description, highlight=False, markup=False)
            return
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
        )
        self._bars = Progress(*columns, console=self.console, transient=True)
        self._task = self._bars.add_task(description, total=total)
        self._bars.start()

    def advance(self, amount: int = 1) -> None:
        """Count `amount` more units as done."""
        if self._bars is not None and self._task is not None:
            self._bars.advance(self._task, amount)

    def advance_to(self, done: int) -> None:
        """Show that `done` units of the step are done."""
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, completed=done)

    def finish(self) -> None:
        """End the step, done or not."""
        if self._bars is not None:
            self._bars.stop()
        self._bars = self._task = None


@dataclass(frozen=True, slots=True)
class Terminal:
    """The output of one command. Text is in `language`, or in both languages when it is None."""

    language: Language | None
    as_json: bool
    console: Console = field(default_factory=lambda: PrintableConsole(stderr=True, soft_wrap=True))

    def write(self, text: LocalizedText) -> None:
        """Write a line for a person."""
        self.write_line(text.in_language(self.language))

    def write_value(self, name: LocalizedText, value: str) -> None:
        """Write an indented line with a value and its name."""
        self.write_line(f"  {name.in_language(self.language)}  {value}")

    def write_line(self, line: str) -> None:
        """Write a line that is the same in all languages."""
        if self.as_json:
            self._print(line)
        else:
            click.echo(printable(line))

    def write_document(self, content: str) -> None:
        """Write a text of several lines to standard output as it is, without control characters."""
        click.echo(printable_lines(content), nl=False)

    def result(self, document: Mapping[str, object]) -> None:
        """Write the result as JSON; without ``--json``, nothing."""
        if self.as_json:
            # In JSON, what `printable` writes is an escape sequence for the same character.
            click.echo(printable(json.dumps(document, ensure_ascii=False)))

    def warn(self, text: LocalizedText) -> None:
        """Write a warning to standard error."""
        self._print(text.in_language(self.language), "yellow")

    def report_error(self, error: ShanbenError) -> None:
        """Write an error to standard error."""
        self._print(error.in_language(self.language), "bold red")

    def _print(self, line: str, style: str | None = None) -> None:
        self.console.print(printable(line), style=style, highlight=False, markup=False)

    def faults(self, faults: Iterable[Fault]) -> None:
        """Write the faults of a deposit, one line each: file, place and message."""
        self._write_faults("✗", faults)

    def notices(self, notices: Iterable[Fault]) -> None:
        """Write what a librarian should know of a deposit that is no fault, one line each."""
        self._write_faults("·", notices)

    def _write_faults(self, mark: str, faults: Iterable[Fault]) -> None:
        for fault in faults:
            where = "  ".join(part for part in (fault.file, fault.place) if part)
            self.write(LocalizedText(f"{mark} {where}：{fault.message.zh}", f"{mark} {where}: {fault.message.en}"))

    def progress(self) -> TerminalProgress:
        """Return a progress bar for this command."""
        return TerminalProgress(self.console, self.language)


def command(function: Callable[..., int | None]) -> Callable[..., None]:
    """Give a subcommand the option `--json`, a `Terminal` as its first argument, and the exit code of its error."""

    @click.option("--json", "as_json", is_flag=True, help="结果写成一份 JSON。 One JSON document on standard output.")
    @wraps(function)
    def run(*arguments: Any, as_json: bool, **options: Any) -> None:
        terminal = Terminal(process_language(), as_json)
        for name in process_unknown_names():
            terminal.warn(LocalizedText(f"没有名为 {name} 的设置", f"Unknown setting: {name}"))
        try:
            sys.exit(function(terminal, *arguments, **options) or 0)
        except ShanbenError as error:
            terminal.report_error(error)
            sys.exit(EXIT_CODES[error.branch])
        except OSError as fault:
            if fault.errno not in _OF_PATHS or fault.filename is None:
                raise
            terminal.report_error(PathUnusable(path=os.fsdecode(fault.filename), reason=fault.strerror))
            sys.exit(EXIT_SYSTEM)
        except KeyboardInterrupt:
            terminal.report_error(Interrupted())
            sys.exit(EXIT_SYSTEM)

    return run
