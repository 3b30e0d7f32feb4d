"""How the holdings grew, and when they would reach one petabyte. (pure)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from preservation.reporting.report import PreservationReport, ReportedGroup

PETABYTE: Final = 10**15
"""The size that the repository is designed for, in bytes."""

MONTHS: Final = 12
"""The months whose growth the forecast continues."""

_FARTHEST: Final = 9999


@dataclass(frozen=True, slots=True)
class GrowthMonth:
    """A month (ISO 8601) with what was added in it, and all that was held at its end."""

    month: str
    works: int
    bytes: int
    total: int


@dataclass(frozen=True, slots=True)
class GrowthForecast:
    """The bytes added a year at the rate of the last months, and the year of the petabyte; None if never so."""

    bytes_per_year: int
    year: int | None


def growth_of(report: PreservationReport) -> tuple[GrowthMonth, ...]:
    """Return the growth in every month from the first accession to the report's, months without growth included."""
    added = {group.name: group for group in report.months}
    if not added:
        return ()
    months, total = [], 0
    for month in _months(min(added), max(report.at[:7], *added)):
        group = added.get(month, ReportedGroup(month, 0, 0, 0))
        total += group.bytes
        months.append(GrowthMonth(month, group.works, group.bytes, total))
    return tuple(months)


def forecast_of(report: PreservationReport) -> GrowthForecast:
    """Return the forecast by the growth of the last `MONTHS` calendar months, or since the first accession."""
    months = growth_of(report)[-MONTHS:]
    if not months:
        return GrowthForecast(0, None)
    at = datetime.fromisoformat(report.at).date()
    days = max(30, (at - date.fromisoformat(f"{months[0].month}-01")).days)
    rate = sum(month.bytes for month in months) * 365 // days
    if rate <= 0:
        return GrowthForecast(0, None)
    years = max(0, PETABYTE - report.bytes) // rate
    return GrowthForecast(rate, at.year + years if at.year + years <= _FARTHEST else None)


def check_rate(sweeps: Sequence[tuple[str, str, int]]) -> int:
    """Return the bytes a second that sweeps checked, each with its start, end and bytes; 0 if none took time."""
    seconds = sum(_seconds(start, end) for start, end, _ in sweeps)
    return int(sum(size for _, _, size in sweeps) / seconds) if seconds else 0


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _months(first: str, last: str) -> list[str]:
    start, end = (12 * int(month[:4]) + int(month[5:7]) - 1 for month in (first, last))
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in range(start, end + 1)]
