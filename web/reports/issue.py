"""Issues reports: stores the data of a moment, finds a stored one, and logs that a report was issued.

What ``at`` names is a stored report: its data are read once, at its time, and never again. The recurring work stores
one a day, and issuing a report of the present stores one more.

The log keeps every issue for ever. A person issues a report by an address, which another site can name as well, so web
processes issue only what a person asked for (`require_asked`), and store a limited number of reports an hour.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from hashlib import sha256
from math import ceil
from typing import Final

from werkzeug.datastructures import Headers

from iiif_server.request.cost import RequestLimited
from preservation.log_events import report_event
from preservation.reporting.reader import ReportReader
from preservation.reporting.report import PreservationReport, report_of_json, report_to_json
from repository.clock import timestamp
from repository.errors import AccessRefused, NotFound, RequestInvalid
from repository.localized import LocalizedText
from repository.repository import Repository
from workers.tasks.log_events import occasion, stage

REPORTS_AN_HOUR: Final = 60
"""How many reports may be stored within an hour, by everybody together, before web processes store no more."""

_HOUR: Final = timedelta(hours=1)
_ASKED: Final = frozenset({"document", "empty"})
"""What a navigation and a script of this site fetch, as ``Sec-Fetch-Dest``; scripts of other sites have no session."""

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class ReportNotAsked(AccessRefused):
    """A page embeds the address of a report, or a browser reads it in advance: nobody asked for the file."""

    code = "report.not-asked"
    text = LocalizedText(
        "出具报告会记入溯源日志，只在有人打开此地址时进行；不供网页嵌入，也不供预先读取",
        "Issuing a report is recorded in the provenance log. It is issued when somebody opens this address, not for a"
        " page that embeds it or a browser that reads it in advance",
    )


class ReportsLimited(RequestLimited):
    """More reports on the present were stored within an hour than people need."""

    code = "report.rate"
    text = LocalizedText(
        "一小时内已出具 {count} 份报告；请在 {seconds} 秒后重试，或下载已存档的报告",
        "{count} reports were issued within an hour; try again in {seconds} seconds, or download a stored one",
    )


class ReportNotFound(NotFound):
    """No report was stored at or before a time."""

    code = "not-held.report"
    text = LocalizedText("{time} 及以前没有保存报告", "There is no preservation report on {time} or earlier")


def issued_report(repository: Repository, reader: ReportReader) -> PreservationReport:
    """Return the report on the present, stored. Raises `DatabaseFault`."""
    report = reader.read()
    return report_of_json(repository.reports.add(report.at, report_to_json(report)))


def require_below_limit(repository: Repository) -> None:
    """Raise `ReportsLimited` if `REPORTS_AN_HOUR` were stored within the last hour; `DatabaseFault`."""
    times = repository.reports.times(REPORTS_AN_HOUR)
    if len(times) == REPORTS_AN_HOUR:
        seconds = ceil((datetime.fromisoformat(times[-1]) + _HOUR - repository.clock()).total_seconds())
        if seconds > 0:
            raise ReportsLimited(count=REPORTS_AN_HOUR, seconds=seconds)


def require_asked(headers: Headers) -> None:
    """Raise `ReportNotAsked` if the headers of a request say that a page embeds it, or that it is read in advance."""
    embedded = headers.get("Sec-Fetch-Dest", "document") not in _ASKED
    in_advance = any("prefetch" in headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Moz"))
    if embedded or in_advance:
        raise ReportNotAsked


def is_of_other_site(headers: Headers) -> bool:
    """Return whether the headers of a request say that a page of another site or host has caused it."""
    return headers.get("Sec-Fetch-Site", "none") in {"cross-site", "same-site"}


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
