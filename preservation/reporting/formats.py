"""The formats of masters and their versions in PRONOM, and which are at risk. (pure)

The identifiers (PUIDs) are those of PRONOM (https://www.nationalarchives.gov.uk/PRONOM/), the registry of The National
Archives. `workers/masters/puid.py` finds that of a master when it is ingested.

The risks are our own judgement, of 2026, by criteria of the Library of Congress (Sustainability of Digital Formats):
disclosure, adoption, self-documentation, external dependencies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from repository.localized import LocalizedText


class FormatRisk(StrEnum):
    """Whether masters in a format may stay as they are (low), or the format is to be watched."""

    LOW = "low"
    WATCH = "watch"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FormatFacts:
    """What is known of a format of masters: its name, its risk and the reason."""

    name: str
    risk: FormatRisk
    reason: LocalizedText


FORMATS: Final[Mapping[str, FormatFacts]] = MappingProxyType(
    {
        "image/tiff": FormatFacts(
            "TIFF",
            FormatRisk.LOW,
            LocalizedText("公开规范，文化机构普遍采用", "openly specified, and the master format of most libraries"),
        ),
        "image/jp2": FormatFacts(
            "JPEG 2000",
            FormatRisk.LOW,
            LocalizedText(
                "国际标准（ISO/IEC 15444），图书馆多用",
                "an international standard (ISO/IEC 15444) that libraries use",
            ),
        ),
        "image/j2c": FormatFacts(
            "JPEG 2000 codestream",
            FormatRisk.WATCH,
            LocalizedText(
                "裸码流不记录色彩空间与分辨率，日后难以确认原貌；宜改存 JP2",
                "a bare codestream records neither colour space nor resolution; prefer JP2",
            ),
        ),
        "image/jpeg": FormatFacts(
            "JPEG",
            FormatRisk.WATCH,
            LocalizedText(
                "使用极广，但属有损压缩；有无损原图的，应以无损原图送存",
                "used everywhere, but lossy: deposit lossless masters where they exist",
            ),
        ),
        "image/png": FormatFacts(
            "PNG",
            FormatRisk.LOW,
            LocalizedText("国际标准（ISO/IEC 15948），无损", "an international standard (ISO/IEC 15948), lossless"),
        ),
        "image/webp": FormatFacts(
            "WebP",
            FormatRisk.WATCH,
            LocalizedText(
                "为网页传输而设，文化机构少用于长期保存，多为有损",
                "made for delivery on the web, seldom used for preservation, and mostly lossy",
            ),
        ),
    }
)
"""The formats of masters by media type."""

_UNKNOWN: Final = FormatFacts(
    "", FormatRisk.UNKNOWN, LocalizedText("本软件不了解此格式", "this software knows nothing of this format")
)


@dataclass(frozen=True, slots=True)
class FormatVersion:
    """A version of a format that PRONOM tells from others: its media type, its name and version, '' if it has none.

    `risk` and `reason` are those of the format where they are None.
    """

    media_type: str
    name: str
    version: str = ""
    risk: FormatRisk | None = None
    reason: LocalizedText | None = None


VERSIONS: Final[Mapping[str, FormatVersion]] = MappingProxyType(
    {
        "fmt/353": FormatVersion("image/tiff", "TIFF", "3-6"),
        "fmt/1917": FormatVersion("image/tiff", "BigTIFF"),
        "x-fmt/392": FormatVersion("image/jp2", "JP2"),
        "fmt/151": FormatVersion(
            "image/jp2",
            "JPX",
            "",
            FormatRisk.WATCH,
            LocalizedText(
                "JPEG 2000 扩展部分（ISO/IEC 15444-2），能完整支持的软件少",
                "the extensions of JPEG 2000 (ISO/IEC 15444-2), which few programs support completely",
            ),
        ),
        "fmt/1964": FormatVersion(
            "image/jp2",
            "JPH",
            "",
            FormatRisk.WATCH,
            LocalizedText(
                "HTJ2K（ISO/IEC 15444-15），能解码的软件尚少", "HTJ2K (ISO/IEC 15444-15), which few programs decode yet"
            ),
        ),
        "fmt/1794": FormatVersion("image/j2c", "JPEG 2000 codestream"),
        "fmt/41": FormatVersion("image/jpeg", "JPEG stream"),
        "fmt/42": FormatVersion("image/jpeg", "JPEG (JFIF)", "1.00"),
        "fmt/43": FormatVersion("image/jpeg", "JPEG (JFIF)", "1.01"),
        "fmt/44": FormatVersion("image/jpeg", "JPEG (JFIF)", "1.02"),
        "x-fmt/398": FormatVersion("image/jpeg", "JPEG (Exif)", "2.0"),
        "x-fmt/390": FormatVersion("image/jpeg", "JPEG (Exif)", "2.1"),
        "x-fmt/391": FormatVersion("image/jpeg", "JPEG (Exif)", "2.2"),
        "fmt/645": FormatVersion("image/jpeg", "JPEG (Exif)", "2.2.1"),
        "fmt/1507": FormatVersion("image/jpeg", "JPEG (Exif)", "2.3.x"),
        "fmt/11": FormatVersion("image/png", "PNG", "1.0"),
        "fmt/12": FormatVersion("image/png", "PNG", "1.1"),
        "fmt/13": FormatVersion("image/png", "PNG", "1.2"),
        "fmt/566": FormatVersion("image/webp", "WebP (lossy)"),
        "fmt/567": FormatVersion("image/webp", "WebP (lossless)"),
        "fmt/568": FormatVersion("image/webp", "WebP (extended)"),
    }
)
"""What PRONOM tells apart, by PUID."""


def facts_of(media_type: str) -> FormatFacts:
    """Return what is known of a format."""
    return FORMATS.get(media_type, _UNKNOWN)


def facts_of_version(puid: str) -> FormatFacts:
    """Return what is known of a version of a format, by its PUID."""
    version = VERSIONS.get(puid)
    if version is None:
        return _UNKNOWN
    facts = facts_of(version.media_type)
    return FormatFacts(version.name, version.risk or facts.risk, version.reason or facts.reason)
