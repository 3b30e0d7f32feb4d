"""Texts for people in the two interface languages, Chinese and English. (pure)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    """An interface language, as a BCP 47 tag."""

    CHINESE = "zh-Hans"
    ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class LocalizedText:
    """A text in Chinese and English; `format` fills its `{name}` fields."""

    zh: str
    en: str

    def in_language(self, language: Language | None) -> str:
        """Return the text in one language, or in both for None."""
        if language is None:
            return str(self)
        return self.zh if language is Language.CHINESE else self.en

    def format(self, **details: object) -> LocalizedText:
        """Return the text with its fields filled in; a `LocalizedText` detail is filled in by language."""
        chinese = {name: value.zh if isinstance(value, LocalizedText) else value for name, value in details.items()}
        english = {name: value.en if isinstance(value, LocalizedText) else value for name, value in details.items()}
        return LocalizedText(self.zh.format(**chinese), self.en.format(**english))

    def to_json(self) -> dict[str, str]:
        """Return both texts by the first part of their language tags, ``zh`` and ``en``."""
        return {"zh": self.zh, "en": self.en}

    @classmethod
    def of_json(cls, document: Mapping[str, str]) -> LocalizedText:
        """Return the text that `to_json` gave `document`."""
        return cls(document["zh"], document["en"])

    def __str__(self) -> str:
        return self.zh if self.zh == self.en else f"{self.zh} / {self.en}"
