"""Records: every field is read, and every fault is listed with its key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.model.condition import Condition, Repair
from repository.model.work import Access, Dating, ViewingDirection
from workers.deposit.record import read_record

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


def test_record_with_every_field_is_read() -> None:
    description, problems = read_record(FULL.encode())
    assert problems == ()
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


def test_record_needs_only_a_title() -> None:
    description, problems = read_record('\ufefftitle = "史記"'.encode())
    assert problems == ()
    assert description is not None
    assert description.viewing_direction is ViewingDirection.RIGHT_TO_LEFT
    assert description.behavior is None


CONDITION = """
title = "論語集解"

[condition]
grade = "一級甲等"
damage = "三级"
causes = ["蟲蛀", "酸化", "水渍"]
assessed = "2024-05-03"
assessor = "某某"

[[condition.repair]]
date = "2025-01"
what = "溜口，补虫洞"
by = "古籍修复组"

[[volume]]
folder = "volume-2"

[volume.condition]
damage = "一级破损"
assessed = "2024"
"""


def test_condition_of_a_work_and_of_a_volume_is_read_in_the_words_of_the_standards() -> None:
    description, problems = read_record(CONDITION.encode())
    assert problems == ()
    assert description is not None
    repair = Repair("2025-01", "溜口，补虫洞", "古籍修复组")
    causes = ("虫蛀", "酸化", "水渍")
    assert description.condition == Condition("一级甲等", "三级破损", causes, "2024-05-03", "某某", None, (repair,))
    assert description.volumes[0].condition == Condition(damage="一级破损", assessed="2024")


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("condition = 3", ("condition", "record.type")),
        ('[condition]\ngrade = "四级甲等"', ("condition.grade", "record.word")),
        ('[condition]\ndamage = "六级"\nassessed = "2024"', ("condition.damage", "record.word")),
        ('[condition]\ndamage = "三级"', ("condition.assessed", "record.missing")),
        ('[condition]\nassessed = "2024-13"', ("condition.assessed", "record.date")),
        ('[condition]\n"破损" = "三级"', ("condition.破损", "record.unknown-key")),
        ('[[condition.repair]]\nwhat = "溜口"', ("condition.repair[1].date", "record.missing")),
        (
            '[[volume]]\nfolder = "1"\n[volume.condition]\ngrade = "甲等"',
            ("volume[1].condition.grade", "record.word"),
        ),
    ],
)
def test_condition_fault_names_its_key(table: str, expected: tuple[str, str]) -> None:
    assert faults(f'title = "a"\n{table}') == [expected]


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
def test_record_fault_names_its_key_or_line(text: str, expected: list[tuple[str, str]]) -> None:
    assert faults(text) == expected


def test_record_lists_all_its_faults() -> None:
    assert len(faults('date = "1590-13"\nrights = "x"\nlanguage = ["_"]\nfoo = 1')) == 5


def test_unknown_key_fault_suggests_the_most_similar_key() -> None:
    fault = read_record(b'title = "a"\ncall_nummer = "b"')[1][0]
    assert "call_number" in fault.message.en
    assert "call_number" in fault.message.zh


def test_record_that_is_not_utf8_names_the_offset() -> None:
    _, (fault,) = read_record(b'title = "\xca\xb7\xff"')
    assert (fault.place, fault.code) == ("byte 11", "record.encoding")


@given(st.binary(max_size=200))
def test_record_reader_accepts_any_bytes(content: bytes) -> None:
    description, problems = read_record(content)
    assert (description is None) <= bool(problems)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (
            "https://creativecommons.org/publicdomain/mark/1.0/deed.zh-hans",
            "http://creativecommons.org/publicdomain/mark/1.0/",
        ),
        ("http://rightsstatements.org/page/InC/1.0/?language=zh", "http://rightsstatements.org/vocab/InC/1.0/"),
        ("https://library.example/terms", "https://library.example/terms"),
    ],
)
def test_rights_are_the_uri_of_the_licence_or_as_given(given: str, kept: str) -> None:
    description, faults = read_record(f'title = "試"\nrights = "{given}"'.encode())
    assert faults == ()
    assert description is not None
    assert description.rights.uri == kept
