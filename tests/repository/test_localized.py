"""Texts with numbers: English has a word for one and a word for any other number, Chinese has one word."""

from __future__ import annotations

import pytest

from repository.localized import LocalizedText, counted

FINDINGS = LocalizedText("{count} 项未解决", "{count} {count:finding is|findings are} open")


@pytest.mark.parametrize(
    ("count", "english"),
    [
        (0, "0 findings are open"),
        (1, "1 finding is open"),
        ("1", "1 finding is open"),
        (2, "2 findings are open"),
        ("1,001", "1,001 findings are open"),
    ],
)
def test_words_follow_the_number(count: int | str, english: str) -> None:
    assert FINDINGS.format(count=count) == LocalizedText(f"{count} 项未解决", english)


def test_other_formats_of_fields_are_those_of_python() -> None:
    assert LocalizedText("{size:,}", "{size:,} of {size:>6}").format(size=1234).en == "1,234 of   1234"


@pytest.mark.parametrize(("count", "text"), [(0, "0 images"), (1, "1 image"), (2, "2 images"), (1500, "1,500 images")])
def test_numbers_are_counted_in_english(count: int, text: str) -> None:
    assert counted(count, "image", "images") == text
