"""The task that decides alarms, sends mail about new ones, and stores one preservation report a day.

The alarms are recorded first, so that pages and metrics show them even while no mail can be sent. A cause is mailed
once, and again each week while it continues; a mail that could not be sent is tried again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Final

from preservation.reporting.alarms import UNWITNESSED, alarms_of
from preservation.reporting.reader import ReportReader
from preservation.reporting.report import PreservationReport, report_to_json
from preservation.reporting.verdict import verdict_of
from repository.clock import timestamp
from repository.database.outbox import Job
from repository.database.report_store import RaisedAlarm
from repository.errors import SettingInvalid
from repository.localized import LocalizedText
from repository.network.mail import parse_mail_server, send_mail
from repository.repository import Repository
from workers.execution.context import TaskContext
from workers.tasks.harvest import harvest_alarms

REMIND_DAYS: Final = 7
"""The days after which a mail reminds of an alarm that continues."""

_PATH: Final = "/preservation"
_NO_SERVER: Final = LocalizedText(
    "设有接收警报的地址，须同时设置邮件服务器", "addresses for alarms are set, so the mail server must be set too"
)
_SUBJECT: Final = LocalizedText("善本保存警报 {count} 项", "Shanben: {count} preservation {count:alarm|alarms}")


def watch_preservation(context: TaskContext, _: Job) -> Mapping[str, object]:
    """Run a job of kind ``alarms``. Raises `ServiceUnavailable`, `SettingInvalid`, `DatabaseFault`."""
    repository = context.repository
    report = ReportReader(repository).read()
    messages = {alarm.key: alarm.message for alarm in alarms_of(report)}
    messages |= harvest_alarms(repository) | _undecided(repository, report)
    raised = repository.reports.raise_alarms(messages, report.at)
    _store_daily(repository, report)
    mailed = _mail(repository, report, raised)
    return {"alarms": sorted(messages), "mailed": mailed}


def _undecided(repository: Repository, report: PreservationReport) -> dict[str, LocalizedText]:
    """Return the alarm that witnesses are missing as it was decided before, while what they cosigned cannot be read."""
    if report.log.witnesses or not report.log.quorum:
        return {}
    recorded = repository.reports.alarms().alarms
    return {alarm.key: alarm.message for alarm in recorded if alarm.key == UNWITNESSED}


def _store_daily(repository: Repository, report: PreservationReport) -> None:
    """Store the first report of each day (UTC), so that it can be asked later what was known then."""
    newest = repository.reports.newest(report.at)
    if newest is None or newest[0][:10] < report.at[:10]:
        repository.reports.add(report.at, report_to_json(report))


def _mail(repository: Repository, report: PreservationReport, raised: Sequence[RaisedAlarm]) -> list[str]:
    settings, now = repository.settings, datetime.fromisoformat(report.at)
    due = [alarm for alarm in raised if alarm.sent is None or _is_old(alarm.sent, now)]
    if not settings.alarm_mail:
        return []
    if not settings.smtp:
        raise SettingInvalid(name="smtp", reason=_NO_SERVER)
    if not due:
        return []
    message = alarm_message(due, report, settings.alarm_mail, settings.base_url)
    send_mail(parse_mail_server(settings.smtp), message)
    keys = [alarm.key for alarm in due]
    repository.reports.mark_sent(keys, timestamp(now))
    return keys


def _is_old(sent: str, now: datetime) -> bool:
    return now - datetime.fromisoformat(sent) >= timedelta(days=REMIND_DAYS)


def alarm_message(
    alarms: Sequence[RaisedAlarm], report: PreservationReport, recipients: Sequence[str], base_url: str
) -> EmailMessage:
    """Return the mail about alarms, Chinese first and then English, with the address of the preservation page."""
    subject = _SUBJECT.format(count=len(alarms))
    message = EmailMessage()
    message["To"] = ", ".join(recipients)
    message["Subject"] = f"{subject.zh} / {subject.en}"
    message["Date"] = datetime.fromisoformat(report.at)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834
    sentence = verdict_of(report).sentence
    parts = []
    for summary, texts in (
        (sentence.zh, [alarm.message.zh for alarm in alarms]),
        (sentence.en, [alarm.message.en for alarm in alarms]),
    ):
        parts += [summary, "", *(f"- {text}" for text in texts), ""]
    parts += [
        f"{base_url}{_PATH}" if base_url else "shanben fixity report",
        "",
        f"{report.library} {report.at}".strip(),
    ]
    message.set_content("\n".join(parts) + "\n")
    return message
