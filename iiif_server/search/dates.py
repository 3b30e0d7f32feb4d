"""Dates as readers and cataloguers write them, as years, and the dynasty of a date. (pure)

`repository/model/reign_years.py` reads reign years; here are plain years and centuries besides. Years are in
astronomical numbering: 0 is 1 BCE.
"""

from __future__ import annotations

import re
from typing import Final

from repository.model.reign_years import Years, find_reign_dates, reign_years

DYNASTIES: Final = (
    ("先秦", -2100, -221),
    ("秦", -220, -206),
    ("汉", -205, 220),
    ("魏晋", 221, 419),
    ("南北朝", 420, 589),
    ("隋", 590, 617),
    ("唐", 618, 906),
    ("五代", 907, 959),
    ("宋", 960, 1276),
    ("元", 1277, 1367),
    ("明", 1368, 1643),
    ("清", 1644, 1911),
    ("民国", 1912, 1949),
)
"""The dynasties of the facet, each with the years of a work that only its year assigns to it."""

_NAMES: Final = {
    **dict.fromkeys(("西漢", "東漢", "新", "玄漢"), "汉"),
    **dict.fromkeys(("西晉", "東晉", "曹魏", "魏", "蜀", "吳"), "魏晋"),
    **dict.fromkeys(("北宋", "南宋"), "宋"),
    **dict.fromkeys(("後梁", "後唐", "後晉", "後漢", "後周"), "五代"),
    "武周": "唐",
    "遼": "辽",
    "金": "金",
    "民國": "民国",
    "隋": "隋",
    "唐": "唐",
    "元": "元",
    "明": "明",
    "清": "清",
}
_PLAIN: Final = re.compile(r"\s*(-?\d{1,4})\s*年?\s*(?:[-–—~～至/]+\s*(-?\d{1,4})\s*年?\s*)?")
_YEAR: Final = re.compile(r"(?<!\d)(1\d{3}|20\d\d)(?!\d)")
_CENTURY: Final = re.compile(r"(?<!\d)(\d{1,2})\s*世[纪紀]")


def read_years(text: str) -> Years | None:
    """Return the years of a date: ``1607``, ``1573-1620``, 萬曆三十五年, 明万历, 17世纪, 清. None for anything else."""
    if plain := _PLAIN.fullmatch(text):
        first = int(plain[1])
        last = int(plain[2]) if plain[2] else first
        return Years(min(first, last), max(first, last))
    if reign := reign_years(text):
        return reign
    years = [int(year) for year in _YEAR.findall(text)]
    if years:
        return Years(min(years), max(years))
    centuries = [int(number) for number in _CENTURY.findall(text)]
    return Years(100 * min(centuries) - 99, 100 * max(centuries)) if centuries else None


def dynasty_of(text: str, years: Years | None) -> str | None:
    """Return the dynasty of a date: that of the last reign that it names, else the one of the middle of its years."""
    named = [_NAMES.get(date.reign.dynasty) for date in find_reign_dates(text) if date.reign]
    if named and named[-1]:
        return named[-1]
    if years is None:
        return None
    # A dynasty's own last year is the first of the next one: 明 ends in 1644.
    middle = (years.first + years.last) // 2
    return next((name for name, first, last in DYNASTIES if first <= middle <= last), None)
