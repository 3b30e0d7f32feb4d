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
        "repair.left": LocalizedText("· {where}：未作改动：{reason}", "· {where}: left as it is: {reason}"),
        "repair.nothing": LocalizedText("没有需要修复的内容", "There is nothing to repair"),
        "repair.totals": LocalizedText(
            "已修复 {repaired} 个文件；丢失 {lost} 个；未作改动 {left} 处",
            "Repaired: {repaired} file(s); lost: {lost}; left as they are: {left}",
        ),
    }
)
