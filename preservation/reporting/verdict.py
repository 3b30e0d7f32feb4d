"""The first sentence of a report: whether all is well, when everything was last checked, what needs a decision. (pure)

Nothing is called well that was not checked: without a check of every preserved file, the sentence says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from preservation.reporting.alarms import Alarm, alarms_of
from preservation.reporting.report import PreservationReport
from repository.localized import LocalizedText


class State(StrEnum):
    """The state of preservation as a whole."""

    EMPTY = "empty"
    WELL = "well"
    UNKNOWN = "unknown"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class ReportVerdict:
    """The state, the sentences that open the report, and the alarms, which need a decision."""

    state: State
    sentence: LocalizedText
    alarms: tuple[Alarm, ...]


def verdict_of(report: PreservationReport) -> ReportVerdict:
    """Return the verdict of a report."""
    alarms = tuple(alarms_of(report))
    state = _state(report, alarms)
    parts = [_well(report, state), _checked(report), _decisions(alarms)]
    sentence = LocalizedText("".join(part.zh for part in parts), " ".join(part.en for part in parts if part.en))
    return ReportVerdict(state, sentence, alarms)


def _state(report: PreservationReport, alarms: tuple[Alarm, ...]) -> State:
    if alarms:
        return State.ALARM
    if not report.works:
        return State.EMPTY
    is_sure = report.checked_since and not _unsure(report) and not report.unrecorded
    return State.WELL if is_sure else State.UNKNOWN


def _unsure(report: PreservationReport) -> int:
    """Return how many preserved files were not checked the last time, or failed without an open finding."""
    return sum(check.not_checked + check.failed for check in report.preserved_checks)


def _well(report: PreservationReport, state: State) -> LocalizedText:
    match state:
        case State.EMPTY:
            return LocalizedText("尚无馆藏。", "Nothing is held yet.")
        case State.WELL:
            return LocalizedText("一切正常。", "All is well.")
        case State.UNKNOWN:
            return LocalizedText("没有发现问题，但尚未全部校验。", "No fault is known, but not everything was checked.")
    if unresolved := report.open + report.lost_works:
        text = LocalizedText("有 {count} 项问题尚未解决。", "{count} {count:finding is|findings are} unresolved.")
        return text.format(count=f"{unresolved:,}")
    return LocalizedText("馆藏未见损坏，但有情况需要处理。", "No damage is known, but something needs attention.")


def _checked(report: PreservationReport) -> LocalizedText:
    if not report.works:
        return LocalizedText("", "")
    if report.checked_since and report.unrecorded:
        text = LocalizedText(
            "其后新增的 {count} 份著作尚未校验；其余每一个保存的文件都在 {day} 当天或之后校验过。",
            "{count} {count:copy|copies} of works that were added since {count:was|were} not checked yet; every other"
            " preserved file was checked on or after {day}.",
        )
        return text.format(day=report.checked_since, count=f"{report.unrecorded:,}")
    if report.checked_since:
        text = LocalizedText(
            "每一个保存的文件都在 {day} 当天或之后校验过。", "Every preserved file was checked on or after {day}."
        )
        return text.format(day=report.checked_since)
    never = sum(check.never for check in report.preserved_checks)
    if never:
        text = LocalizedText(
            "有 {never} 个保存的文件从未校验。", "{never} preserved {never:file was|files were} never checked."
        )
        return text.format(never=f"{never:,}")
    return LocalizedText("尚未做过完整性校验。", "No fixity check has been made.")


def _decisions(alarms: tuple[Alarm, ...]) -> LocalizedText:
    if not alarms:
        return LocalizedText("没有需要决定的事项。", "Nothing needs a decision.")
    return LocalizedText("有 {count} 项需要处理。", "{count} {count:matter needs|matters need} a decision.").format(
        count=len(alarms)
    )
