"""What a value of a catalogue record may be: dates, languages, addresses. (pure)

Each check returns None for a good value, and otherwise what is wrong with it, for a librarian.
"""

from __future__ import annotations

import re
from calendar import monthrange
from typing import Final
from urllib.parse import urlsplit

from repository.localized import LocalizedText

_MACHINE_DATE: Final = re.compile(r"(-?\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)
_DATE_LIKE: Final = re.compile(r"-?\d{4,}([-/.]\d{1,2}){0,2}", re.ASCII)

# RFC 5646, section 2.1: langtag and privateuse; the irregular tags of its grandfathered list are not taken.
_LANGUAGE: Final = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4}|[a-z]{5,8})"
    r"(?:-[a-z]{4})?(?:-(?:[a-z]{2}|\d{3}))?(?:-(?:[a-z0-9]{5,8}|\d[a-z0-9]{3}))*"
    r"(?:-[a-wyz0-9](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?"
    r"|x(?:-[a-z0-9]{1,8})+",
    re.ASCII | re.IGNORECASE,
)

_URI: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", re.ASCII)


def looks_like_date(text: str) -> bool:
    """Whether a date as catalogued is written as a machine date would be, and must then be a good one."""
    return _DATE_LIKE.fullmatch(text) is not None


def check_date(text: str) -> LocalizedText | None:
    """A machine date: year, year-month or day (ISO 8601), with a leading ``-`` for years before the common era."""
    if _bounds(text) is None:
        return LocalizedText(
            f"“{text}”不是有效日期；请写作 1590、1590-03 或 1590-03-15",
            f'"{text}" is not a date; write 1590, 1590-03 or 1590-03-15',
        )
    return None


def check_order(earliest: str, latest: str) -> LocalizedText | None:
    """That the first of two good machine dates is not after the second."""
    early, late = _bounds(earliest), _bounds(latest)
    if early and late and early[0] > late[1]:
        return LocalizedText(
            f"最早 {earliest} 晚于最晚 {latest}", f"the earliest, {earliest}, is after the latest, {latest}"
        )
    return None


def check_language(tag: str) -> LocalizedText | None:
    """A language tag well formed by BCP 47 (RFC 5646)."""
    if _LANGUAGE.fullmatch(tag) is None:
        return LocalizedText(
            f"“{tag}”不是 BCP 47 语言标记；例如 zh-Hant、lzh、ja",
            f'"{tag}" is not a BCP 47 language tag; such are zh-Hant, lzh, ja',
        )
    return None


def check_uri(uri: str) -> LocalizedText | None:
    """An absolute http or https URI (RFC 3986), as IIIF Presentation 3.0 asks of `rights`."""
    if _URI.fullmatch(uri) and _has_host(uri):
        return None
    return LocalizedText(
        f"“{uri}”不是完整的 http(s) 网址；例如 http://rightsstatements.org/vocab/NoC-NC/1.0/",
        f'"{uri}" is not an absolute http(s) URI; such is http://rightsstatements.org/vocab/NoC-NC/1.0/',
    )


def _has_host(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


def _bounds(text: str) -> tuple[tuple[int, int, int], tuple[int, int, int]] | None:
    """The first and the last day of a machine date; None when it is none."""
    match = _MACHINE_DATE.fullmatch(text)
    if match is None or text.startswith("-0000"):
        return None
    year, month, day = (int(part) if part else 0 for part in match.groups())
    if not match[2]:
        return (year, 1, 1), (year, 12, 31)
    if not 1 <= month <= 12:
        return None
    # The Gregorian calendar repeats after 400 years, and `monthrange` knows no year before 1.
    days = monthrange(2000 + year % 400, month)[1]
    if not match[3]:
        return (year, month, 1), (year, month, days)
    return ((year, month, day), (year, month, day)) if 1 <= day <= days else None
