"""Checks values of a catalogue record: dates, language tags, addresses. (pure)

Each check returns None for a valid value, and otherwise a message for a librarian.
"""

from __future__ import annotations

import re
from calendar import monthrange
from typing import Final
from urllib.parse import urlsplit

from repository.localized import LocalizedText

_MACHINE_DATE: Final = re.compile(r"(-?\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)
_DATE_LIKE: Final = re.compile(r"-?\d{4,}([-/.]\d{1,2}){0,2}", re.ASCII)

# RFC 5646, section 2.1: langtag and privateuse. Grandfathered irregular tags are not accepted.
_LANGUAGE: Final = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4}|[a-z]{5,8})"
    r"(?:-[a-z]{4})?(?:-(?:[a-z]{2}|\d{3}))?(?:-(?:[a-z0-9]{5,8}|\d[a-z0-9]{3}))*"
    r"(?:-[a-wyz0-9](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?"
    r"|x(?:-[a-z0-9]{1,8})+",
    re.ASCII | re.IGNORECASE,
)

_URI: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", re.ASCII)


def looks_like_date(text: str) -> bool:
    """Return whether a date has the form of a machine date; it must then be a valid one."""
    return _DATE_LIKE.fullmatch(text) is not None


def check_date(text: str) -> LocalizedText | None:
    """Check a machine date: year, month or day (ISO 8601), with a leading ``-`` for years before the common era."""
    if _bounds(text) is None:
        return LocalizedText(
            f"“{text}”不是有效日期；请写作 1590、1590-03 或 1590-03-15",
            f'"{text}" is not a valid date; write 1590, 1590-03 or 1590-03-15',
        )
    return None


def check_order(earliest: str, latest: str) -> LocalizedText | None:
    """Check that the first of two valid machine dates is not after the second."""
    early, late = _bounds(earliest), _bounds(latest)
    if early and late and early[0] > late[1]:
        return LocalizedText(
            f"最早日期 {earliest} 晚于最晚日期 {latest}；请核对",
            f"the earliest date {earliest} is after the latest date {latest}; check them",
        )
    return None


def check_language(tag: str) -> LocalizedText | None:
    """Check that a language tag is well-formed (BCP 47, RFC 5646)."""
    if _LANGUAGE.fullmatch(tag) is None:
        return LocalizedText(
            f"“{tag}”不是 BCP 47 语言标签；正确的如 zh-Hant、lzh、ja",
            f'"{tag}" is not a BCP 47 language tag; examples: zh-Hant, lzh, ja',
        )
    return None


def check_uri(uri: str) -> LocalizedText | None:
    """Check an absolute http or https URI (RFC 3986), which IIIF Presentation API 3.0 requires for `rights`."""
    if _URI.fullmatch(uri) and _has_host(uri):
        return None
    return LocalizedText(
        f"“{uri}”不是完整的 http(s) 网址；正确的如 http://rightsstatements.org/vocab/NoC-NC/1.0/",
        f'"{uri}" is not an absolute http(s) URI; example: http://rightsstatements.org/vocab/NoC-NC/1.0/',
    )


def _has_host(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


def _bounds(text: str) -> tuple[tuple[int, int, int], tuple[int, int, int]] | None:
    """Return the first and last day of a machine date, or None if the text is not one."""
    match = _MACHINE_DATE.fullmatch(text)
    if match is None or text.startswith("-0000"):
        return None
    year, month, day = (int(part) if part else 0 for part in match.groups())
    if not match[2]:
        return (year, 1, 1), (year, 12, 31)
    if not 1 <= month <= 12:
        return None
    # The Gregorian calendar repeats every 400 years; `monthrange` accepts no year before 1.
    days = monthrange(2000 + year % 400, month)[1]
    if not match[3]:
        return (year, month, 1), (year, month, days)
    return ((year, month, day), (year, month, day)) if 1 <= day <= days else None
