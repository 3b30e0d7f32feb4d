"""Issues reports: stores the data of a moment, finds a stored one, and logs that a report was issued.

What ``at`` names is a stored report: its data are read once, at its time, and never again. The recurring work stores
one a day, and issuing a report of the present stores one more.
"""

from __future__ import annotations

import re
from datetime import datetime
from hashlib import sha256
from typing import Final

from preservation.log_events import report_event
from preservation.reporting.reader import ReportReader
from preservation.reporting.report import PreservationReport, report_of_json, report_to_json
from repository.clock import timestamp
from repository.errors import NotFound, RequestInvalid
from repository.localized import LocalizedText
from repository.repository import Repository
from workers.tasks.log_events import occasion, stage

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class ReportNotFound(NotFound):
    """No report was stored at or before a time."""

    code = "not-held.report"
    text = LocalizedText("{time} 及以前没有保存报告", "There is no preservation report on {time} or earlier")


def issued_report(repository: Repository, reader: ReportReader) -> PreservationReport:
    """Return the report on the present, stored. Raises `DatabaseFault`."""
    report = reader.read()
    return report_of_json(repository.reports.add(report.at, report_to_json(report)))


def record_issue(repository: Repository, content: bytes, at: str, account: str | None = None) -> None:
    """Have the log record that a report on a time was issued, with its digest; once, however often it is sent.

    Raises `DependencyMissing` before `shanben init` has made the salt of sealed names, `DatabaseFault`.
    """
    digest = sha256(content).hexdigest()
    stage(repository, [report_event(occasion(repository), sha256=digest, at=at, account=account)])


def stored_report(repository: Repository, at: str) -> PreservationReport:
    """Return the newest stored report on a time that is not after `at`: RFC 3339, or a day, to its end.

    Raises `RequestInvalid` for another notation, `ReportNotFound`, `DatabaseFault`.
    """
    time = _time(at)
    found = repository.reports.newest(time)
    if found is None:
        raise ReportNotFound(time=time)
    return report_of_json(found[1])


def _time(at: str) -> str:
    try:
        # A space is what a browser makes of the + of a time zone.
        moment = datetime.fromisoformat(f"{at}T23:59:59Z" if _DAY.fullmatch(at) else at.replace(" ", "+"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        reason = LocalizedText(
            "应为日期或时间，如 2026-01-31 或 2026-01-31T08:00:00Z",
            "write a day or a time, such as 2026-01-31 or 2026-01-31T08:00:00Z",
        )
        raise RequestInvalid(part="at", reason=reason)
    return timestamp(moment)
