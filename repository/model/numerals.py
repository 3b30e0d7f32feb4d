"""Numbers in Chinese numerals, as volumes and leaves are numbered: 三, 十二, 廿三, 一百零三, 一〇三, 貳拾. (pure)

A number is written with units (百, 十) or by place (一〇三). 百三 is 103 and 百三十 is 130, as in the juan numbers of
old books. 廿, 卅 and 卌 are 20, 30 and 40.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_DIGITS: Final = {
    character: value
    for value, characters in enumerate(
        ("〇零○", "一壹弌壱", "二貳贰弍弐兩两", "三叁參叄参弎", "四肆", "五伍", "六陸陆", "七柒", "八捌", "九玖")
    )
    for character in characters
}
_TENS: Final = {"廿": 2, "卄": 2, "卅": 3, "丗": 3, "卌": 4}
_UNITS: Final = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_PLAIN: Final = "一二三四五六七八九"

_DIGIT: Final = f"[{''.join(_DIGITS)}]"
_UNIT: Final = f"[{''.join((*_UNITS, *_TENS))}]"
_NON_ZERO: Final = f"[{''.join(character for character, value in _DIGITS.items() if value)}]"
_WITH_UNITS: Final = re.compile(
    f"(?:({_NON_ZERO})?([千仟]))?[零〇]?(?:({_NON_ZERO})?([百佰]))?[零〇]?"
    f"(?:({_NON_ZERO})?([十拾])|([{''.join(_TENS)}]))?(?:有(?={_NON_ZERO})|[零〇](?={_NON_ZERO}))?({_NON_ZERO})?"
)

RUN: Final = re.compile(f"(?:{_DIGIT}|{_UNIT})(?:{_DIGIT}|{_UNIT}|(?<={_UNIT})有(?={_DIGIT}))*")
"""A longest run of numerals."""


@dataclass(frozen=True, slots=True)
class Numeral:
    """The numbers that a run of numerals writes.

    `numbers` are usually one; 二十三二十四 writes two. `listed` is not empty if the run may also list its digits, as
    卷三四 (juan 3 and 4) does: 三四 is 34, or 3 and 4.
    """

    numbers: tuple[int, ...]
    listed: tuple[int, ...] = ()


def read_numeral(run: str) -> Numeral:
    """Return the numbers that a run of numerals, a match of `RUN`, writes."""
    if is_by_place(run):
        digits = tuple(_DIGITS[character] for character in run)
        is_list = len(run) > 1 and 0 not in digits and all(after == before + 1 for before, after in pairwise(digits))
        return Numeral((int("".join(map(str, digits))),), digits if is_list else ())
    return Numeral(tuple(_read_with_units(run)))


def is_by_place(run: str) -> bool:
    """Return whether a run has digits alone and no unit: 一〇三."""
    return all(character in _DIGITS for character in run)


def write_numeral(number: int) -> str:
    """Return a number from 1 to 99 in Chinese numerals, and any other in digits."""
    if not 0 < number < 100:
        return str(number)
    tens, units = divmod(number, 10)
    head = ("" if tens == 1 else _PLAIN[tens - 1]) + "十" if tens else ""
    return head + (_PLAIN[units - 1] if units else "")


def _read_with_units(run: str) -> Iterator[int]:
    """Yield the numbers of a run in which units occur; each is as long as possible."""
    position = 0
    while position < len(run):
        match = _WITH_UNITS.match(run, position)
        if match is None or match.end() == position:  # a zero, or 有, that belongs to no number
            position += 1
            continue
        yield _value(match)
        position = match.end()


def _value(match: re.Match[str]) -> int:
    thousand, has_thousand, hundred, has_hundred, ten, has_ten, tens, unit = match.groups()
    total = _DIGITS[unit] if unit else 0
    for digit, name in ((thousand, has_thousand), (hundred, has_hundred), (ten, has_ten)):
        total += (_DIGITS[digit] if digit else 1) * _UNITS[name] if name else 0
    return total + 10 * _TENS[tens] if tens else total
