"""The texts of repairs, restored stores and lost works, in both languages. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from repository.localized import LocalizedText

REPAIR_MESSAGES: Final[Mapping[str, LocalizedText]] = MappingProxyType(
    {
        "repair.repaired": LocalizedText(
            "✓ {store}：{key} 已修复，来源 {source}", "✓ {store}: {key} repaired from {source}"
        ),
        "repair.lost": LocalizedText(
            "✗ {key}：各处存储中均无完好的副本；现存内容一概保留", "✗ {key}: no store has it intact; everything is kept"
        ),
        "repair.remains-damaged-copy": LocalizedText("尚存损坏的副本：{store} {key}", "a damaged copy: {store} {key}"),
        "repair.remains-other-version": LocalizedText("尚存另一版本：{store} {key}", "another version: {store} {key}"),
        "repair.remains-pyramid": LocalizedText("尚存浏览图：{store} {key}", "its pyramid: {store} {key}"),
        "repair.lost-remedy": LocalizedText(
            "仍有送存目录的，请用 shanben ingest 再次收入，即可放回其中的文件；没有的，请另寻副本",
            "If you still have the deposit, run shanben ingest on it again, which puts its files back; otherwise look"
            " for another copy",
        ),
        "repair.left": LocalizedText("· {where}：未作改动：{reason}", "· {where}: left as it is: {reason}"),
        "repair.nothing": LocalizedText("没有需要修复的内容", "There is nothing to repair"),
        "repair.ended": LocalizedText(
            "没有文件须修复：所发现的问题已不存在，或文件已移入隔离区",
            "No file had to be repaired: what was found is there no more, or was moved into the quarantine",
        ),
        "repair.totals": LocalizedText(
            "已修复 {repaired} 个文件；丢失 {lost} 个；未作改动 {left} 处",
            "Repaired: {repaired} {repaired:file|files}; lost: {lost}; left as they are: {left}",
        ),
        "lost.listed": LocalizedText(
            "✗ {work}：日志记有 v{logged}，存储中只到 v{stored}（{date} 发现）",
            "✗ {work}: the log names v{logged}, and the store has the versions up to v{stored} (found on {date})",
        ),
        "lost.none": LocalizedText("没有丢失的著作", "No work is lost"),
        "lost.accepted": LocalizedText("{work}：已接受丢失，并记入日志", "{work}: the loss is accepted, and logged"),
        "restore.missing-work": LocalizedText(
            "✗ {work}：日志记有 v{logged}，所及存储中只到 v{stored}",
            "✗ {work}: the log names v{logged}, and the stores have the versions up to v{stored}",
        ),
        "restore.missing-log": LocalizedText(
            "✗ 日志：已签发 {logged} 条，只恢复到第 {stored} 条",
            "✗ The log: {logged} {logged:entry was|entries were} signed, and {stored} could be restored",
        ),
        "restore.missing-file": LocalizedText("✗ {key}：各处存储中均无完好的副本", "✗ {key}: no store has it intact"),
        "restore.deleted": LocalizedText(
            "{work} 已于 {day} 决定删除，未予恢复；仍存有其副本：{stores}",
            "{work} was deleted by decision on {day} and was not restored; a copy is still in {stores}",
        ),
        "restore.missing-reason": LocalizedText("✗ 缺少 {key}：{reason}", "✗ {key} is missing: {reason}"),
        "restore.totals": LocalizedText(
            "已恢复到 {store}：{files} 个文件；现有著作 {works} 种，日志 {entries} 条；缺失 {missing} 处。"
            "浏览图与清单请运行 shanben rebuild 重制",
            "Restored to {store}: {files} {files:file|files}; it holds {works} {works:work|works} and {entries} log"
            " {entries:entry|entries}; missing: {missing}. Run shanben rebuild to make pyramids and manifests again",
        ),
    }
)
