"""Numbers and times for people: grouped digits, decimal units, times relative to now. (pure)"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from repository.localized import LocalizedText

_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_SPANS: Final = (
    (86_400, LocalizedText("{count} 天", "{count} d")),
    (3600, LocalizedText("{count} 小时", "{count} h")),
    (60, LocalizedText("{count} 分钟", "{count} min")),
    (1, LocalizedText("{count} 秒", "{count} s")),
)


def grouped(count: int) -> str:
    """Return a number with its digits in groups of three."""
    return f"{count:,}"


def byte_size(count: int) -> str:
    """Return a number of bytes in decimal units, with four digits at most."""
    size, unit = float(count), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size /= 1000
        unit += 1
    return f"{size:.4g} {_UNITS[unit]}"


def percent(done: int, total: int) -> int:
    """Return the share of `total` that is done, rounded down, so that 100 means all of it."""
    return 100 * done // total if total else 0


def relative_time(time: str, now: datetime) -> LocalizedText:
    """Return how long before or after `now` an RFC 3339 time is; empty text for ''."""
    if not time:
        return LocalizedText("", "")
    seconds = (now - datetime.fromisoformat(time)).total_seconds()
    if abs(seconds) < 1:
        return LocalizedText("现在", "now")
    span = _span(abs(seconds))
    if seconds > 0:
        return LocalizedText(f"{span.zh}前", f"{span.en} ago")
    return LocalizedText(f"{span.zh}后", f"in {span.en}")


def _span(seconds: float) -> LocalizedText:
    size, text = next((size, text) for size, text in _SPANS if seconds >= size)
    return text.format(count=int(seconds // size))
