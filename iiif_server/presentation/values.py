"""Parts of Presentation 3.0 documents as plain values. (pure)"""

from __future__ import annotations

from typing import Any

from repository.localized import LocalizedText

Json = dict[str, Any]


def present(**properties: Any) -> Json:
    """Return the properties without empty ones, which IIIF does not allow except for `items`."""
    return {name: value for name, value in properties.items() if value or name == "items"}


def bilingual(text: LocalizedText) -> Json:
    """Return a text of the interface as a language map."""
    return {"zh-Hans": [text.zh], "en": [text.en]}


def plain(language: str, *values: str) -> Json:
    """Return catalogued text where IIIF allows HTML; a space at the end keeps ``<…>`` plain text (section 4.5)."""
    return {language: [f"{value} " if value.startswith("<") and value.endswith(">") else value for value in values]}
