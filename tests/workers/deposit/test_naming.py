"""Names of files and folders: portability, natural order, default labels and gaps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.deposit.naming import default_label, default_volume_label, find_gaps, name_problem, natural_key


@pytest.mark.parametrize(
    ("stem", "label"), [("0001", "1"), ("0012a", "12a"), ("IMG_0300", "300"), ("cover", "cover"), ("0000", "0")]
)
def test_default_label_is_the_page_number(stem: str, label: str) -> None:
    assert default_label(stem) == label


@pytest.mark.parametrize(
    ("folder", "label"),
    [
        ("volume-1", "第一册"),
        ("volume-10", "第十册"),
        ("v20", "第二十册"),
        ("099", "第九十九册"),
        ("v100", "第100册"),
        ("上", "第三册"),
    ],
)
def test_default_volume_label_is_the_volume_number(folder: str, label: str) -> None:
    assert default_volume_label(folder, 3) == label


@pytest.mark.parametrize(
    ("stems", "gaps"),
    [
        (["0001", "0002", "0004"], ["0003"]),
        (["0001", "0005"], ["0002-0004"]),
        (["0007", "0008"], []),
        (["a1", "a3", "b1", "b2", "cover"], ["a2"]),
        (["0001a", "0001b", "0003"], ["0002"]),
        (["1", "99999999999"], ["2-99999999998"]),
    ],
)
def test_gaps_are_found_in_each_sequence(stems: list[str], gaps: list[str]) -> None:
    assert find_gaps(stems) == gaps


@given(st.sets(st.integers(0, 500), min_size=1))
def test_gaps_and_pages_make_an_unbroken_sequence(numbers: set[int]) -> None:
    skipped: set[int] = set()
    for gap in find_gaps([f"{number:04}" for number in numbers]):
        first, _, last = gap.partition("-")
        skipped |= set(range(int(first), int(last or first) + 1))
    assert skipped == set(range(min(numbers), max(numbers) + 1)) - numbers


@pytest.mark.parametrize("name", ["0001.tif", "volume-1", "卷一 葉二.jpg", "é.png", "a" * 251 + ".tif", ".hidden"])
def test_portable_names_are_accepted(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "a:b.tif",
        "a?.tif",
        "a\\b",
        "a\nb",
        "e\u0301.png",
        "CON",
        "nul.tif",
        "COM1.tif",
        " a",
        "a ",
        "a.",
        "卷" * 86,
        "\u202ea.tif",
        "\udcff.tif",
    ],
)
def test_names_that_are_not_portable_are_refused(name: str) -> None:
    assert name_problem(name) is not None


@given(st.lists(st.text("ab019", max_size=5)))
def test_natural_order_sorts_numbers_by_value(names: list[str]) -> None:
    keys = [natural_key(name) for name in sorted(names, key=natural_key)]
    assert keys == sorted(keys)
    assert natural_key("a2") < natural_key("a10")
