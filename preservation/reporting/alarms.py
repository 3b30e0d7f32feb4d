"""Decides from a report which alarms there are. (pure)

An alarm has one cause, which its key names: the same cause is the same alarm for as long as it continues.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from preservation.reporting.report import PreservationReport
from repository.localized import LocalizedText
from repository.store_label import store_in_words, store_label

UNCHECKED_DAYS: Final = 7
"""The days after which a store without any completed sweep raises an alarm: files are due every day."""

LATE_HOURS: Final = 24
"""The hours for which copying or witnessing may fail before it raises an alarm."""

KEY_DAYS: Final = 30
"""The days before the end of a key or certificate from which on it raises an alarm."""

LONGEST_KEY: Final = 255

_ENDS: Final = LocalizedText("{name} 将于 {day} 到期；请及时更换", "{name} ends on {day}; replace it in time")
_ENDED: Final = LocalizedText("{name} 已于 {day} 到期；请立即更换", "{name} ended on {day}; replace it now")


class AlarmKind(StrEnum):
    """The causes of alarms."""

    DAMAGE = "damage"
    LOST = "lost"
    UNCHECKED = "unchecked"
    CANARY = "canary"
    REPLICA = "replica"
    WITNESS = "witness"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm: its cause, what it concerns (a store, a key; '' for the repository), and the message to people."""

    kind: AlarmKind
    subject: str
    message: LocalizedText

    @property
    def key(self) -> str:
        """What tells this alarm from others."""
        return f"{self.kind.value}:{self.subject}"[:LONGEST_KEY]


UNWITNESSED: Final = Alarm(AlarmKind.WITNESS, "", LocalizedText("", "")).key
"""The key of the alarm that too few witnesses cosign the log."""


def alarms_of(report: PreservationReport) -> list[Alarm]:
    """Return the alarms at the time of a report, the gravest first."""
    now = datetime.fromisoformat(report.at)
    return [
        *_lost(report),
        *_lost_works(report),
        *_damage(report),
        *_canaries(report),
        *_unchecked(report, now),
        *_replicas(report, now),
        *_witnesses(report, now),
        *_keys(report, now),
    ]


def _lost(report: PreservationReport) -> Iterator[Alarm]:
    if report.lost:
        text = LocalizedText(
            "有 {count} 个文件在任何一处存储都没有完好的副本；请在保存报告中查看余存内容并作出决定",
            "{count} {count:file has|files have} no good copy in any store; see in the preservation report what"
            " remains, and decide",
        )
        yield Alarm(AlarmKind.LOST, "", text.format(count=report.lost))


def _lost_works(report: PreservationReport) -> Iterator[Alarm]:
    if report.lost_works:
        text = LocalizedText(
            "日志所记的 {count} 种著作，各处存储均已没有；请恢复，或裁定其损失（shanben store lost）",
            "no store holds {count} {count:work|works} that the log names; restore {count:it|them}, or accept the loss"
            " (shanben store lost)",
        )
        yield Alarm(AlarmKind.LOST, "works", text.format(count=report.lost_works))


def _damage(report: PreservationReport) -> Iterator[Alarm]:
    stores: dict[str, int] = {}
    for found in report.open_counts:
        stores[found.store] = stores.get(found.store, 0) + found.count
    for store, count in sorted(stores.items()):
        text = LocalizedText(
            "{store}有 {count} 项问题尚未解决；请查看保存报告，可运行 shanben repair 修复",
            "{count} unresolved {count:finding|findings} in {store}; see the preservation report, or run shanben"
            " repair",
        )
        yield Alarm(AlarmKind.DAMAGE, store, text.format(store=store_in_words(store), count=count))


def _canaries(report: PreservationReport) -> Iterator[Alarm]:
    for sweep in report.last_canaries:
        if sweep.canaries_missed:
            text = LocalizedText(
                "{store}的校验漏报 {missed} 个用作检验的损坏对象（{day}），此次校验结果不可信",
                "the sweep of {store} on {day} missed {missed} planted {missed:fault|faults}: its results cannot"
                " be relied on",
            )
            store, day = store_in_words(sweep.store), sweep.started[:10]
            yield Alarm(AlarmKind.CANARY, sweep.store, text.format(store=store, missed=sweep.canaries_missed, day=day))


def _unchecked(report: PreservationReport, now: datetime) -> Iterator[Alarm]:
    if not report.works:
        return
    ended = {sweep.store: sweep.ended for sweep in report.last_sweeps}
    for place in report.places:
        last = ended.get(place.store) or place.since or report.at
        late = sum(check.late for check in report.preserved_checks if check.store == place.store)
        if now - datetime.fromisoformat(last) > timedelta(days=UNCHECKED_DAYS):
            text = LocalizedText(
                "{store}已有 {days} 天没有完成任何校验；请确认工作进程在运行，存储可以读取",
                "no sweep of {store} has been completed for {days} {days:day|days}; check that workers run and that the"
                " store can be read",
            )
            details: dict[str, object] = {
                "store": store_in_words(place.store),
                "days": (now - datetime.fromisoformat(last)).days,
            }
            yield Alarm(AlarmKind.UNCHECKED, place.store, text.format(**details))
        elif late:
            text = LocalizedText(
                "{store}有 {late} 个文件逾期未校验",
                "{late} {late:file|files} of {store} {late:has|have} not been checked for too long",
            )
            yield Alarm(AlarmKind.UNCHECKED, place.store, text.format(store=store_in_words(place.store), late=late))


def _replicas(report: PreservationReport, now: datetime) -> Iterator[Alarm]:
    for place in report.places:
        if place.failing and now - datetime.fromisoformat(place.failing) > timedelta(hours=LATE_HOURS):
            text = LocalizedText(
                "副本 {store} 落后：{behind} 种著作尚未复制，自 {day} 起复制失败",
                "replica {store} is late: {behind} {behind:work is|works are} not copied; copying has failed since"
                " {day}",
            )
            details = {"store": store_label(place.store), "behind": place.behind, "day": place.failing[:10]}
            yield Alarm(AlarmKind.REPLICA, place.store, text.format(**details))


def _witnesses(report: PreservationReport, now: datetime) -> Iterator[Alarm]:
    log = report.log
    if not log.witnesses or not log.size:
        return
    recent = [
        witness
        for witness in log.witnesses
        if witness.time and now - datetime.fromisoformat(witness.time) <= timedelta(hours=LATE_HOURS)
    ]
    if len(recent) < log.quorum:
        text = LocalizedText(
            "日志缺少见证：最近 {hours} 小时内只有 {recent} 个见证方联署，须有 {quorum} 个",
            "the log is unwitnessed: {recent} {recent:witness|witnesses} cosigned within {hours} hours, {quorum} must",
        )
        yield Alarm(AlarmKind.WITNESS, "", text.format(hours=LATE_HOURS, recent=len(recent), quorum=log.quorum))


def _keys(report: PreservationReport, now: datetime) -> Iterator[Alarm]:
    for key in report.keys:
        left = (date.fromisoformat(key.ends[:10]) - now.date()).days
        if left <= KEY_DAYS:
            text = _ENDS if left >= 0 else _ENDED
            yield Alarm(AlarmKind.KEY, key.name, text.format(name=key.name, day=key.ends[:10]))
