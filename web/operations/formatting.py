"""Figures as people read them: grouped digits, decimal units, times as distances. (pure)"""

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
    """A number with its digits in groups of three."""
    return f"{count:,}"


def bytes_words(count: int) -> str:
    """Bytes in decimal units, four digits at most."""
    size, unit = float(count), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size /= 1000
        unit += 1
    return f"{size:.4g} {_UNITS[unit]}"


def percent(done: int, total: int) -> int:
    """How much of `total` is done, rounded down, so that 100 means all of it."""
    return 100 * done // total if total else 0


def distance(time: str, now: datetime) -> LocalizedText:
    """How long ago a time (RFC 3339) was, or how long from `now` it will be; '' stays ''."""
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
    size, words = next((size, words) for size, words in _SPANS if seconds >= size)
    return words.format(count=int(seconds // size))
