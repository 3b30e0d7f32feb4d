"""Parses whole numbers in requests, headers and files that others wrote. (pure)"""

from __future__ import annotations

from typing import Final

LARGEST_NUMBER: Final = (1 << 63) - 1
"""The largest number of a column of a database, and of a log by C2SP tlog-checkpoint."""

_MOST_DIGITS: Final = 24
"""Digits that are read at the most, zeros before the number included."""


def parse_whole_number(text: str, most: int, least: int = 0) -> int | None:
    """Return the number that the digits 0 to 9 write, from `least` to `most`; None for anything else."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        return None
    number = int(text)
    return number if least <= number <= most else None
