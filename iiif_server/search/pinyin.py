"""The pinyin of titles and names, for suggestions and for sorting; computed when a segment is built.

Readings of the vocabulary of old books, which dictionaries of modern words do not have, are in a table of our own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_PHRASES: Final = {
    "乐府": ("yue", "fu"),
    "樂府": ("yue", "fu"),
    "乐经": ("yue", "jing"),
    "樂經": ("yue", "jing"),
    "乐书": ("yue", "shu"),
    "樂書": ("yue", "shu"),
    "乐记": ("yue", "ji"),
    "樂記": ("yue", "ji"),
    "说苑": ("shuo", "yuan"),
    "说卦": ("shuo", "gua"),
    "曾子": ("zeng", "zi"),
    "曾巩": ("zeng", "gong"),
    "曾鞏": ("zeng", "gong"),
    "曾国藩": ("zeng", "guo", "fan"),
    "曾國藩": ("zeng", "guo", "fan"),
    "长春真人": ("chang", "chun", "zhen", "ren"),
    "長春真人": ("chang", "chun", "zhen", "ren"),
    "尉缭子": ("wei", "liao", "zi"),
    "尉繚子": ("wei", "liao", "zi"),
    "大藏经": ("da", "zang", "jing"),
    "大藏經": ("da", "zang", "jing"),
    "道藏": ("dao", "zang"),
    "三藏": ("san", "zang"),
    "传灯录": ("chuan", "deng", "lu"),
    "傳燈錄": ("chuan", "deng", "lu"),
    "列传": ("lie", "zhuan"),
    "列傳": ("lie", "zhuan"),
    "左传": ("zuo", "zhuan"),
    "左傳": ("zuo", "zhuan"),
    "公羊传": ("gong", "yang", "zhuan"),
    "公羊傳": ("gong", "yang", "zhuan"),
    "穀梁": ("gu", "liang"),
    "谷梁": ("gu", "liang"),
    "龟兹": ("qiu", "ci"),
    "龜茲": ("qiu", "ci"),
    "单于": ("chan", "yu"),
    "單于": ("chan", "yu"),
    "冒顿": ("mo", "du"),
    "冒頓": ("mo", "du"),
    "可汗": ("ke", "han"),
    "大宛": ("da", "yuan"),
    "月氏": ("yue", "zhi"),
    "阏氏": ("yan", "zhi"),
    "閼氏": ("yan", "zhi"),
    "番禺": ("pan", "yu"),
    "盱眙": ("xu", "yi"),
    "歙县": ("she", "xian"),
    "歙縣": ("she", "xian"),
    "重修": ("chong", "xiu"),
    "重刊": ("chong", "kan"),
    "重刻": ("chong", "ke"),
    "重校": ("chong", "jiao"),
    "校注": ("jiao", "zhu"),
    "校勘": ("jiao", "kan"),
    "行状": ("xing", "zhuang"),
    "行狀": ("xing", "zhuang"),
    "度支": ("duo", "zhi"),
    "率更": ("lv", "geng"),
}
_PHRASE: Final = re.compile("|".join(sorted(_PHRASES, key=len, reverse=True)))


def syllables(text: str) -> list[str]:
    """Return the pinyin of a text without tones, ü as v; other characters in runs as they are, in lower case."""
    return list(_syllables(text))


def _syllables(text: str) -> Iterator[str]:
    from pypinyin import lazy_pinyin  # noqa: PLC0415 - large, and only building a segment needs it

    start = 0
    for match in _PHRASE.finditer(text):
        yield from _words(lazy_pinyin(text[start : match.start()]))
        yield from _PHRASES[match[0]]
        start = match.end()
    yield from _words(lazy_pinyin(text[start:]))


def _words(found: list[str]) -> Iterator[str]:
    for each in found:
        if word := "".join(character for character in each.casefold() if character.isalnum()):
            yield word
