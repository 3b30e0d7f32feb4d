"""Reign years: dates as Chinese catalogues write them become years of the common era."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repository.model.reign_years import (
    Years,
    find_reign_dates,
    iso_year,
    reign_years,
    reigns_named,
    reigns_of,
    sexagenary,
)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("清乾隆四十七年", 1782, 1782),
        ("清乾隆四十七年(壬寅)", 1782, 1782),
        ("光绪丁丑", 1877, 1877),
        ("光緒丁丑年", 1877, 1877),
        ("清光緒三年[1877]", 1877, 1877),
        ("明万历间刻本", 1573, 1620),
        ("萬厯甲寅", 1614, 1614),
        ("明宏治三年", 1490, 1490),
        ("民國廿五年", 1936, 1936),
        ("民国25年", 1936, 1936),
        ("天寶三載", 744, 744),
        ("宋嘉佑三年", 1058, 1058),
        ("大中祥符元年", 1008, 1008),
        ("太平興國八年", 983, 983),
        ("建武中元二年", 57, 57),
        ("西漢建元元年", -139, -139),
        ("天福十二年", 947, 947),
        ("至正刻本", 1341, 1368),
        ("後至元三年", 1337, 1337),
        ("康熙元年至六十一年", 1662, 1722),
        ("清乾隆嘉慶間", 1736, 1820),
        ("明萬曆刻清康熙修補本", 1573, 1722),
        ("宋大觀二年刻 民國二十五年影印", 1936, 1936),
        ("〔清〕", 1636, 1911),
        ("宋刻本", 960, 1279),
        ("清初刻本", 1644, 1735),
        ("明末清初", 1573, 1735),
        ("寛永二十年", 1643, 1643),
    ],
)
def test_a_date_of_a_catalogue_becomes_years(text: str, first: int, last: int) -> None:
    assert reign_years(text) == Years(first, last)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("正德五年", 1510, 1510),
        ("日本正德五年", 1715, 1715),
        ("西夏正德五年", 1131, 1131),
        ("天順元年", 1457, 1457),
        ("元天順元年", 1328, 1328),
        ("至元三年", 1266, 1337),
        ("康熙壬寅", 1662, 1722),
        ("太和元年", 366, 827),
        ("北魏太和元年", 477, 477),
    ],
)
def test_a_name_of_several_reigns_is_that_of_the_dynasty_before_it_or_the_likeliest(
    text: str, first: int, last: int
) -> None:
    assert reign_years(text) == Years(first, last)


@pytest.mark.parametrize(
    "text", ["", "太平寺藏", "文化局", "清史稿", "元史", "江苏省", "1782", "元年", "順治十九年", "宋元"]
)
def test_words_and_impossible_years_are_no_dates(text: str) -> None:
    assert reign_years(text) is None


def test_a_date_says_where_it_stands_and_of_which_reign_it_is() -> None:
    (date,) = find_reign_dates("題：清乾隆四十七年內府刻本")
    assert (date.start, date.end, date.reign) == (2, 9, reigns_named("乾隆")[0])


def test_a_reign_is_found_by_any_form_of_its_characters() -> None:
    assert reigns_named("万历") == reigns_named("萬曆") == reigns_named("萬歷") != ()
    assert [reign.dynasty for reign in reigns_named("正德")] == ["明", "西夏", "日本"]


@given(st.integers(1, 1949))
@settings(max_examples=60, deadline=None)
def test_every_name_of_a_year_is_read_as_that_year(year: int) -> None:
    names = reigns_of(year)
    assert names
    for name in names:
        years = reign_years(name)
        assert years is not None
        assert years.first <= year <= years.last


def test_years_have_their_place_in_the_cycle_and_four_digits() -> None:
    assert (sexagenary(4), sexagenary(1782), sexagenary(1984), sexagenary(-139)) == ("甲子", "壬寅", "甲子", "辛丑")
    assert (iso_year(1782), iso_year(618), iso_year(-139)) == ("1782", "0618", "-0139")
