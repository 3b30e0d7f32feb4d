"""When files are due for their next check. (pure)

Every unit of files has a day of its own in the period, given by a digest of its name. It is due on that day of every
period, so what was ingested or checked on one day is spread evenly over the next period, and nothing is checked later
than one period after its last check. Days are counted since 1970 in UTC.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Final

from repository.whole_numbers import parse_whole_number

COLD_DAYS: Final = 365
"""The period for stores that are marked as cold."""

_DAY_SECONDS: Final = 86_400
_GRACE: Final = 10
"""A file is late when it has been due for more than this part of its period."""


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours of the day in which checks may run: from `start` to before `end`, across midnight if `end` is less."""

    start: int = 0
    end: int = 24

    def include(self, moment: time) -> bool:
        """Return whether checks may run at a local time of day."""
        if self.start < self.end:
            return self.start <= moment.hour < self.end
        return moment.hour >= self.start or moment.hour < self.end

    @property
    def share(self) -> float:
        """The share of the day in which checks may run."""
        return ((self.end - self.start) % 24 or 24) / 24


def parse_hours(text: str) -> Hours | None:
    """Parse hours like ``22-6``; '' is the whole day. Return None for anything else."""
    if not text:
        return Hours()
    start, _, end = (parse_whole_number(part.strip(), 24) for part in text.partition("-"))
    return None if start is None or end is None else Hours(start % 24, end)


def next_due(name: str, checked: int, period: int) -> int:
    """Return the day on which a unit is due that was checked on the day `checked`: at most `period` days later.

    `name` tells the unit from all others.
    """
    phase = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % period
    return checked + period - (checked + period - phase) % period


def late_before(today: int, period: int) -> int:
    """Return the day before which what was due is late on the day `today`."""
    return today - max(1, period // _GRACE)


def needed_rate(stored: int, period: int, hours: Hours) -> int:
    """Return the bytes a second that must be read to check `stored` bytes in every period."""
    return -(-stored // max(1, int(period * _DAY_SECONDS * hours.share)))


def seconds_until_all_checked(due: Sequence[int], rate: int, hours: Hours) -> int:
    """Return the seconds until everything stored now will have been checked, and checked again if it was before.

    `due` has the bytes due now, and on each of the days to come of the longest period. What is due now has days of its
    own in that period too, on which it is due again. `rate` is in bytes a second, during `hours`, and is enough for
    every period.
    """
    day = rate * _DAY_SECONDS * hours.share
    again = due[0] / max(1, len(due) - 1)
    waiting = days = 0.0
    for passed, size in enumerate(due):
        waiting += size + (again if passed else 0)
        if size:
            days = passed + waiting / day
        waiting = max(0.0, waiting - day)
    return int(_DAY_SECONDS * days)


def local_time(moment: datetime) -> time:
    """Return the time of day of a moment in the time zone of this machine."""
    return moment.astimezone().time()
