"""The command ``shanben history``: versions, events and findings of a work."""

from __future__ import annotations

import click

from repository import identifiers
from repository.config import process_settings
from repository.database.deletions import Deletion
from repository.database.fixity_values import RecordedFinding
from repository.identifiers import Kind
from repository.localized import LocalizedText, counted
from repository.model.work import Event
from repository.repository import open_repository
from web.cli.terminal import Terminal, command
from web.messages.interface import MESSAGES
from web.operations.work_history import (
    event_json,
    finding_json,
    finding_kind,
    finding_state,
    outcome_name,
    work_history,
)
from workers.tasks.fixity_settings import store_label


@click.command()
@click.argument("work")
@command
def history(terminal: Terminal, work: str) -> None:
    """列出著作的版本、事件与完整性问题。 List the versions, events and findings of a work."""
    identifier = identifiers.parse(work, Kind.WORK)
    found = work_history(open_repository(process_settings()), identifier)
    terminal.write(LocalizedText("版本", "Versions"))
    for version in found.versions:
        zh = f"  v{version.number}  {version.created}  {version.files} 个文件，新增 {version.added}"
        en = f"  v{version.number}  {version.created}  {counted(version.files, 'file', 'files')}, {version.added} new"
        terminal.write(LocalizedText(f"{zh}  {version.message}", f"{en}  {version.message}"))
    terminal.write(LocalizedText("事件", "Events"))
    for event, index in found.events:
        terminal.write(_event_line(event, index))
    terminal.write(LocalizedText("完整性问题", "Findings"))
    for finding in found.findings:
        terminal.write(_finding_line(finding))
    if not found.findings:
        terminal.write(LocalizedText("  无", "  none"))
    if found.deletion:
        terminal.write(_deletion_line(found.deletion))
    terminal.result(
        {
            "versions": [version.to_json() for version in found.versions],
            "events": [event_json(event, index) for event, index in found.events],
            "findings": [finding_json(finding) for finding in found.findings],
            "deletion": {"state": found.deletion.state.value} if found.deletion else None,
        }
    )


def _event_line(event: Event, index: int | None) -> LocalizedText:
    name = MESSAGES.get(f"event.{event.type}", LocalizedText(event.type, event.type))
    place = (
        LocalizedText("未入日志", "not logged yet") if index is None else LocalizedText(f"日志 {index}", f"log {index}")
    )
    what = event.image or ""
    outcome = outcome_name(event)
    zh = f"  {event.time}  {place.zh}  {name.zh}  {outcome.zh}  {what}"
    return LocalizedText(zh.rstrip(), f"  {event.time}  {place.en}  {name.en}  {outcome.en}  {what}".rstrip())


def _finding_line(finding: RecordedFinding) -> LocalizedText:
    where = f"  {finding.first_seen}  {store_label(finding.store)}  {finding.key}"
    kind, state = finding_kind(finding), finding_state(finding)
    return LocalizedText(f"{where}  {kind.zh}  {state.zh}", f"{where}  {kind.en}  {state.en}")


def _deletion_line(deletion: Deletion) -> LocalizedText:
    if deletion.is_decided:
        return LocalizedText(f"{deletion.confirmed} 决定删除", f"Deletion decided {deletion.confirmed}")
    return LocalizedText(
        f"{deletion.requested} 申请删除，尚未确认", f"Deletion requested {deletion.requested}, not confirmed"
    )
