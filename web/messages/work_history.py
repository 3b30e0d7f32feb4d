"""The texts of the staff page of a work. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from repository.localized import LocalizedText

WORK_HISTORY_MESSAGES: Final[Mapping[str, LocalizedText]] = MappingProxyType(
    {
        "history.title": LocalizedText("保存历史", "Preservation history"),
        "history.work": LocalizedText("编号", "Identifier"),
        "history.versions": LocalizedText("版本", "Versions"),
        "history.no-versions": LocalizedText("存储中没有此著作的版本。", "The store has no version of this work."),
        "history.version": LocalizedText("版本", "Version"),
        "history.time": LocalizedText("时间（UTC）", "Time (UTC)"),
        "history.files": LocalizedText("文件", "Files"),
        "history.added": LocalizedText("新增", "New"),
        "history.events": LocalizedText("事件", "Events"),
        "history.event": LocalizedText("事件", "Event"),
        "history.outcome": LocalizedText("结果", "Outcome"),
        "history.success": LocalizedText("成功", "success"),
        "history.failure": LocalizedText("失败", "failure"),
        "history.object": LocalizedText("对象", "Object"),
        "history.log": LocalizedText("日志序号", "Log index"),
        "history.not-logged": LocalizedText("尚未写入", "not yet"),
        "history.more": LocalizedText(
            "共 {total} 件，此处列出最近的 {count} 件；全部见 shanben history。",
            "{total} in all, the newest {count} of them here; shanben history lists all.",
        ),
        "history.findings": LocalizedText("完整性问题", "Fixity findings"),
        "history.no-findings": LocalizedText("没有。", "None."),
        "history.store": LocalizedText("存储", "Store"),
        "history.file": LocalizedText("文件", "File"),
        "history.kind": LocalizedText("问题", "Finding"),
        "history.state": LocalizedText("状态", "State"),
    }
)
