"""The files of a report, each made from its stored data alone: HTML, PDF, CSV and JSON."""

from __future__ import annotations

import base64
import csv
import io
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import jinja2

from preservation.reporting.report import PreservationReport, report_to_json
from repository.localized import Language
from web.messages.interface import translate
from web.reports.charts import chart_height
from web.reports.document import ChartPicture, ReportDocument, ReportTable
from web.reports.sections import report_document
from web.typesetting import typeset_pdf

_WEB: Final = Path(__file__).parents[1]
_SOURCE: Final = Path(__file__).with_name("report.typ")
_NARROWEST, _WIDEST = 11, 34
_LONGEST_WORD: Final = 18

Draw = Callable[[str, PreservationReport, Language], bytes]
"""Returns a chart as SVG by its name."""


class ReportFormat(StrEnum):
    """The forms of a report."""

    HTML = "html"
    PDF = "pdf"
    CSV = "csv"
    JSON = "json"


MEDIA_TYPES: Final[Mapping[ReportFormat, str]] = {
    ReportFormat.HTML: "text/html; charset=utf-8",
    ReportFormat.PDF: "application/pdf",
    ReportFormat.CSV: "text/csv; charset=utf-8",
    ReportFormat.JSON: "application/json",
}


def report_file(report: PreservationReport, kind: ReportFormat, language: Language, draw: Draw) -> bytes:
    """Return a report as a file. Raises `DependencyMissing` when a chart or a PDF cannot be made on this machine."""
    if kind is ReportFormat.JSON:
        return report_to_json(report)
    document = report_document(report, language)
    if kind is ReportFormat.CSV:
        return _csv(document)
    names = dict.fromkeys(name for section in document.sections for name in section.charts)
    charts = {name: draw(name, report, language) for name in names}
    if kind is ReportFormat.PDF:
        return _pdf(document, report, language, charts)
    heights = {name: chart_height(name, report) for name in names}
    return _html(document, language, charts, heights)


def _csv(document: ReportDocument) -> bytes:
    """Return every cell of every table in a line: section, table, heading of the row, column, bare value, text.

    UTF-8 with a byte order mark, by which spreadsheet programs recognise it.
    """
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerow(("section", "table", "row", "column", "value", "text"))
    for section in document.sections:
        for table in section.tables:
            writer.writerows((section.anchor, table.caption, *line) for line in _lines(table))
    return b"\xef\xbb\xbf" + written.getvalue().encode()


def _lines(table: ReportTable) -> Iterator[tuple[str, str, str | int, str]]:
    for number, row in enumerate(table.rows, start=1):
        for heading, cell in zip(table.headings, row, strict=True):
            yield str(number), heading, _harmless(cell.value), str(_harmless(cell.text))


def _harmless(value: str | int) -> str | int:
    """Return a value that no spreadsheet program runs as a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value


def _html(
    document: ReportDocument, language: Language, charts: Mapping[str, bytes], heights: Mapping[str, int]
) -> bytes:
    pictures = {
        name: ChartPicture(f"data:image/svg+xml;base64,{base64.b64encode(chart).decode()}", heights[name])
        for name, chart in charts.items()
    }
    loader = jinja2.FileSystemLoader(_WEB / "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return (
        environment.get_template("report_file.html")
        .render(
            report=document,
            language=language,
            pictures=pictures,
            local_url=lambda _: "",
            translate=lambda key, **details: translate(language, key, **details),
        )
        .encode()
    )


def _pdf(
    document: ReportDocument, report: PreservationReport, language: Language, charts: Mapping[str, bytes]
) -> bytes:
    content: dict[str, Any] = {
        **asdict(document),
        "lang": "zh" if language is Language.CHINESE else "en",
        "matters": translate(language, "report.matters"),
        "none": translate(language, "report.none"),
        "notices": [notice.text for notice in document.notices],
    }
    for section, part in zip(content["sections"], document.sections, strict=True):
        section["tables"] = [_typst_table(table) for table in part.tables]
    return typeset_pdf(_SOURCE.read_text("utf-8"), content, report.at, charts)


def _typst_table(table: ReportTable) -> dict[str, Any]:
    rows = [
        [{"text": _breakable(cell.text), "number": cell.is_number, "alert": cell.alert} for cell in row]
        for row in table.rows
    ]
    return {"caption": table.caption, "headings": list(table.headings), "widths": _widths(table), "rows": rows}


def _widths(table: ReportTable) -> list[int]:
    """Return the relative widths of columns, by their longest texts."""
    columns = zip(table.headings, *([cell.text for cell in row] for row in table.rows), strict=True)
    return [min(_WIDEST, max(_NARROWEST, *map(_width, column))) for column in columns]


def _width(text: str) -> int:
    """Return the width of a text in halves of a Chinese character."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _breakable(text: str) -> str:
    """Return a text whose long words, such as keys and digests, may be broken anywhere."""
    words = (word if len(word) <= _LONGEST_WORD else "\u200b".join(word) for word in text.split(" "))
    return " ".join(words)
