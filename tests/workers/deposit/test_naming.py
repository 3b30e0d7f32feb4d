"""Names of files and folders: portability, natural order, default labels and gaps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.deposit.naming import default_label, default_volume_label, find_gaps, name_problem, natural_key


@pytest.mark.parametrize(
    ("stem", "label"),
    [
        ("0001", "1"),
        ("0012a", "12a"),
        ("IMG_0300", "300"),
        ("cover", "cover"),
        ("0000", "0"),
        ("0001_300dpi", "1"),
        ("0012b-600 DPI", "12b"),
        ("0001(400ppi)", "1"),
        ("p300dpi", "300dpi"),
        ("０００１", "1"),
        ("申報_1937-08-13_01", "1937-08-13 1"),
        ("19370813_02a", "19370813 2a"),
        ("申報1937-08-13", "申報1937-08-13"),
        ("民國1937年8月13日_3", "1937年8月13日 3"),
        ("00000001", "1"),
        ("1937-13-45", "45"),
        ("葉十二上", "葉十二上"),
        ("n(0013)", "13"),
        ("【0014】b", "14b"),
        ("書影0020", "20"),
    ],
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
        ("front", "第三册"),
    ],
)
def test_default_volume_label_is_the_number_of_a_folder_named_in_ascii(folder: str, label: str) -> None:
    assert default_volume_label(folder, 3) == label


@pytest.mark.parametrize("folder", ["卷一", "第一冊", "上冊", "册１", "卷首", "附錄", "volume-1 上"])
def test_default_volume_label_is_the_words_of_the_folder(folder: str) -> None:
    assert default_volume_label(folder, 3) == folder


@pytest.mark.parametrize(
    ("stems", "gaps"),
    [
        (["0001", "0002", "0004"], ["0003"]),
        (["0001", "0005"], ["0002-0004"]),
        (["0007", "0008"], []),
        (["a1", "a3", "b1", "b2", "cover"], ["a2"]),
        (["0001a", "0001b", "0003"], ["0002"]),
        (["1", "99999999999"], ["2-99999999998"]),
        (["0001_300dpi", "0002_300dpi", "0004_300dpi"], ["0003"]),
        (["申報1937-08-13", "申報1937-08-15"], []),
        (["19370813_01", "19370813_03", "19370901_01"], ["19370813_02"]),
        (["０００１", "０００３"], ["0002"]),
        (["0001a", "0001b", "0010a"], []),
        (["葉1上", "葉1下", "葉3上"], []),
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
