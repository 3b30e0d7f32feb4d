"""The texts about fixity checks. (pure)

They say what is true of stored bytes at a stated time: when every file was checked last, and in how many stores.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from repository.localized import LocalizedText

FIXITY_MESSAGES: Final[Mapping[str, LocalizedText]] = MappingProxyType(
    {
        "fixity.store": LocalizedText("存储", "store"),
        "fixity.expected": LocalizedText("应查", "expected"),
        "fixity.passed": LocalizedText("完好", "passed"),
        "fixity.failed": LocalizedText("有误", "failed"),
        "fixity.not-checked": LocalizedText("未查", "not checked"),
        "fixity.read": LocalizedText("读取", "read"),
        "fixity.files": LocalizedText("文件", "files"),
        "fixity.bytes": LocalizedText("容量", "bytes"),
        "fixity.due": LocalizedText("到期", "due"),
        "fixity.late": LocalizedText("逾期", "late"),
        "fixity.rate": LocalizedText("所需速度", "rate needed"),
        "fixity.ends": LocalizedText("全部再查一遍，至迟", "all checked again by"),
        "fixity.never-ends": LocalizedText("以现有速度无法查完", "never at the present rate"),
        "fixity.nothing-stored": LocalizedText("尚无文件", "nothing is stored"),
        "fixity.verified": LocalizedText(
            "所存文件在 {stores} 处存储中的 {verified} 处全部核验完好（不早于 {date}）",
            "verified in {verified} of {stores} {stores:store|stores} (on or after {date})",
        ),
        "fixity.never": LocalizedText("尚未核验", "never checked"),
        "fixity.partly": LocalizedText("{files} 个文件尚未核验", "{files} {files:file|files} never checked"),
        "fixity.incomplete": LocalizedText("新收入或新改动的文件尚未核验", "new files have not been checked yet"),
        "fixity.damaged": LocalizedText(
            "有损坏：{findings} 处待处理", "damaged: {findings} open {findings:finding|findings}"
        ),
        "work.fixity": LocalizedText("核验", "Fixity"),
        "work.fixity-verified": LocalizedText(
            "所存文件在 {stores} 处存储中的 {verified} 处逐一核验完好（不早于 {date}）",
            "Every file verified in {verified} of {stores} {stores:store|stores} (on or after {date})",
        ),
        "work.fixity-never": LocalizedText(
            "最新版本尚未全部核验", "The newest version has not been checked completely"
        ),
        "work.fixity-damaged": LocalizedText(
            "有损坏，待处理 {findings} 处", "Damaged: {findings} {findings:finding|findings} to be dealt with"
        ),
        "finding.changed": LocalizedText("内容改变", "changed"),
        "finding.missing": LocalizedText("缺失", "missing"),
        "finding.unexpected": LocalizedText("多出", "unexpected"),
        "finding.invalid": LocalizedText("不合规则", "invalid"),
        "finding.witnesses-disagree": LocalizedText("清单与日志不符", "inventory and log disagree"),
        "finding.unreadable": LocalizedText("无法读取", "unreadable"),
    }
)
