"""The commands ``shanben text``: the text of pages of a work that is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from repository import identifiers
from repository.config import process_settings
from repository.database.outbox import Job, JobState
from repository.errors import RequestInvalid
from repository.faults import Fault
from repository.identifiers import Kind
from repository.localized import LocalizedText, counted
from repository.model.text import TextKind
from web.cli.examiner import opened_examiner
from web.cli.follow_up import show_unfinished
from web.cli.terminal import EXIT_CONTENT, EXIT_SYSTEM, Terminal, command
from web.operations.status import job_failure
from workers.bootstrap import bootstrap
from workers.deposit.record_values import check_language
from workers.execution.context import TaskContext
from workers.service.local import local_runner
from workers.tasks.jobs import text_job

_BLANK: Final = LocalizedText("不得含控制字符", "it must not contain control characters")


@click.group()
def text() -> None:
    """书页文本（录文、OCR、译文）。 The text of pages: transcriptions, OCR, translations."""


@text.command()
@click.argument("work")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in TextKind]),
    help="录文、OCR 或译文；默认由文件判断。 What the text is; by default as the files tell.",
)
@click.option("--source", default="", help="文本来源，如项目、版本、识别引擎。 Where the text comes from.")
@click.option("--language", help="语种（BCP 47），如 lzh。 The language of the text, such as lzh.")
@command
def add(terminal: Terminal, work: str, files: tuple[Path, ...], **stated: Any) -> int:
    """为馆藏著作添加文本，存为新版本；文件须与图像同名。 Add text to a work, as a new version of it.

    Files are named as the pictures of their pages, and lie in folders named as their volumes. Repeating changes
    nothing.
    """
    identifier = identifiers.parse(work, Kind.WORK)
    statement = _statement(**stated)
    repository = bootstrap(process_settings())
    with opened_examiner(repository.settings) as examiner, local_runner(TaskContext(repository, examiner)) as runner:
        [job] = runner.attempt([text_job(identifier, files, statement)])
        unfinished = [each for each in runner.unfinished() if each.job.key != job.key]
    if job.state is JobState.FAILED and _faults(job, "faults", files):
        repository.jobs.forget(job.key)  # its faults are shown here, and to retry it would not correct them
    return max(_show(job, files, terminal), show_unfinished(unfinished, terminal))


def _statement(kind: str | None, source: str, language: str | None) -> dict[str, object]:
    """Return what the options state. Raises `RequestInvalid`."""
    if not source.isprintable():
        raise RequestInvalid(part="--source", reason=_BLANK)
    if language and (problem := check_language(language)):
        raise RequestInvalid(part="--language", reason=problem)
    return {"kind": kind, "source": source.strip(), "language": language}


def _faults(job: Job, key: str, files: Sequence[Path]) -> tuple[Fault, ...]:
    """Return the faults or notices of the job, which name each file as the command did."""
    result: Mapping[str, Any] = job.result or {}
    given = {str(file.resolve()): str(file) for file in files}
    faults = map(Fault.of_json, result.get(key, ()))
    return tuple(replace(fault, file=given.get(fault.file, fault.file)) for fault in faults)


def _show(job: Job, files: Sequence[Path], terminal: Terminal) -> int:
    """Show the outcome of the job. Return the exit code."""
    result: Mapping[str, Any] = job.result or {}
    if job.state is not JobState.DONE:
        faults = _faults(job, "faults", files)
        terminal.faults(faults)
        terminal.warn(LocalizedText.of_json(result["message"]) if faults else job_failure(job).reason)
        terminal.result({"faults": [fault.to_json() for fault in faults]})
        return EXIT_CONTENT if faults else EXIT_SYSTEM
    terminal.notices(_faults(job, "notices", files))
    pages, version = result["pages"], result["version"]
    if result["changed"]:
        zh, en = (
            f"已为 {pages} 页添加文本，存为第 {version} 版",
            f"Text of {counted(pages, 'page', 'pages')} added, version {version}",
        )
    else:
        zh, en = "文本已在馆藏中，没有改动", "The work has this text already; nothing changed"
    terminal.write(LocalizedText(zh, en))
    terminal.result({key: result[key] for key in ("identifier", "files", "pages", "version", "changed")})
    return 0
