"""Dates by reign years (年号): 乾隆四十七年, 光緒丁丑, 明萬曆間, 清初, 民國廿五年, as years of the common era. (pure)

`reign_table` has the names. Characters are read alike in traditional, simplified and Japanese form. A year is an
integer in astronomical numbering, as in ISO 8601: 0 is 1 BCE. A Chinese year is given as the year of the common era in
which most of it lies; months and days are not converted.

A name that several dynasties used is read as that of the dynasty before it in the text. Without one the reading is the
likeliest for a book: Ming, Qing and the Republic first, then Tang to Yuan, then other dynasties, then Japan; equally
likely readings all count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from repository.model.numerals import read_numeral, write_numeral
from repository.model.reign_table import ALIASES, DYNASTIES, FOLDED, REIGNS, SPANS

STEMS: Final = "甲乙丙丁戊己庚辛壬癸"
BRANCHES: Final = "子丑寅卯辰巳午未申酉戌亥"
_CYCLE: Final = 60
_CYCLE_YEAR: Final = 4
"""4 CE is the first year of a cycle, 甲子."""

_FOLD: Final = {ord(pair[0]): pair[1] for pair in FOLDED.split()}
_RANKS: Final = (("明", "清", "民國"), ("唐", "北宋", "南宋", "遼", "金", "元", "西漢", "東漢", "隋", "西晉", "東晉"))
_JAPAN: Final = "日本"
_CLEAR: Final = ("漢", "晉", "隋", "唐", "宋", "遼", "金", "元", "明", "清")
"""The dynasties of one character that mean themselves without 朝 or 代 after them."""

_MAKING: Final = tuple("刻刊抄鈔寫拓印")
"""Words of how a book was made, before which stands when."""

_NUMBER: Final = r"元|正|[〇零一二三四五六七八九十廿卅百壹貳參肆伍陸柒捌玖拾]{1,6}|[0-9０-９]{1,2}"
_AFTER: Final = r"(?=$|[\s〕〗】\]）)〉,，.。;；:：、刻刊抄鈔寫稿拓印本木活鉛石影內坊官家精補修遞遺末初中晚至])"


@dataclass(frozen=True, slots=True)
class Years:
    """The first and the last year of a date, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Reign:
    """A reign name with its dynasty, its first and last year; `number` is that of its first year, usually 1."""

    name: str
    dynasty: str
    years: Years
    number: int = 1


@dataclass(frozen=True, slots=True)
class ReignDate:
    """A date at `start` to `end` of a text: its years, and the reign, None for a dynasty or a part of one."""

    start: int
    end: int
    years: Years
    reign: Reign | None = None


@dataclass(frozen=True, slots=True)
class _Tables:
    """The tables parsed: reigns by each way to write their names, dynasties by each name, spans, and the pattern."""

    reigns: dict[str, tuple[Reign, ...]]
    dynasties: dict[str, tuple[str, ...]]
    spans: dict[str, Years]
    pattern: re.Pattern[str]


def fold(text: str) -> str:
    """Return a text with its characters in the form of the table; it has as many characters as before."""
    return text.translate(_FOLD)


def iso_year(year: int) -> str:
    """Return a year as ISO 8601 writes it, with four digits: 1782, 0618, -0139."""
    return f"{'-' if year < 0 else ''}{abs(year):04d}"


def sexagenary(year: int) -> str:
    """Return the name of a year in the cycle of sixty: 1782 is 壬寅."""
    place = (year - _CYCLE_YEAR) % _CYCLE
    return STEMS[place % 10] + BRANCHES[place % 12]


def reigns_named(name: str) -> tuple[Reign, ...]:
    """Return the reigns of a name, in any form of its characters, the likeliest for a book first."""
    return tuple(sorted(_tables().reigns.get(fold(name), ()), key=_rank))


def reigns_of(year: int) -> tuple[str, ...]:
    """Return how Chinese dynasties, then Japan, name a year of the common era: 1782 is 清乾隆四十七年."""
    found = {reign: None for reigns in _tables().reigns.values() for reign in reigns if _holds(reign.years, year)}
    return tuple(_named(reign, year) for reign in sorted(found, key=_rank))


def reign_years(text: str) -> Years | None:
    """Return the years in which what a text dates was made, or None.

    Of several dates, as in 明萬曆刻清康熙修補本, the earliest and the latest bound the years. Of a reproduction (影印),
    the latest date is its own.
    """
    dates = find_reign_dates(text)
    if not dates:
        return None
    if re.search("影印|縮印|影照", fold(text)):
        return max((date.years for date in dates), key=lambda years: (years.last, years.first))
    return Years(min(date.years.first for date in dates), max(date.years.last for date in dates))


def find_reign_dates(text: str) -> tuple[ReignDate, ...]:
    """Return the dates in a text, in its order, without dynasties that a date of the same text makes more precise."""
    folded = fold(text)
    found = [date for match in _tables().pattern.finditer(folded) if (date := _read(match))]
    precise = [date.years for date in found if date.reign]
    return tuple(date for date in found if date.reign or not any(_within(years, date.years) for years in precise))


def _within(inner: Years, outer: Years) -> bool:
    return outer.first <= inner.first and inner.last <= outer.last


def _holds(years: Years, year: int) -> bool:
    return years.first <= year <= years.last


def _rank(reign: Reign) -> tuple[int, int]:
    """Return how unlikely a reign is where a book names no dynasty, and its first year."""
    ranked = next((rank for rank, names in enumerate(_RANKS) if reign.dynasty in names), len(_RANKS))
    return (len(_RANKS) + 1 if reign.dynasty == _JAPAN else ranked), reign.years.first


def _named(reign: Reign, year: int) -> str:
    number = year - reign.years.first + reign.number
    dynasty = "" if reign.dynasty == reign.name else reign.dynasty
    return f"{dynasty}{reign.name}{'元' if number == 1 else write_numeral(number)}年"


def _read(match: re.Match[str]) -> ReignDate | None:
    """Return the date of a match of the pattern; None where the words are no date."""
    if span := match["span"]:
        return ReignDate(match.start(), match.end(), _tables().spans[span])
    if alone := match["alone"] or match["era"]:
        return ReignDate(match.start(), match.end(), _dynasty_years(alone))
    return _read_reign(match)


def _dynasty_years(name: str) -> Years:
    """Return the years of the likeliest dynasties of a name: 宋 is Northern and Southern Song, not Liu Song."""
    reigns = [Reign(dynasty, dynasty, _dynasties()[dynasty]) for dynasty in _tables().dynasties[name]]
    best = min(_rank(reign)[0] for reign in reigns)
    chosen = [reign.years for reign in reigns if _rank(reign)[0] == best]
    return Years(min(years.first for years in chosen), max(years.last for years in chosen))


def _read_reign(match: re.Match[str]) -> ReignDate | None:
    reigns = _tables().reigns[match["name"]]
    if dynasty := match["dynasty"]:
        own = [reign for reign in reigns if reign.dynasty in _tables().dynasties[dynasty]]
        reigns = tuple(own) or reigns
    dated = [(reign, years) for reign in reigns if (years := _years_in(reign, match))]
    if not dated or not (dynasty or _is_certain(match, dated)):
        return None
    best = min(_rank(reign)[0] for reign, _years in dated)
    chosen = [(reign, years) for reign, years in dated if _rank(reign)[0] == best]
    years = Years(min(years.first for _, years in chosen), max(years.last for _, years in chosen))
    return ReignDate(match.start(), match.end(), years, chosen[0][0])


def _is_certain(match: re.Match[str], dated: list[tuple[Reign, Years]]) -> bool:
    """Return whether a name without its dynasty is a date, and not a word such as 文化 or 太平."""
    after = match.string[match.end() : match.end() + 1]
    is_whole = match.group() == match.string.strip()
    if is_whole or after in _MAKING or match["number"] or match["cycle"] or match["vague"]:
        return True
    return any(_rank(reign)[0] == 0 for reign, _years in dated)


def _years_in(reign: Reign, match: re.Match[str]) -> Years | None:
    """Return the years of a reign that a match states; None if the reign has no such year."""
    if match["number"]:
        first = _year(reign, match["number"])
        last = _year(reign, match["until"]) if match["until"] else first
        possible = _holds(reign.years, first) and first <= last <= reign.years.last
        return Years(first, last) if possible else None
    if cycle := match["cycle"]:
        years = [year for year in range(reign.years.first, reign.years.last + 1) if sexagenary(year) == cycle]
        return Years(years[0], years[-1]) if years else None
    return reign.years


def _year(reign: Reign, number: str) -> int:
    value = 1 if number in {"元", "正"} else int(number) if number.isdecimal() else read_numeral(number).numbers[0]
    return reign.years.first + value - reign.number


@lru_cache(1)
def _tables() -> _Tables:
    reigns = _reigns()
    aliases: dict[str, list[str]] = {}
    for name, (_years, others) in _dynasty_lines().items():
        for other in others:
            aliases.setdefault(other, []).append(name)
    spans = dict(_spans())
    dynasties = {name: tuple(own) for name, own in aliases.items()}
    return _Tables(reigns, dynasties, spans, _pattern(reigns, dynasties, spans))


@lru_cache(1)
def _dynasties() -> dict[str, Years]:
    return {name: years for name, (years, _others) in _dynasty_lines().items()}


def _dynasty_lines() -> dict[str, tuple[Years, list[str]]]:
    lines = (line.split("|") for line in DYNASTIES.strip().splitlines())
    return {name: (Years(_number(first), _number(last)), names.split()) for name, names, first, last in lines}


def _reigns() -> dict[str, tuple[Reign, ...]]:
    """Return the reigns by every way to write their names."""
    named: dict[str, list[Reign]] = {}
    for line in REIGNS.strip().splitlines():
        dynasty, _, rest = line.partition(": ")
        words = rest.split()
        for name, years in zip(words[::2], words[1::2], strict=True):
            span, _, number = years.partition("/")
            first, last = (_number(word) for word in span.split("-"))
            named.setdefault(name, []).append(Reign(name, dynasty, Years(first, last), int(number or 1)))
    for alias, _, name in (pair.partition("=") for pair in ALIASES.split()):
        named[alias] = [*named.get(alias, ()), *named[name]]
    return {name: tuple(reigns) for name, reigns in named.items()}


def _spans() -> Iterator[tuple[str, Years]]:
    words = SPANS.split()
    for name, span in zip(words[::2], words[1::2], strict=True):
        first, last = span.split("-")
        yield name, Years(int(first), int(last))


def _number(word: str) -> int:
    """Return a year of the table: 前140 is -139, because there is a year 0 in astronomical numbering."""
    return 1 - int(word[1:]) if word.startswith("前") else int(word)


def _pattern(reigns: Iterable[str], dynasties: Iterable[str], spans: Iterable[str]) -> re.Pattern[str]:
    reign, dynasty = _choice(reigns), _choice(dynasties)
    clear = _choice(name for name in dynasties if len(name) > 1 or name in _CLEAR)
    return re.compile(
        rf"(?:(?P<dynasty>{dynasty})[〕〗】\]）)\s]*[朝代]?\s*(?:\w[宗祖])?\s*)?(?P<name>{reign})"
        rf"(?:\s*(?P<number>{_NUMBER})\s*[年載祀](?:\s*[至—–~～-]+\s*(?P<until>{_NUMBER})\s*年)?)?"
        rf"(?:[\s（(〔\[]*(?:歲次|歲在)?(?P<cycle>[{STEMS}][{BRANCHES}])年?)?(?P<vague>年間|年閒|間|閒|朝|初|末|中)?"
        rf"|(?P<span>{_choice(spans)})"
        rf"|(?P<era>{dynasty})(?:朝|代|時期|年間|間)"
        rf"|(?<!\w)(?P<alone>{clear}){_AFTER}"
    )


def _choice(names: Iterable[str]) -> str:
    """Return a pattern of the names, the longest first, so that 太平興國 is not read as 太平."""
    by_length = sorted(set(names), key=lambda name: (-len(name), name))
    return "|".join(map(re.escape, by_length))
