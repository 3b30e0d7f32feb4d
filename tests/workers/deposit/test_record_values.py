"""Checks of the values of a record: machine dates, language tags and rights addresses."""

from __future__ import annotations

import pytest

from workers.deposit.record_values import check_date, check_language, check_order, check_uri


@pytest.mark.parametrize("date", ["1590", "1590-03", "1590-03-15", "-0221", "0000", "2000-02-29", "-0004-02-29"])
def test_machine_dates_are_accepted(date: str) -> None:
    assert check_date(date) is None


@pytest.mark.parametrize(
    "date", ["", "159", "15900", "1590-3", "1590-00", "1590-02-30", "1900-02-29", "-0000", "清", "１５９０"]
)
def test_other_dates_are_refused(date: str) -> None:
    assert check_date(date) is not None


@pytest.mark.parametrize(
    ("earliest", "latest", "is_valid"),
    [
        ("1590", "1590", True),
        ("1590-06", "1590", True),
        ("1590", "1590-06", True),
        ("1591", "1590-12-31", False),
        ("-0221", "-0206", True),
        ("-0206", "-0221", False),
    ],
)
def test_earliest_date_must_not_be_after_the_latest(earliest: str, latest: str, is_valid: bool) -> None:
    assert (check_order(earliest, latest) is None) is is_valid


@pytest.mark.parametrize(
    "tag", ["zh", "zh-Hant", "lzh", "zh-Hant-TW", "ja-Latn-hepburn", "de-1996", "x-own", "sl-rozaj"]
)
def test_language_tags_are_accepted(tag: str) -> None:
    assert check_language(tag) is None


@pytest.mark.parametrize("tag", ["", "z", "zh_Hant", "chinese language", "zh-", "中文", "zh-x"])
def test_other_language_tags_are_refused(tag: str) -> None:
    assert check_language(tag) is not None


@pytest.mark.parametrize("uri", ["http://creativecommons.org/publicdomain/mark/1.0/", "https://a.example/b?c#d"])
def test_absolute_http_uris_are_accepted(uri: str) -> None:
    assert check_uri(uri) is None


@pytest.mark.parametrize(
    "uri", ["", "CC0", "//a.example", "http:/a", "http://", "http://a b", "http://[", "javascript:1"]
)
def test_other_uris_are_refused(uri: str) -> None:
    assert check_uri(uri) is not None
