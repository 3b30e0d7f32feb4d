"""The sentences of a report about checks, in each language."""

from __future__ import annotations

import pytest

from preservation.reporting.report import PreservationReport, ReportedCadence, ReportedChecks
from repository.localized import Language
from web.reports.check_sections import checks_section


@pytest.mark.parametrize(
    ("due_bytes", "chinese", "english"),
    [
        (30, "约需 1 分钟。", "takes about 1 min at this rate."),
        (1800, "约需 30 分钟。", "takes about 30 min at this rate."),
        (5400, "约需 1.5 小时。", "takes about 1.5 h at this rate."),
        (216_000, "约需 2.5 天。", "takes about 2.5 d at this rate."),
    ],
)
def test_the_time_that_checks_take_has_units_of_the_language(due_bytes: int, chinese: str, english: str) -> None:
    checks = (ReportedChecks("store", "masters", 1, due_bytes, 0, 1, due_bytes, 0, 0, 0),)
    report = PreservationReport("2026-01-31T08:00:00Z", "", "", 1, 1, 1, ReportedCadence(90, 1), checks=checks)
    assert checks_section(report, Language.CHINESE).sentences[-1].endswith(chinese)
    assert checks_section(report, Language.ENGLISH).sentences[-1].endswith(english)
