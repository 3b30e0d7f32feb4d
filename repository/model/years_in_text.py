"""The years that any statement of a date means: reign years, years of the common era, centuries. (pure)

Understood are 1782, [1782], c. 1782, 1736-1795, 178-, 17uu (MARC), 1782-05-01, 18th century, 十八世紀, and what
`reign_years` reads. Where a statement gives a Chinese year and a year of the common era, as in 光緒三年 [1877], the two
must overlap, and the narrower one counts; where they contradict each other, both bound the years.
"""

from __future__ import annotations

import re
from typing import Final

from repository.model.numerals import read_numeral
from repository.model.reign_years import Years, reign_years

LATEST_YEAR: Final = 2100

_DIGITS: Final = str.maketrans("０１２３４５６７８９－～", "0123456789-~")
_RANGE: Final = re.compile(r"(?<!\d)(\d{3,4})\s*年?\s*(?:-|–|—|~|/|至|to)\s*(\d{2,4})(?!\d)")
_YEAR: Final = re.compile(r"(?<!\d)(\d{4})(?!\d)")
_OPEN_YEAR: Final = re.compile(r"(?<!\d)(\d{2})(\d|[-?u])[-?u](?!\d)")
_CENTURY: Final = re.compile(
    r"(?<!\d)(\d{1,2})(?:st|nd|rd|th)\s+c(?:ent(?:ury|\.)?|\.)|(\d{1,2}|[一二三四五六七八九十]{1,3})世[紀纪]"
)
_ISO: Final = re.compile(r"(?<!\d)(\d{4})-(?:0[1-9]|1[0-2])(?:-\d\d)?(?!\d)")


def years_in(text: str) -> Years | None:
    """Return the years that a statement of a date means; None if it states none."""
    plain = text.translate(_DIGITS)
    reign, common = reign_years(plain), _common_years(plain)
    if reign is None or common is None:
        return reign or common
    first, last = max(reign.first, common.first), min(reign.last, common.last)
    if first <= last:
        return Years(first, last)
    return Years(min(reign.first, common.first), max(reign.last, common.last))


def _common_years(text: str) -> Years | None:
    lowered = text.lower()
    if match := _ISO.search(lowered):
        return _years(int(match[1]), int(match[1]))
    if match := _RANGE.search(lowered):
        first, end = match.groups()
        return _years(int(first), int(first[: len(first) - len(end)] + end))
    if found := [int(year) for year in _YEAR.findall(lowered)]:
        return _years(min(found), max(found))
    if match := _OPEN_YEAR.search(lowered):
        is_decade = match[2].isdecimal()
        start = int(match[1] + match[2]) * 10 if is_decade else int(match[1]) * 100
        return _years(start, start + (9 if is_decade else 99))
    if match := _CENTURY.search(lowered):
        number = int(match[1] or 0) or _number(match[2])
        return _years(number * 100 - 99, number * 100)
    return None


def _number(digits: str) -> int:
    return int(digits) if digits.isdecimal() else read_numeral(digits).numbers[0]


def _years(first: int, last: int) -> Years | None:
    return Years(first, last) if 0 < first <= last <= LATEST_YEAR else None
