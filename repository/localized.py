"""Words for people, in the two languages of the house: Chinese first, English beside it. (pure)"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    """An interface language, as a BCP 47 tag."""

    CHINESE = "zh-Hans"
    ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class LocalizedText:
    """The same words in Chinese and in English; `{name}` places take details."""

    zh: str
    en: str

    def in_language(self, language: Language | None) -> str:
        """The words in one language, or in both when it is not known which the reader wants."""
        if language is None:
            return str(self)
        return self.zh if language is Language.CHINESE else self.en

    def format(self, **details: object) -> LocalizedText:
        """Return the text with its fields filled in; a `LocalizedText` detail is filled in by language."""
        chinese = {name: value.zh if isinstance(value, LocalizedText) else value for name, value in details.items()}
        english = {name: value.en if isinstance(value, LocalizedText) else value for name, value in details.items()}
        return LocalizedText(self.zh.format(**chinese), self.en.format(**english))

    def __str__(self) -> str:
        return f"{self.zh} / {self.en}"


def preferred_language(accept_language: str | None) -> Language:
    """The interface language for an ``Accept-Language`` header (RFC 9110 section 12.5.4): Chinese unless English is
    wanted more, or nothing but other languages is asked for, which English serves better. Absent or empty: Chinese.
    """
    weights = {Language.CHINESE: 0.0, Language.ENGLISH: 0.0}
    ranges = [item.strip() for item in (accept_language or "").split(",") if item.strip()]
    for item in ranges:
        tag, _, parameter = item.partition(";")
        primary = tag.strip().lower().partition("-")[0]
        language = Language.CHINESE if primary in {"zh", "*"} else Language.ENGLISH if primary == "en" else None
        if language:
            weights[language] = max(weights[language], _quality(parameter))
    if not any(weights.values()):
        return Language.ENGLISH if ranges else Language.CHINESE
    return max(weights, key=lambda language: weights[language])


def _quality(parameter: str) -> float:
    """The weight of a language range, 1 when none is given; what cannot be read weighs nothing."""
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0) if name.strip().lower() == "q" else 1.0
    except ValueError:
        return 0.0
