"""``shanben fixity report``: the preservation report as a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from preservation.reporting.reader import ReportReader
from preservation.reporting.verdict import verdict_of
from repository.config import process_settings
from repository.errors import RequestInvalid
from repository.localized import Language, LocalizedText
from web.cli.output_file import write_output
from web.cli.terminal import Terminal, command
from web.reports.charts import draw_chart
from web.reports.files import ReportFormat, report_file
from web.reports.issue import issued_report, record_issue, stored_report
from workers.bootstrap import bootstrap

_NO_FILE: Final = LocalizedText("此格式的报告请用 -o 写入文件", "write a report of this form to a file by -o")


@click.command()
@click.option(
    "--format",
    "kind",
    type=click.Choice([each.value for each in ReportFormat]),
    default=ReportFormat.HTML.value,
    help="格式（缺省 html）。 The format; html by default.",
)
@click.option("--at", metavar="TIME", help="截至此时所存的报告。 The report that was stored until this time.")
@click.option("-o", "output", metavar="FILE", type=click.Path(path_type=Path), help="写入文件。 Write to a file.")
@command
def report(terminal: Terminal, kind: str, at: str | None, output: Path | None) -> None:
    """出具保存报告。 Issue the preservation report."""
    if terminal.as_json and output is None and kind != ReportFormat.JSON:
        raise RequestInvalid(part="--json", reason=_NO_FILE)
    repository = bootstrap(process_settings())
    issued = stored_report(repository, at) if at else issued_report(repository, ReportReader(repository))
    content = report_file(issued, ReportFormat(kind), terminal.language or Language.CHINESE, draw_chart)
    if output is not None:
        write_output(output, content)
    record_issue(repository, content, issued.at)
    if output is None:
        sys.stdout.buffer.write(content)
        return
    verdict = verdict_of(issued)
    terminal.write(verdict.sentence)
    terminal.result({"at": issued.at, "state": verdict.state.value, "alarms": [alarm.key for alarm in verdict.alarms]})
