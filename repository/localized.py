"""Texts for people in the two interface languages, Chinese and English. (pure)"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class Language(StrEnum):
    """An interface language, as a BCP 47 tag."""

    CHINESE = "zh-Hans"
    ENGLISH = "en"


class _Plurals(string.Formatter):
    """Fills in fields; one like ``{count:is|are}`` is its first word for the number 1, else its second."""

    def format_field(self, value: Any, format_spec: str) -> str:
        """Return the word for a number, which may be written as text with grouped digits, or the formatted value."""
        one, bar, many = format_spec.partition("|")
        if not bar:
            return str(super().format_field(value, format_spec))
        return one if str(value) == "1" else many


_PLURALS: Final = _Plurals()


def counted(count: int, one: str, many: str) -> str:
    """Return a number, grouped, with the English noun for it: `one` for 1, else `many`."""
    return f"{count:,} {one if count == 1 else many}"


@dataclass(frozen=True, slots=True)
class LocalizedText:
    """A text in Chinese and English; `format` fills its `{name}` fields.

    In English, ``{name:one|many}`` is the first word when `name` is 1, and the second for every other number.
    """

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
        return LocalizedText(self.zh.format(**chinese), _PLURALS.vformat(self.en, (), english))

    def to_json(self) -> dict[str, str]:
        """Return both texts by the first part of their language tags, ``zh`` and ``en``."""
        return {"zh": self.zh, "en": self.en}

    @classmethod
    def of_json(cls, document: Mapping[str, str]) -> LocalizedText:
        """Return the text that `to_json` gave `document`."""
        return cls(document["zh"], document["en"])

    def __str__(self) -> str:
        return self.zh if self.zh == self.en else f"{self.zh} / {self.en}"


_LANGUAGE_NAMES: Final = {
    "bo": LocalizedText("藏文", "Tibetan"),
    "en": LocalizedText("英文", "English"),
    "ja": LocalizedText("日文", "Japanese"),
    "ko": LocalizedText("韩文", "Korean"),
    "lzh": LocalizedText("文言文", "Literary Chinese"),
    "mn": LocalizedText("蒙古文", "Mongolian"),
    "mnc": LocalizedText("满文", "Manchu"),
    "sa": LocalizedText("梵文", "Sanskrit"),
    "ug": LocalizedText("维吾尔文", "Uyghur"),
    "vi": LocalizedText("越南文", "Vietnamese"),
    "zh": LocalizedText("中文", "Chinese"),
    "zh-Hans": LocalizedText("中文（简体）", "Chinese (simplified)"),
    "zh-Hant": LocalizedText("中文（繁体）", "Chinese (traditional)"),
}


def language_name(tag: str) -> LocalizedText:
    """Return the name of the language of a BCP 47 tag; the tag itself for a language that has no name here."""
    return _LANGUAGE_NAMES.get(tag, LocalizedText(tag, tag))
