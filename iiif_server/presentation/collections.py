"""The parts that the collection of all works is divided into: spans of the time in which works were accessioned. (pure)

A span is as long as a prefix of an RFC 3339 time in UTC, from everything to a minute::

    top  >  2026  >  2026-01  >  2026-01-31  >  2026-01-31t08  >  2026-01-31t08-59

Where a work stands follows from the time of its accession alone, which never changes: no other work moves it. A part is
divided when it holds more than `MOST` works, a minute never: how many works a minute holds is limited by how quickly
they can be taken in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from repository.localized import LocalizedText

MOST: Final = 500
"""Works in a part that is not divided."""

_FIRST: Final = "0000-00-00T00:00:00Z"
_END: Final = "9999-99-99T99:99:60Z"
_LENGTHS: Final = (0, 4, 7, 10, 13, 16)
_A_DAY: Final = 10
_AN_HOUR: Final = 13
_PREFIX: Final = re.compile(r"(?:\d{4}(?:-\d\d(?:-\d\d(?:T\d\d(?::\d\d)?)?)?)?)?", re.ASCII)
_NAME: Final = re.compile(r"\d{4}(?:-\d\d(?:-\d\d(?:t\d\d(?:-\d\d)?)?)?)?", re.ASCII)
_TOP: Final = "top"


@dataclass(frozen=True, slots=True)
class AccessionPeriod:
    """The works whose accession begins with `prefix`. Raises `ValueError` for what no such time begins with."""

    prefix: str

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError(f"no span of time: {self.prefix!r}")

    @property
    def name(self) -> str:
        """What its collection is called in addresses."""
        return self.prefix.lower().replace(":", "-") or _TOP

    @property
    def start(self) -> str:
        """Not after any time in it; of the form of all times, so that any collation puts it in the right order."""
        return self.prefix + _FIRST[len(self.prefix) :]

    @property
    def end(self) -> str:
        """After every time in it and not after any later one; of that form too."""
        return self.prefix + _END[len(self.prefix) :]

    @property
    def is_smallest(self) -> bool:
        """Whether it is never divided."""
        return len(self.prefix) == _LENGTHS[-1]

    @property
    def whole(self) -> AccessionPeriod | None:
        """What it is the next smaller part of; None for the collection of all works."""
        return AccessionPeriod(self.prefix[: _LENGTHS[_LENGTHS.index(len(self.prefix)) - 1]]) if self.prefix else None

    def division(self, accessioned: str) -> AccessionPeriod:
        """The next smaller part with this time, which is in this one. Not to be asked of the smallest."""
        return AccessionPeriod(accessioned[: _LENGTHS[_LENGTHS.index(len(self.prefix)) + 1]])

    def contains(self, other: AccessionPeriod) -> bool:
        """Whether it is the other or holds all of it."""
        return other.prefix.startswith(self.prefix)

    @property
    def label(self) -> LocalizedText:
        """What people call it."""
        if not self.prefix:
            return LocalizedText("馆藏善本", "Works held")
        numbers = [int(number) for number in re.split("[-T:]", self.prefix)]
        chinese = "".join(f"{number}{unit}" for number, unit in zip(numbers, "年月日时分", strict=False))
        english = self.prefix.replace("T", " ")
        if len(self.prefix) == _AN_HOUR:
            english += f":00–{english[-2:]}:59"
        if len(self.prefix) < _A_DAY:
            return LocalizedText(f"{chinese}入藏", f"Accessioned {english}")
        return LocalizedText(f"{chinese}入藏（世界时）", f"Accessioned {english} (UTC)")


ALL: Final = AccessionPeriod("")
"""The collection of all works."""


def smallest_period(accessioned: str) -> AccessionPeriod:
    """The part that a work accessioned at this time is always in. Raises `ValueError` for another form of time."""
    return AccessionPeriod(accessioned[: _LENGTHS[-1]])


def period_named(name: str) -> AccessionPeriod | None:
    """The inverse of `AccessionPeriod.name`; None when no part is called so."""
    if name == _TOP:
        return ALL
    if not _NAME.fullmatch(name):
        return None
    date, _, time = name.partition("t")
    return AccessionPeriod(f"{date}T{time.replace('-', ':')}" if time else date)
