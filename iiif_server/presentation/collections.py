"""The collection of all works, divided by the time of accession. (pure)

A period is a prefix of an RFC 3339 time in UTC, from all time down to a minute::

    top  >  2026  >  2026-01  >  2026-01-31  >  2026-01-31t08  >  2026-01-31t08-59

A work's period follows from the time of its accession alone, which never changes, so no other work moves it. A period
of more than `MOST` works is divided, except a minute: the speed of ingest limits the number of works in a minute.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from repository.localized import LocalizedText

MOST: Final = 500
"""The largest number of works in a period that is not divided."""

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
    """The works whose time of accession begins with `prefix`. Raises `ValueError` for what cannot begin a time."""

    prefix: str

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError(f"not a period of time: {self.prefix!r}")

    @property
    def name(self) -> str:
        """The name of its collection in URLs."""
        return self.prefix.lower().replace(":", "-") or _TOP

    @property
    def start(self) -> str:
        """A time not later than any in the period, in the form of all times, so that any collation orders it."""
        return self.prefix + _FIRST[len(self.prefix) :]

    @property
    def end(self) -> str:
        """A time after all in the period and not after any later one, in the same form."""
        return self.prefix + _END[len(self.prefix) :]

    @property
    def is_smallest(self) -> bool:
        """Whether the period is a minute, which is never divided."""
        return len(self.prefix) == _LENGTHS[-1]

    @property
    def whole(self) -> AccessionPeriod | None:
        """The period that has this one as a division; None for all works."""
        return AccessionPeriod(self.prefix[: _LENGTHS[_LENGTHS.index(len(self.prefix)) - 1]]) if self.prefix else None

    def division(self, accessioned: str) -> AccessionPeriod:
        """Return the division with a time of this period. Must not be called for the smallest period."""
        return AccessionPeriod(accessioned[: _LENGTHS[_LENGTHS.index(len(self.prefix)) + 1]])

    def contains(self, other: AccessionPeriod) -> bool:
        """Return whether the other period is this one or a part of it."""
        return other.prefix.startswith(self.prefix)

    @property
    def label(self) -> LocalizedText:
        """The label of its collection."""
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
    """Return the minute of a time of accession. Raises `ValueError` for another form of time."""
    return AccessionPeriod(accessioned[: _LENGTHS[-1]])


def period_named(name: str) -> AccessionPeriod | None:
    """Return the period of a name, or None: the inverse of `AccessionPeriod.name`."""
    if name == _TOP:
        return ALL
    if not _NAME.fullmatch(name):
        return None
    date, _, time = name.partition("t")
    return AccessionPeriod(f"{date}T{time.replace('-', ':')}" if time else date)
