"""Dates as readers and cataloguers write them, as years and dynasties."""

from __future__ import annotations

import pytest

from iiif_server.search.dates import dynasty_of, read_years
from repository.model.reign_years import Years


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("萬曆三十五年", 1607, 1607),
        ("康熙五十五年(1716)刻本", 1716, 1716),
        ("明", 1368, 1644),
        ("17世纪", 1601, 1700),
        ("1573-1620", 1573, 1620),
        ("1607", 1607, 1607),
        ("-50", -50, -50),
        ("重印于1935年前后", 1935, 1935),
    ],
)
def test_a_date_is_read_as_years(text: str, first: int, last: int) -> None:
    assert read_years(text) == Years(first, last)


@pytest.mark.parametrize("text", ["", "不详", "萬曆九十年", "abc"])
def test_what_is_no_date_has_no_years(text: str) -> None:
    assert read_years(text) is None


@pytest.mark.parametrize(
    ("text", "dynasty"),
    [
        ("清光緒刻本", "清"),
        ("萬曆間", "明"),
        ("唐元和三年", "唐"),
        ("民国廿三年", "民国"),
        ("北宋", "宋"),
        ("清", "清"),
        ("1607", "明"),
    ],
)
def test_a_date_belongs_to_a_dynasty(text: str, dynasty: str) -> None:
    assert dynasty_of(text, read_years(text)) == dynasty
