"""Words that number volumes and leaves of Chinese books (上中下, 元亨利貞), or stand first or last (序, 附錄). (pure)

Traditional, simplified and Japanese forms are equal. A sequence is one character for each member. Sequences whose order
differs between books (東西南北, 左右) are left out: a record must state their order.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

# Each member of a sequence may have several forms, joined by a slash.
_SEQUENCES: Final = tuple(
    {form: rank for rank, forms in enumerate(text.split()) for form in forms.split("/")}
    for text in (
        "上 中 下",
        "前 中 後/后",
        "初 中 末",
        "正 續/续/続",
        "內/内 外 雜/杂/雑",
        "孟 仲 季",
        "伯 仲 叔 季",
        "甲 乙 丙 丁 戊 己 庚 辛 壬 癸",
        "子 丑 寅 卯 辰 巳 午 未 申 酉 戌 亥",
        "元 亨 利 貞/贞",
        "乾 坤",
        "乾 坎 艮 震 巽 離/离/离 坤 兌/兑",
        "乾 兌/兑 離/离 震 巽 坎 艮 坤",
        "天 地 人",
        "天 地 玄 黃/黄 宇 宙 洪 荒 日 月 盈 昃 辰 宿 列 張/张 寒 來/来 暑 往 秋 收 冬 藏",
        "日 月 星 辰",
        "春 夏 秋 冬",
        "仁 義/义 禮/礼 智 信",
        "智 仁 勇",
        "文 行 忠 信",
        "禮/礼 樂/乐/楽 射 御 書/书 數/数",
        "溫/温 良 恭 儉/俭 讓/让",
        "經/经/経 史 子 集",
        "風/风 雅 頌/颂",
        "金 木 水 火 土",
        "金 石 絲/丝 竹 匏 土 革 木",
        "宮/宫 商 角 徵 羽",
        "福 祿/禄 壽/寿 喜",
        "正/面 背",
        "表 裏/裡/里",
        "オ ウ",
    )
)

_END: Final = r"(?=$|\0|\W|_|[卷巻冊册編编篇集函部帙葉叶頁页上中下之])"
# The unit or the end must follow a single character, which is otherwise the beginning of another word.
_FRONT: Final = (
    r"(?:cover|front)(?![A-Za-z])",
    r"[書书]衣|[書书]皮|封面",
    r"[書书][籤签]",
    r"封[裡裏里]|封二",
    r"扉[頁页葉叶]|[護护][葉叶頁页]",
    r"[書题題书]名?[葉叶頁页]|[內内]封",
    r"牌[記记]",
    rf"[總总]?[序敘叙](?:[言文目]|{_END})",
    r"凡例",
    rf"[總总]?目(?:[錄録录次]|{_END})",
    rf"首{_END}",
)
_BACK: Final = (
    rf"[續续続](?:[補补]|[刻修纂]|{_END})",
    # One rank, because their order differs: 內集 外集 別集, but 前集 後集 續集 別集 新集 外集.
    rf"外(?:[編编篇集]|{_END})|[別别](?:[編编篇集錄録录]|{_END})",
    rf"末{_END}",
    rf"附(?:[錄録录圖图刻考表卷]|{_END})",
    rf"[補补](?:[遺遗編编刻]|{_END})",
    r"拾[遺遗]|佚文",
    rf"[後后][記记序]|跋(?:[文]|{_END})",
    r"封三",
    r"封底|[書书]底",
    r"back(?![A-Za-z])",
)
_FIRST: Final = re.compile("初(?=[集編编篇輯辑刻版印])|元(?=年)|正(?=月)")


def _compiled(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"({word})" for word in words), re.IGNORECASE)


_FRONT_WORDS: Final = _compiled(_FRONT)
_BACK_WORDS: Final = _compiled(_BACK)


def match_front(rest: str) -> tuple[int, str] | None:
    """Return the rank among the words that stand first (序, 目錄, 首), and the word with which `rest` begins.

    `rest` is the remainder of a name with each number as NUL.
    """
    return _matched(_FRONT_WORDS, rest)


def match_back(rest: str) -> tuple[int, str] | None:
    """Return the same for the words that stand last (續, 末, 附錄, 補遺)."""
    return _matched(_BACK_WORDS, rest)


def _matched(words: re.Pattern[str], rest: str) -> tuple[int, str] | None:
    match = words.match(rest)
    return (match.lastindex or 0, match[0]) if match else None


def is_sequel(word: str) -> bool:
    """Return whether a word that stands last may also stand for 2, as in 初編 續編 三編."""
    return word[:1] in {"續", "续", "続"}


def is_first_word(rest: str) -> bool:
    """Return whether `rest` begins with a word for the first of a numbered series, as in 初集 二集 or 元年 二年."""
    return _FIRST.match(rest) is not None


def ranks(words: Collection[str]) -> Mapping[str, int] | None:
    """Return the order of words of one sequence, or None if they are of none or have several orders."""
    orders = set()
    for sequence in _SEQUENCES:
        if all(word in sequence for word in words):
            order = tuple(sorted(words, key=lambda word: sequence[word]))
            if len({sequence[word] for word in words}) == len(words):
                orders.add(order)
    if len(orders) != 1:
        return None
    return {word: rank for rank, word in enumerate(orders.pop())}


def is_sequence_word(word: str) -> bool:
    """Return whether a character belongs to a sequence."""
    return any(word in sequence for sequence in _SEQUENCES)
