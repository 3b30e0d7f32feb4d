"""Statements of responsibility of Chinese books as names with dynasty and role: 〔清〕阮元撰 in its forms. (pure)"""

from __future__ import annotations

import re
from typing import Final

from workers.harvest.clean_record import CleanName

_DYNASTIES: Final = """
三國魏 三國吳 三國蜀 三国魏 三国吴 三国蜀 南朝宋 南朝齊 南朝齐 南朝梁 南朝陳 南朝陈 劉宋 刘宋 南齊 南齐 北魏 東魏 东魏
西魏 北齊 北齐 北周 西漢 西汉 東漢 东汉 後漢 后汉 西晉 西晋 東晉 东晋 北宋 南宋 南唐 五代 後梁 后梁 後唐 后唐 後晉
后晋 後周 后周 前蜀 後蜀 后蜀 西夏 春秋 戰國 战国 民國 民国 周 秦 漢 汉 魏 蜀 吳 吴 晉 晋 梁 陳 陈 隋 唐 宋 遼 辽 金
元 明 清 日本 朝鮮 朝鲜 越南 江戶 江户
"""
_ROLES: Final = """
奉敕撰 奉敕編 奉敕编 奉敕纂 等奉敕撰 等奉敕編 等奉敕编 原著 編著 编著 編纂 编纂 纂修 纂輯 纂辑 纂 編輯 编辑 編次 编次
編譯 编译 編選 编选 編 编 撰集 撰 著 述 續 輯錄 辑录 輯注 辑注 輯 辑 注疏 注釋 注释 註釋 註 注 疏 箋注 笺注 箋 笺 集解
集注 集釋 集释 章句 正義 正义 音義 音义 校注 校勘 校訂 校订 校刊 校刻 校補 校补 校點 校点 校 點校 点校 標點 标点 評點
评点 評注 评注 批點 批点 評 评 批 譯注 译注 譯 译 重修 續修 续修 主修 總修 总修 修 補注 补注 補輯 补辑 補 补 增訂 增订
增補 增补 考訂 考订 考證 考证 訂 订 選評 选评 選注 选注 選 选 摘錄 摘录 鈔錄 抄录 錄 录 繪圖 绘图 繪 绘 畫 画 書 书 篆
刻 刊 題 题 跋 序 作 author editor compiler translator creator
"""

_ANY_DYNASTY: Final = "|".join(_DYNASTIES.split())
_ANY_ROLE: Final = "|".join(sorted(_ROLES.split(), key=len, reverse=True))
_SPLIT: Final = re.compile(r"\s*[；;]\s*")
_BRACKETED: Final = re.compile(rf"^[〔\[（(〈【［]\s*({_ANY_DYNASTY})[朝代]?\s*[〕\]）)〉】］]\s*")
_BRACKETED_AFTER: Final = re.compile(rf"\s*[〔\[（(〈【［]\s*({_ANY_DYNASTY})[朝代]?\s*[〕\]）)〉】］]\s*(\S*)$")
_SPACED: Final = re.compile(rf"^({_ANY_DYNASTY})[朝代]?[\s·・•．.]+(?=\S)")
_ROLE: Final = re.compile(rf"[\s,，(（\[〔]*((?:等)?(?:{_ANY_ROLE}))[)）\]〕.。]*$", re.IGNORECASE)
_YEARS: Final = re.compile(
    r"[\s,，]*[（(\[]?\s*(?:ca?\. ?|約|约)?\d{3,4}\??\s*[-–—~～]\s*(?:ca?\. ?)?(?:\d{3,4})?\??\s*[)）\]]?[.,]?$"
)
_HAN: Final = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")
_SHORTEST_WITHOUT_SPACE: Final = 2


def read_names(statement: str) -> tuple[CleanName, ...]:
    """Return the names of a statement, which ``；`` separates. What is not understood is a name as it stands."""
    return tuple(_read_name(part) for part in _SPLIT.split(statement.strip()) if part)


def _read_name(text: str) -> CleanName:
    rest, dynasty = _cut_dynasty(text)
    rest, role = _cut_role(_YEARS.sub("", rest))
    rest, later = ("", "") if not rest else _cut_later_dynasty(rest)
    name = _YEARS.sub("", rest).strip(" ,，.、")
    return CleanName(name, dynasty or later, role) if name else CleanName(text)


def _cut_dynasty(text: str) -> tuple[str, str]:
    match = _BRACKETED.match(text) or _SPACED.match(text)
    return (text[match.end() :], match[1]) if match else (text, "")


def _cut_later_dynasty(text: str) -> tuple[str, str]:
    match = _BRACKETED_AFTER.search(text)
    return (f"{text[: match.start()]}{match[2]}", match[1]) if match else (text, "")


def _cut_role(text: str) -> tuple[str, str]:
    """Cut the role at the end of a name; a Chinese name keeps at least two characters, so that 王選 stays a name."""
    match = _ROLE.search(text)
    if match is None:
        return text, ""
    name = text[: match.start()].strip()
    is_set_apart = match.start() < match.start(1)
    if not name or (not is_set_apart and len(_HAN.findall(name)) < _SHORTEST_WITHOUT_SPACE):
        return text, ""
    return name, match[1]
