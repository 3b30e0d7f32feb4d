"""Messages about a record that is not TOML: usual mistakes are named, and every message is in Chinese."""

from __future__ import annotations

import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.faults import Fault
from workers.deposit.record import read_record
from workers.deposit.spelling import edit_distance, suggested_key

KEYS = ("title", "identifier", "creator", "date", "call_number", "viewing_direction", "page", "range")


def fault_of(content: str | bytes) -> Fault:
    _, (fault, *_) = read_record(content.encode() if isinstance(content, str) else content)
    return fault


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        ("title = “論語”", "line 1", "“"),
        ("title = 「論語」", "line 1", "「"),
        ("title = 《論語》", "line 1", "《"),
        ('title = "論語”\n', "line 1", "”"),
        ('creator = ["何晏", “邢昺”]', "line 1", "“"),
        ("title = ‘論語’", "line 1", "‘"),
        ('title ＝ "論語"', "line 1", "半角 ="),
        ('title："論語"', "line 1", "半角 ="),
        ('title = "論語"\ncreator = ["a"，"b"]', "line 2", "半角 ,"),
        ('title = "論語"\n［date］\ntext = "清"', "line 2", "半角 ["),
        ("title = 論語", "line 1", '"論語"'),
        ("creator = [何晏]", "line 1", '"何晏"'),
        ("title = True", "line 1", '"True"'),
        ('title = "論', "line 1", "闭合"),
        ('title = "a"\ntitle = "b"', "", "两次"),
        ("[date]\n[date]", "line 2", "两次"),
        ("[[page]\n", "line 1", "[[ ]]"),
        ('title = "C:\\書"', "line 1", "反斜杠"),
        ('title "x"', "line 1", "等号"),
        ('creator = ["a" "b"]', "line 1", "逗号"),
        ('creator = ["a", "b"', "line 1", "闭合"),
        ('title = "a" title', "line 1", "多余"),
        ('title = "a\nb"', "line 1", '"""'),
        ("date = 1937-02-30", "line 1", "日期"),
    ],
)
def test_usual_mistakes_are_named(content: str, place: str, words: str) -> None:
    fault = fault_of(content)
    assert fault.code == "record.syntax"
    assert fault.place.startswith(place)
    assert words in fault.message.zh


@pytest.mark.parametrize("content", ['title = "“論語”、「孟子」：全"', '# “x”，\ntitle = "x" # ＝', "title = '「x」'"])
def test_chinese_punctuation_within_texts_is_no_fault(content: str) -> None:
    assert read_record(content.encode())[1] == ()


def test_mistake_elsewhere_is_not_blamed_on_punctuation_within_texts() -> None:
    assert "逗号" in fault_of('creator = ["“何晏”，" "邢昺"]').message.zh


@given(st.text("abc=[]{}\"'#,.\n \\\t\r1-:“”，論\x01", max_size=30))
def test_every_message_is_in_chinese_and_in_english(content: str) -> None:
    try:
        tomllib.loads(content)
    except tomllib.TOMLDecodeError:
        fault = fault_of(content)
        assert "不符合 TOML 语法" not in fault.message.zh
        assert re.search("[\u4e00-\u9fff]", fault.message.zh)
        assert re.fullmatch(r"line \d+, column \d+", fault.place)


@pytest.mark.parametrize(("encoding", "name"), [("gbk", "GBK"), ("gb18030", "GBK"), ("utf-16", "UTF-16")])
def test_encoding_is_recognised_and_the_remedy_named(encoding: str, name: str) -> None:
    fault = fault_of('title = "論語集解"'.encode(encoding))
    assert fault.code == "record.encoding"
    assert name in fault.message.zh
    assert name in fault.message.en
    assert "另存为" in fault.message.zh


def test_unknown_encoding_is_not_named() -> None:
    fault = fault_of(b'title = "\xff\xff"')
    assert (fault.place, fault.code) == ("byte 9", "record.encoding")
    assert "GBK" not in fault.message.zh


def test_byte_order_mark_is_accepted() -> None:
    description, faults = read_record('title = "論語"'.encode("utf-8-sig"))
    assert faults == ()
    assert description is not None
    assert description.record.title == "論語"


@pytest.mark.parametrize(
    ("key", "suggestion"),
    [
        ("titel", "title"),
        ("Title", "title"),
        ("identifer", "identifier"),
        ("callnumber", "call_number"),
        ("viewing-direction", "viewing_direction"),
        ("題名", "title"),
        ("作者", "creator"),
        ("author", "creator"),
        ("pages", "page"),
        ("foo", None),
        ("publisher", None),
        ("x", None),
        ("鈐印", None),
    ],
)
def test_only_a_near_key_is_suggested(key: str, suggestion: str | None) -> None:
    assert suggested_key(key, KEYS) == suggestion


def test_unknown_key_without_a_near_one_lists_the_keys() -> None:
    (fault,) = read_record(b'title = "x"\npublisher = "y"')[1]
    assert "identifier" in fault.message.zh
    assert "？" not in fault.message.zh


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_edit_distance_is_symmetric_and_bounded(text: str, other: str) -> None:
    distance = edit_distance(text, other)
    assert distance == edit_distance(other, text)
    assert abs(len(text) - len(other)) <= distance <= max(len(text), len(other))
    assert (distance == 0) == (text == other)
