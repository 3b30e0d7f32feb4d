"""The formats of masters in the registry of The National Archives, PRONOM, and which are at risk. (pure)

The identifiers (PUIDs) are those of https://www.nationalarchives.gov.uk/PRONOM/ . `pygfried`, which identifies files by
the signatures of PRONOM, reads a master to its end, 130 MB of it a second; an ingest has no time for that, so the
formats are those that the decoder has recognised. A test compares this table with `pygfried` on sample files.

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
    """What is known of a format of masters: its name, its PUIDs by version, its risk and the reason."""

    name: str
    puids: tuple[str, ...]
    risk: FormatRisk
    reason: LocalizedText


FORMATS: Final[Mapping[str, FormatFacts]] = MappingProxyType(
    {
        "image/tiff": FormatFacts(
            "TIFF",
            ("fmt/353", "fmt/1917", "x-fmt/387"),
            FormatRisk.LOW,
            LocalizedText("公开规范，文化机构普遍采用", "openly specified, and the master format of most libraries"),
        ),
        "image/jp2": FormatFacts(
            "JPEG 2000 (JP2, JPH)",
            ("x-fmt/392", "fmt/1964"),
            FormatRisk.LOW,
            LocalizedText(
                "国际标准（ISO/IEC 15444），图书馆多用；HTJ2K（JPH）的解码软件尚少",
                "an international standard (ISO/IEC 15444) that libraries use; few programs decode HTJ2K (JPH) yet",
            ),
        ),
        "image/j2c": FormatFacts(
            "JPEG 2000 codestream",
            ("fmt/1794",),
            FormatRisk.WATCH,
            LocalizedText(
                "裸码流不记录色彩空间与分辨率，日后难以确认原貌；宜改存 JP2",
                "a bare codestream records neither colour space nor resolution; prefer JP2",
            ),
        ),
        "image/jpeg": FormatFacts(
            "JPEG",
            ("fmt/41", "fmt/42", "fmt/43", "fmt/44", "x-fmt/390", "x-fmt/391", "x-fmt/398", "fmt/645"),
            FormatRisk.WATCH,
            LocalizedText(
                "使用极广，但属有损压缩；有无损原图的，应以无损原图送存",
                "used everywhere, but lossy: deposit lossless masters where they exist",
            ),
        ),
        "image/png": FormatFacts(
            "PNG",
            ("fmt/11", "fmt/12", "fmt/13"),
            FormatRisk.LOW,
            LocalizedText("国际标准（ISO/IEC 15948），无损", "an international standard (ISO/IEC 15948), lossless"),
        ),
        "image/webp": FormatFacts(
            "WebP",
            ("fmt/566", "fmt/567", "fmt/568"),
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
    "", (), FormatRisk.UNKNOWN, LocalizedText("本软件不了解此格式", "this software knows nothing of this format")
)


def facts_of(media_type: str) -> FormatFacts:
    """Return what is known of a format."""
    return FORMATS.get(media_type, _UNKNOWN)
