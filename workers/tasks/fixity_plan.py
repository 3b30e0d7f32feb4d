"""The plan of fixity checks: what is stored, due and late, the rate that is needed, and when all is checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from preservation.fixity.cadence import late_before, needed_rate, seconds_until_all_checked
from preservation.fixity.period import period_days
from repository.database.fixity_values import ClassTotals, day_of
from repository.repository import Repository
from workers.tasks.fixity_settings import checking_hours, stores_of
from workers.tasks.jobs import ALL, DUE, SCHEDULED

_LEAST_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class FixityPlan:
    """What is to be checked in all stores: numbers of files, and bytes.

    `bytes_per_second` must be read, on average over the hours of checks, to check everything in its period. `ends` is
    when everything stored now will have been checked again, None if the rate that the settings allow or that the last
    sweeps reached is lower than that, or if nothing is stored.
    """

    files: int
    bytes: int
    due: int
    late: int
    bytes_per_second: int
    ends: datetime | None


def totals_of(repository: Repository, stores: Sequence[str]) -> list[ClassTotals]:
    """Return the totals of every class in each of `stores`, as of now. Raises `DatabaseFault`."""
    today = day_of(repository.clock())
    return [
        totals
        for store in stores
        for totals in repository.fixity.totals(
            [store], today, late_before(today, period_days(repository.settings, store))
        )
    ]


def files_to_check(repository: Repository, store: str, scope: str) -> int:
    """Return how many files a sweep of this scope has to check, as far as they are recorded. Raises `DatabaseFault`."""
    if scope not in {ALL, DUE, SCHEDULED}:
        return sum(unit.files for unit in repository.fixity.units_of_work(scope, store))
    return sum(each.files if scope == ALL else each.due for each in totals_of(repository, [store]))


def read_plan(repository: Repository) -> FixityPlan:
    """Return the plan for all stores. Raises `SettingInvalid`, `DatabaseFault`."""
    stores, now, hours = stores_of(repository), repository.clock(), checking_hours(repository.settings)
    totals = totals_of(repository, stores)
    stored = Counter(dict.fromkeys(stores, 0))
    for each in totals:
        stored[each.store] += each.bytes
    needed = sum(needed_rate(size, period_days(repository.settings, store), hours) for store, size in stored.items())
    rate = repository.settings.fixity_limit or _measured_rate(repository, stores) or needed
    is_possible = 0 < needed <= rate
    seconds = seconds_until_all_checked(_due_bytes(repository, stores), rate, hours) if is_possible else None
    return FixityPlan(
        files=sum(each.files for each in totals),
        bytes=sum(each.bytes for each in totals),
        due=sum(each.due for each in totals),
        late=sum(each.late for each in totals),
        bytes_per_second=needed,
        ends=None if seconds is None else now + timedelta(seconds=seconds),
    )


def _due_bytes(repository: Repository, stores: Sequence[str]) -> list[int]:
    """Return the bytes due now, and on each day of the longest period."""
    today = day_of(repository.clock())
    days = max(period_days(repository.settings, store) for store in stores) + 1
    due = [0] * days
    for day, _, size in repository.fixity.due_by_day(stores, today + days):
        due[max(0, day - today)] += size
    return due


def _measured_rate(repository: Repository, stores: Sequence[str]) -> int:
    """Return the bytes a second that the last sweeps read; 0 before the first one."""
    size, seconds = 0, 0.0
    for sweep in filter(None, map(repository.sweeps.last_ended, stores)):
        size += sweep.bytes
        begun, ended = (datetime.fromisoformat(time) for time in (sweep.started, sweep.ended or sweep.started))
        seconds += max(_LEAST_SECONDS, (ended - begun).total_seconds())
    return int(size / seconds) if seconds else 0
