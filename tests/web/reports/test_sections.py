"""The sentences of a report about the log, in each language."""

from __future__ import annotations

import pytest

from preservation.reporting.report import PreservationReport, ReportedCadence, ReportedLog
from repository.localized import Language
from web.reports.sections import report_document


@pytest.mark.parametrize(
    ("quorum", "chinese", "english"),
    [
        (0, "没有设置见证方。", "No witness is set."),
        (2, "目前无法读取见证方的联署。", "What the witnesses cosigned cannot be read at present."),
    ],
)
def test_cosignatures_that_cannot_be_read_are_not_witnesses_that_are_not_set(
    quorum: int, chinese: str, english: str
) -> None:
    log = ReportedLog(9, quorum=quorum)
    report = PreservationReport("2026-01-31T08:00:00Z", "", "", 1, 1, 1, ReportedCadence(90, 1), log=log)
    for language, sentence in ((Language.CHINESE, chinese), (Language.ENGLISH, english)):
        (section,) = (each for each in report_document(report, language).sections if each.anchor == "log")
        assert section.sentences[-1] == sentence
