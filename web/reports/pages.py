"""``/preservation``: the page that a conservator opens each morning, its lists, charts and files.

Every page needs an account of staff, of any role. The page shows the present; a file shows a stored moment, named by
``at``. Sending a file is recorded in the log. HEAD sends none and records nothing, and what another site links to
stores none.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any, Final

from flask import Blueprint, Response, make_response, render_template, request

from iiif_server import urls
from preservation.reporting.reader import (
    MOST_FINDINGS,
    LogNotes,
    ReportReader,
    read_log_notes,
    reported_finding,
    reported_original,
)
from preservation.reporting.report import PreservationReport
from repository.database.store_registry import PRIMARY
from repository.errors import NotFound, RequestInvalid
from repository.localized import LocalizedText
from repository.model.condition import DAMAGE_GRADES, GRADES
from repository.repository import Repository
from repository.store_label import PRIMARY_LABEL, store_label
from repository.whole_numbers import parse_whole_number
from web.accounts.staff import current_account, login_redirect
from web.messages.interface import translate
from web.reports.charts import ChartDrawer, chart_height
from web.reports.check_sections import findings_table
from web.reports.document import ChartPicture
from web.reports.files import MEDIA_TYPES, ReportFormat, report_file
from web.reports.issue import (
    is_of_other_site,
    issued_report,
    record_issue,
    require_asked,
    require_below_limit,
    stored_report,
)
from web.reports.sections import conditions_table, report_document
from web.site.language import current_language
from web.site.page_headers import set_unkept_headers
from web.site.urls import local_url, see_other
from web.telemetry.store_probes import StoreProbe

_STORE_SECONDS: Final = 1.0
"""The seconds for which the page waits for the notes in the store."""

_EARLIER: Final = 12
_STALE_HOURS: Final = 3
_FILE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox allow-popups"
_CHART_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_STATES: Final = ("open", "ended")
_NO_GRADE: Final = LocalizedText(
    "应为破损级别或定级，如 damage=一级破损", "write a grade of damage or a grade, such as damage=一级破损"
)
_LARGEST: Final = 10**18 - 1


def blueprint(repository: Repository) -> Blueprint:
    """Return the routes of the pages."""
    pages = _ReportPages(repository)
    routes = Blueprint("reports", __name__)
    routes.before_request(pages.require_account)
    routes.after_request(set_unkept_headers)
    routes.get(urls.PRESERVATION, endpoint="preservation")(pages.show_report)
    routes.get(urls.PRESERVATION_FINDINGS, endpoint="findings")(pages.show_findings)
    routes.get(urls.PRESERVATION_CONDITION, endpoint="condition")(pages.show_conditions)
    routes.get(f"{urls.PRESERVATION}/report.<name>", endpoint="file")(pages.send_file)
    routes.get(f"{urls.PRESERVATION}/chart/<name>.svg", endpoint="chart")(pages.send_chart)
    return routes


class _ReportPages:
    """The views of the pages."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._notes = StoreProbe("notes of the log", partial(read_log_notes, repository), LogNotes())
        self._reader = ReportReader(repository, lambda: self._notes.start()(_STORE_SECONDS))
        self._drawer = ChartDrawer(repository.settings.cache)

    def require_account(self) -> Response | None:
        return None if current_account(self._repository.account_sessions) else login_redirect()

    def show_report(self) -> Response:
        report = self._reader.read()
        document = report_document(report, current_language())
        names = [name for section in document.sections for name in section.charts]
        return _page(
            "preservation.html",
            report=document,
            pictures={name: ChartPicture(local_url(_chart_path(name)), chart_height(name, report)) for name in names},
            earlier=self._repository.reports.times(_EARLIER),
            formats=tuple(ReportFormat),
            file_url=lambda kind, at="": local_url(_file_path(kind, at)),
        )

    def show_findings(self) -> Response:
        state = request.args.get("state", "open")
        if state not in _STATES:
            raise RequestInvalid(part="state", reason=LocalizedText("应为 open 或 ended", "write open or ended"))
        after, findings = _number("after"), self._repository.findings
        stores = self._asked_stores()
        if state == "open":
            found = findings.open_findings(stores, after=after, limit=MOST_FINDINGS)
        else:
            found = findings.ended_findings(after=after, limit=MOST_FINDINGS)
        titles = self._repository.holdings.titles({each.work for each in found if each.work})
        reported = [reported_finding(each, titles) for each in found]
        return _page(
            "findings.html",
            state=state,
            states=_STATES,
            table=findings_table(state, reported, current_language()),
            following=found[-1].id if len(found) == MOST_FINDINGS else None,
            store=request.args.get("store", "") if state == "open" else "",
        )

    def _asked_stores(self) -> list[str] | None:
        """Return the store that ``store`` names, in a list; None for all stores."""
        name = request.args.get("store", "")
        if not name:
            return None
        if name != PRIMARY_LABEL and name not in self._repository.replicas:
            raise RequestInvalid(part="store", reason=LocalizedText("没有这处存储", "there is no such store"))
        return [PRIMARY if name == PRIMARY_LABEL else name]

    def show_conditions(self) -> Response:
        holdings, after = self._repository.holdings, (request.args.get("after", ""), _number("volume"))
        kind = "damage" if request.args.get("damage") else "grade"
        known, name = DAMAGE_GRADES if kind == "damage" else GRADES, request.args.get(kind, "")
        if name not in known:
            raise RequestInvalid(part=kind, reason=_NO_GRADE)
        listed = holdings.with_damage if kind == "damage" else holdings.with_grade
        found = listed(name, after, MOST_FINDINGS)
        caption = known[name].in_language(current_language())
        return _page(
            "conditions.html",
            table=conditions_table(caption, map(reported_original, found), current_language()),
            kind=kind,
            name=name,
            following=found[-1] if len(found) == MOST_FINDINGS else None,
        )

    def send_chart(self, name: str) -> Response:
        try:
            chart = self._drawer.draw(name, self._reader.read(), current_language())
        except KeyError as fault:
            raise NotFound(what=name) from fault
        response = make_response(chart)
        response.headers["Content-Type"] = "image/svg+xml"
        response.headers["Content-Security-Policy"] = _CHART_POLICY
        return response

    def send_file(self, name: str) -> Response:
        if name not in set(ReportFormat):
            raise NotFound(what=f"report.{name}")
        require_asked(request.headers)
        if at := request.args.get("at", ""):
            return self._file(stored_report(self._repository, at), ReportFormat(name))
        if request.method == "HEAD" or is_of_other_site(request.headers):
            return see_other(local_url(urls.PRESERVATION))  # the page that offers the files
        require_below_limit(self._repository)
        report = issued_report(self._repository, self._reader)
        return see_other(local_url(_file_path(name, report.at)))

    def _file(self, report: PreservationReport, kind: ReportFormat) -> Response:
        content = report_file(report, kind, current_language(), self._drawer.draw)
        if request.method != "HEAD":
            account = current_account(self._repository.account_sessions)
            record_issue(self._repository, content, report.at, account.name if account else None)
        response = make_response(content)
        response.headers["Content-Type"] = MEDIA_TYPES[kind]
        name = f"preservation-{report.at.replace(':', '')}.{kind.value}"
        disposition = "attachment" if kind in {ReportFormat.CSV, ReportFormat.JSON} else "inline"
        response.headers["Content-Disposition"] = f'{disposition}; filename="{name}"'
        if kind is ReportFormat.HTML:
            response.headers["Content-Security-Policy"] = _FILE_POLICY
        return response


def _chart_path(name: str) -> str:
    return f"{urls.PRESERVATION}/chart/{name}.svg"


def _file_path(kind: str, at: str) -> str:
    return f"{urls.PRESERVATION}/report.{kind}" + (f"?at={at}" if at else "")


def _number(name: str) -> int:
    number = parse_whole_number(request.args.get(name, "0"), _LARGEST)
    if number is None:
        raise RequestInvalid(part=name, reason=LocalizedText("应为数字", "write a number"))
    return number


def _page(template: str, **values: Any) -> Response:
    return make_response(render_template(template, store_label=store_label, **values))


def _stale_hours(repository: Repository, decided: str) -> int:
    """Return for how many hours no worker has looked for alarms; 0 if not for long, or never yet."""
    if not decided:
        return 0
    hours = int((repository.clock() - datetime.fromisoformat(decided)).total_seconds() // 3600)
    return hours if hours >= _STALE_HOURS else 0


def alarm_texts(repository: Repository) -> list[str]:
    """Return the alarms for the banner of staff pages, in the language of the page."""
    state, language = repository.reports.alarms(), current_language()
    texts = [alarm.message.in_language(language) for alarm in state.alarms]
    if hours := _stale_hours(repository, state.decided):
        texts.append(translate(language, "report.alarms-stale", hours=hours))
    return texts
