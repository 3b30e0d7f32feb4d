from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.model import Access, Dating, ViewingDirection
from workers.deposit.naming import default_label, default_volume_label, find_gaps, name_fault, natural_key
from workers.deposit.ranges import build_ranges
from workers.deposit.record import RangeTable, read_record
from workers.deposit.record_values import check_date, check_language, check_order, check_uri

FULL = """
title = "論語集解"
identifier = "863-214"
creator = ["何晏 (魏) 集解"]
date = { text = "正平甲子", earliest = "1364", latest = "1364-12-31" }
language = ["lzh", "ja-Latn-hepburn"]
classification = "經部·四書類"
edition = "正平版"
dimensions = "27 × 19 cm"
call_number = "WA6-1"
rights = "http://rightsstatements.org/vocab/NoC-NC/1.0/"
holder = "某館"
summary = "…"
viewing_direction = "left-to-right"
behavior = "continuous"
access = "reduced"
max_size = 1200

[[range]]
label = "學而"
pages = "0001-0002"
parent = "卷一"

[[range]]
label = "卷一"

[[page]]
file = "0001"
label = "封面"
behavior = "non-paged"
leaf = "1a"

[[page]]
file = "0003"
missing = true
"""


def faults(text: str) -> list[tuple[str, str]]:
    return [(fault.place, fault.code) for fault in read_record(text.encode())[1]]


def test_a_full_record_is_read() -> None:
    description, found = read_record(FULL.encode())
    assert found == ()
    assert description is not None
    assert description.record.date == Dating("正平甲子", "1364", "1364-12-31")
    assert description.rights.access is Access.REDUCED
    assert description.rights.max_size == 1200
    assert description.viewing_direction is ViewingDirection.LEFT_TO_RIGHT
    assert [(table.label, table.pages, table.parent) for table in description.ranges] == [
        ("學而", "0001-0002", "卷一"),
        ("卷一", None, None),
    ]
    assert [(table.file, table.missing) for table in description.pages] == [("0001", False), ("0003", True)]


def test_a_title_is_enough() -> None:
    description, found = read_record('\ufefftitle = "史記"'.encode())
    assert found == ()
    assert description is not None
    assert description.viewing_direction is ViewingDirection.RIGHT_TO_LEFT
    assert description.behavior is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("title", "record.missing")]),
        ('title = "  "', [("title", "record.blank")]),
        ("title = 3", [("title", "record.type")]),
        ('title = "a"\ncreater = "b"', [("creater", "record.unknown-key")]),
        ('title = "a"\ncreator = "b"', [("creator", "record.type")]),
        ('title = "a"\ncreator = ["b", 1]', [("creator", "record.type")]),
        ('title = "a"\ndate = "1590-13"', [("date", "record.date")]),
        ('title = "a"\ndate = "2023-02-29"', [("date", "record.date")]),
        ('title = "a\\u0000"', [("title", "record.control")]),
        ('title = "a"\ndate = "1590/3/1"', [("date", "record.date")]),
        ('title = "a"\ndate = 1590', [("date", "record.type")]),
        ('title = "a"\ndate = 1590-03-01', [("date", "record.type")]),
        ('title = "a"\n[date]\nearliest = "1590"', [("date.text", "record.missing")]),
        ('title = "a"\n[date]\ntext = "x"\nlatest = "soon"', [("date.latest", "record.date")]),
        ('title = "a"\n[date]\ntext = "x"\nearliest = "1600"\nlatest = "1590"', [("date.latest", "record.date")]),
        ('title = "a"\n[date]\ntext = "x"\nearlier = "1600"', [("date.earlier", "record.unknown-key")]),
        ('title = "a"\nlanguage = ["zh_CN"]', [("language", "record.language")]),
        ('title = "a"\nrights = "public domain"', [("rights", "record.rights")]),
        ('title = "a"\nrights = "ftp://a.example/b"', [("rights", "record.rights")]),
        ('title = "a"\nviewing_direction = "rtl"', [("viewing_direction", "record.word")]),
        ('title = "a"\nbehavior = "facing-pages"', [("behavior", "record.word")]),
        ('title = "a"\naccess = "closed"', [("access", "record.word")]),
        ('title = "a"\naccess = "reduced"', [("max_size", "record.access")]),
        ('title = "a"\nmax_size = 5', [("max_size", "record.access")]),
        ('title = "a"\naccess = "reduced"\nmax_size = true', [("max_size", "record.type")]),
        ('title = "a"\naccess = "reduced"\nmax_size = 0', [("max_size", "record.type")]),
        ('title = "a"\nwatermark = "某館"', [("watermark", "record.type")]),
        ('title = "a"\n[[page]]\nfile = "1"\nredact = ["1,2,0,4"]', [("page[1].redact", "record.rectangle")]),
        ('title = "a"\n[[page]]\nfile = "1"\nredact = ["1,2,3"]', [("page[1].redact", "record.rectangle")]),
        ('title = "a"\n[range]\nlabel = "b"', [("range", "record.type")]),
        ('title = "a"\n[[range]]\npages = "1"', [("range[1].label", "record.missing")]),
        ('title = "a"\n[[page]]\nlabel = "1"', [("page[1].file", "record.missing")]),
        ('title = "a"\n[[page]]\nfile = "1"\nmissing = "yes"', [("page[1].missing", "record.type")]),
        ('title = "a"\n[[page]]\nfile = "1"\nbehaviour = "x"', [("page[1].behaviour", "record.unknown-key")]),
        ('title = "a"\nsummary = ', [("line 2, column 11", "record.syntax")]),
        ('title = "a"\ntitle = "b"', [("line 2, column 12", "record.syntax")]),
    ],
)
def test_a_fault_is_told_with_its_place(text: str, expected: list[tuple[str, str]]) -> None:
    assert faults(text) == expected


def test_every_fault_is_told_at_once() -> None:
    assert len(faults('date = "1590-13"\nrights = "x"\nlanguage = ["_"]\nfoo = 1')) == 5


def test_an_unknown_key_is_answered_with_the_nearest_known() -> None:
    fault = read_record(b'title = "a"\ncall_nummer = "b"')[1][0]
    assert "call_number" in fault.message.en
    assert "call_number" in fault.message.zh


def test_bytes_that_are_no_utf8_are_told_by_their_place() -> None:
    _, (fault,) = read_record(b'title = "\xca\xb7\xff"')
    assert (fault.place, fault.code) == ("byte 11", "record.encoding")


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    description, found = read_record(content)
    assert (description is None) <= bool(found)


@pytest.mark.parametrize("date", ["1590", "1590-03", "1590-03-15", "-0221", "0000", "2000-02-29", "-0004-02-29"])
def test_machine_dates(date: str) -> None:
    assert check_date(date) is None


@pytest.mark.parametrize(
    "date", ["", "159", "15900", "1590-3", "1590-00", "1590-02-30", "1900-02-29", "-0000", "清", "１５９０"]
)
def test_other_dates(date: str) -> None:
    assert check_date(date) is not None


@pytest.mark.parametrize(
    ("earliest", "latest", "good"),
    [
        ("1590", "1590", True),
        ("1590-06", "1590", True),
        ("1590", "1590-06", True),
        ("1591", "1590-12-31", False),
        ("-0221", "-0206", True),
        ("-0206", "-0221", False),
    ],
)
def test_the_earliest_date_is_not_after_the_latest(earliest: str, latest: str, good: bool) -> None:
    assert (check_order(earliest, latest) is None) is good


@pytest.mark.parametrize(
    "tag", ["zh", "zh-Hant", "lzh", "zh-Hant-TW", "ja-Latn-hepburn", "de-1996", "x-own", "sl-rozaj"]
)
def test_language_tags(tag: str) -> None:
    assert check_language(tag) is None


@pytest.mark.parametrize("tag", ["", "z", "zh_Hant", "chinese language", "zh-", "中文", "zh-x"])
def test_other_language_tags(tag: str) -> None:
    assert check_language(tag) is not None


@pytest.mark.parametrize("uri", ["http://creativecommons.org/publicdomain/mark/1.0/", "https://a.example/b?c#d"])
def test_rights_addresses(uri: str) -> None:
    assert check_uri(uri) is None


@pytest.mark.parametrize(
    "uri", ["", "CC0", "//a.example", "http:/a", "http://", "http://a b", "http://[", "javascript:1"]
)
def test_other_rights_addresses(uri: str) -> None:
    assert check_uri(uri) is not None


KEYS = ["volume-1/0001", "volume-1/0002", "volume-1/a-1", "volume-2/0001", "volume-2/0002"]


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        ("volume-1/0001", [0]),
        ("volume-1/0001-0002", [0, 1]),
        ("volume-1/0001-volume-2/0001", [0, 1, 2, 3]),
        ("volume-1/a-1", [2]),
        ("volume-1/0002-a-1", [1, 2]),
        ("volume-1/0001, volume-2/0002", [0, 4]),
        ("volume-1/0001-0002, volume-1/0002", [0, 1]),
    ],
)
def test_the_pages_of_a_range(pages: str, expected: list[int]) -> None:
    ranges, found = build_ranges([RangeTable("range[1]", "卷", pages, None)], KEYS)
    assert found == ()
    assert ranges[0].pages == tuple(KEYS[place] for place in expected)


def table(label: str, pages: str | None = "volume-1/0001", parent: str | None = None) -> RangeTable:
    return RangeTable(f"range[{label}]", label, pages, parent)


@pytest.mark.parametrize(
    ("tables", "place"),
    [
        ([table("a", "volume-1/0009")], "range[a].pages"),
        ([table("a", "0001")], "range[a].pages"),
        ([table("a", "volume-2/0001-volume-1/0001")], "range[a].pages"),
        ([table("a", None)], "range[a].pages"),
        ([table("a", parent="b")], "range[a].parent"),
        ([table("a", parent="a")], "range[a].parent"),
        ([table("a", parent="b"), table("b", parent="a")], "range[a].parent"),
        ([table("a"), table("a"), table("b", parent="a")], "range[b].parent"),
        ([table("c", parent="a"), table("a", parent="b"), table("b", parent="a")], "range[a].parent"),
    ],
)
def test_ranges_that_cannot_stand(tables: list[RangeTable], place: str) -> None:
    ranges, found = build_ranges(tables, KEYS)
    assert ranges == ()
    assert place in {fault.place for fault in found}


def test_a_range_may_be_declared_before_its_parent() -> None:
    ranges, found = build_ranges([table("學而", parent="卷一"), table("卷一", None), table("序")], KEYS)
    assert found == ()
    assert [(part.label, [inner.label for inner in part.ranges]) for part in ranges] == [("卷一", ["學而"]), ("序", [])]


@pytest.mark.parametrize(
    ("stem", "label"), [("0001", "1"), ("0012a", "12a"), ("IMG_0300", "300"), ("cover", "cover"), ("0000", "0")]
)
def test_labels_of_pages(stem: str, label: str) -> None:
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
def test_labels_of_volumes(folder: str, label: str) -> None:
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
def test_numbers_skipped(stems: list[str], gaps: list[str]) -> None:
    assert find_gaps(stems) == gaps


@given(st.sets(st.integers(0, 500), min_size=1))
def test_gaps_and_pages_together_are_a_whole_run(numbers: set[int]) -> None:
    skipped: set[int] = set()
    for gap in find_gaps([f"{number:04}" for number in numbers]):
        first, _, last = gap.partition("-")
        skipped |= set(range(int(first), int(last or first) + 1))
    assert skipped == set(range(min(numbers), max(numbers) + 1)) - numbers


@pytest.mark.parametrize("name", ["0001.tif", "volume-1", "卷一 葉二.jpg", "é.png", "a" * 251 + ".tif", ".hidden"])
def test_portable_names(name: str) -> None:
    assert name_fault(name) is None


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
def test_names_that_are_not_portable(name: str) -> None:
    assert name_fault(name) is not None


@given(st.lists(st.text("ab019", max_size=5)))
def test_natural_order_counts(names: list[str]) -> None:
    keys = [natural_key(name) for name in sorted(names, key=natural_key)]
    assert keys == sorted(keys)
    assert natural_key("a2") < natural_key("a10")
