"""Words for people, in the two languages of the house: Chinese first, English beside it. (pure)"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    """An interface language, as a BCP 47 tag."""

    CHINESE = "zh-Hans"
    ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Text:
    """The same words in Chinese and in English; `{name}` places take details."""

    zh: str
    en: str

    def in_language(self, language: Language) -> str:
        """The words in one language."""
        return self.zh if language is Language.CHINESE else self.en

    def format(self, **details: object) -> Text:
        """The same text with its places filled in both languages."""
        return Text(self.zh.format(**details), self.en.format(**details))

    def __str__(self) -> str:
        return f"{self.zh} / {self.en}"
