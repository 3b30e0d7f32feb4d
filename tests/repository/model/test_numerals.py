"""Chinese numerals: every way to write a number is read as that number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.model.numerals import RUN, read_numeral, write_numeral

DIGITS = "〇一二三四五六七八九"
FORMAL = str.maketrans("一二三四五六七八九十百千", "壹貳叁肆伍陸柒捌玖拾佰仟")
SIMPLIFIED = str.maketrans("二三六〇", "贰叄陆零")


def with_units(number: int, *, zero: str, one_ten: str) -> str:
    """Write 1 to 9,999 with units; `zero` stands for skipped places, `one_ten` is 10 after a hundred (十 or 一十)."""
    text, skipped = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // unit % 10
        if not digit:
            skipped = bool(text)
            continue
        text += (zero if skipped else "") + (
            one_ten if (digit, unit) == (1, 10) and text else "十" if (digit, unit) == (1, 10) else DIGITS[digit] + name
        )
        skipped = False
    return text


def writings(number: int) -> set[str]:
    """Return the ways in which volumes and leaves are numbered."""
    plain = {with_units(number, zero=zero, one_ten=ten) for zero in ("", "零", "〇") for ten in ("十", "一十")}
    short = {text.replace("二十", "廿").replace("三十", "卅").replace("四十", "卌") for text in plain}
    by_place = {"".join(DIGITS[int(digit)] for digit in str(number))}
    every = plain | short | by_place
    return every | {text.translate(FORMAL) for text in every} | {text.translate(SIMPLIFIED) for text in every}


@given(st.integers(1, 999))
def test_number_is_read_in_every_writing(number: int) -> None:
    for text in writings(number):
        assert RUN.fullmatch(text), text
        assert read_numeral(text).numbers == (number,), text


def test_numbers_from_1_to_999_are_read_in_every_writing() -> None:
    wrong = [text for number in range(1, 1000) for text in writings(number) if read_numeral(text).numbers != (number,)]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("百", (100,)),
        ("百三", (103,)),
        ("百三十", (130,)),
        ("一百廿三", (123,)),
        ("卅", (30,)),
        ("十有二", (12,)),
        ("一九三七", (1937,)),
        ("一千三", (1003,)),
        ("兩", (2,)),
        ("弐拾参", (23,)),
        ("〇", (0,)),
        ("二十三二十四", (23, 24)),
        ("十二十三", (12, 13)),
        ("二十三四", (23, 4)),
    ],
)
def test_numerals_of_old_books_are_read(text: str, numbers: tuple[int, ...]) -> None:
    assert RUN.fullmatch(text)
    assert read_numeral(text).numbers == numbers


@pytest.mark.parametrize(
    ("text", "listed"), [("三四", (3, 4)), ("五六七", (5, 6, 7)), ("一一", ()), ("一〇", ()), ("四三", ()), ("三", ())]
)
def test_ascending_digits_may_be_a_list(text: str, listed: tuple[int, ...]) -> None:
    assert read_numeral(text).listed == listed


@given(st.text("〇零一二三四五六七八九十百千廿卅卌有壹拾", max_size=12))
def test_every_run_of_numerals_is_read(text: str) -> None:
    for run in RUN.findall(text):
        assert all(number >= 0 for number in read_numeral(run).numbers)


@given(st.integers(1, 99))
def test_written_numeral_is_read_as_its_number(number: int) -> None:
    assert read_numeral(write_numeral(number)).numbers == (number,)


def test_numeral_beyond_99_is_written_in_digits() -> None:
    assert (write_numeral(100), write_numeral(0), write_numeral(99)) == ("100", "0", "九十九")
