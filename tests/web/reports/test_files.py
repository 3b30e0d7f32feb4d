"""The files of a report state what the report does, in both languages, and the charts are drawn by a child process."""

from __future__ import annotations

import csv
import io
import subprocess
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from reports import REPLICA, finding_of, well

from preservation.reporting.report import DueDay, FindingCount
from repository.localized import Language
from web.reports.charts import CHARTS, ChartDrawer, draw_chart
from web.reports.files import ReportFormat, report_file

pytestmark = pytest.mark.slow

DAMAGED = replace(
    well(),
    open_counts=(FindingCount(REPLICA, "missing", 1),),
    open_findings=(finding_of(REPLICA, "missing"),),
    ended_findings=(finding_of(state="resolved", done="=已恢复"),),
)
PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>'


def file(kind: ReportFormat, language: Language = Language.CHINESE) -> bytes:
    return report_file(DAMAGED, kind, language, lambda *_: PICTURE)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (Language.CHINESE, ("保存报告", "有 1 项问题尚未解决", "原书状况", "一级破损", "不符合", "经部")),
        (Language.ENGLISH, ("Preservation report", "1 finding is unresolved", "Damage 1", "not met", "经部")),
    ],
)
def test_pdf_has_the_text_of_the_report_and_embeds_its_fonts(language: Language, words: tuple[str, ...]) -> None:
    content = file(ReportFormat.PDF, language)
    assert content == file(ReportFormat.PDF, language)
    text = subprocess.run(["pdftotext", "-", "-"], input=content, capture_output=True, check=True).stdout.decode()
    flat = " ".join(text.split())
    assert not [word for word in words if word not in flat]
    fonts = subprocess.run(["pdffonts", "-"], input=content, capture_output=True, check=True).stdout.decode()
    assert {line.split()[-5] for line in fonts.splitlines()[2:]} == {"yes"}


def test_html_file_stands_alone() -> None:
    page = file(ReportFormat.HTML).decode()
    assert "有 1 项问题尚未解决" in page
    assert 'src="data:image/svg+xml;base64,' in page
    assert "<script" not in page
    assert 'href="/' not in page


def test_csv_has_every_cell_with_its_bare_value_and_runs_no_formula() -> None:
    content = file(ReportFormat.CSV)
    assert content.startswith(b"\xef\xbb\xbf")
    lines = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    cell = {"section": "checks", "table": "各存储各类文件的校验", "row": "1", "column": "文件"}
    (files,) = [line for line in lines if cell.items() <= line.items()]
    assert (files["value"], files["text"]) == ("9000", "9,000")
    assert not any(line["text"].startswith("=") or line["value"].startswith("=") for line in lines)


@pytest.mark.parametrize("name", CHARTS)
def test_chart_is_svg_with_text_in_each_language_and_without_script(name: str) -> None:
    drawn = {language: draw_chart(name, well(), language) for language in Language}
    for language, chart in drawn.items():
        assert draw_chart(name, well(), language) == chart
        assert ET.fromstring(chart).tag.endswith("svg")
        assert b"<script" not in chart
        assert b"<text" in chart
    assert len(set(drawn.values())) == len(Language)


@pytest.mark.parametrize("days", [1, 30, 42, 48, 84, 90])
def test_days_of_the_chart_of_what_is_due_have_room(days: int) -> None:
    first = date(2026, 11, 30)
    due = tuple(DueDay((first + timedelta(days=day)).isoformat(), 1, 2_500_000) for day in range(days))
    chart = ET.fromstring(draw_chart("due", replace(well(), due=due), Language.ENGLISH))
    words = {text.text or "": text.get("x") for text in chart.iter("{http://www.w3.org/2000/svg}text")}
    months = (" Nov", " Dec", " Jan", " Feb")
    places = sorted(float(place) for word, place in words.items() if place and word.endswith(months))
    assert len(places) >= 2
    assert all(later - earlier > 60 for earlier, later in pairwise(places))
    assert {"30 Nov", "2026", "MB"} <= words.keys()


def test_child_process_draws_the_same_chart_once(tmp_path: Path) -> None:
    drawer = ChartDrawer(tmp_path)
    chart = drawer.draw("damage", well(), Language.CHINESE)
    assert chart == draw_chart("damage", well(), Language.CHINESE)
    assert drawer.draw("damage", well(), Language.CHINESE) is chart
    with pytest.raises(KeyError):
        drawer.draw("nothing", well(), Language.CHINESE)
