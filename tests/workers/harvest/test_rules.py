"""The rules that clean records: names, dates, languages and rights as partners write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.model.reign_years import Years
from repository.model.years_in_text import years_in
from workers.harvest.clean_record import CleanName
from workers.harvest.languages import language_tag
from workers.harvest.names import read_names
from workers.harvest.rules import RULES, clean, rights_uri, work_key
from workers.harvest.source_record import FIELDS, SourceRecord

PUBLIC_DOMAIN = "http://creativecommons.org/publicdomain/mark/1.0/"


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("〔清〕曹雪芹撰", [("曹雪芹", "清", "撰")]),
        ("(清)阮元撰；(清)盧宣旬摘錄", [("阮元", "清", "撰"), ("盧宣旬", "清", "摘錄")]),
        ("（明）羅貫中 編次", [("羅貫中", "明", "編次")]),
        ("清·蒲松齡著", [("蒲松齡", "清", "著")]),
        ("曹雪芹 (清)", [("曹雪芹", "清", "")]),
        ("司馬遷（漢）撰", [("司馬遷", "漢", "撰")]),
        ("[唐]孔穎達等奉敕撰", [("孔穎達", "唐", "等奉敕撰")]),
        ("朱熹, 1130-1200", [("朱熹", "", "")]),
        ("農商務省[編]", [("農商務省", "", "編")]),
        ("Zhu Xi, editor", [("Zhu Xi", "", "editor")]),
        ("王選", [("王選", "", "")]),
        ("陳第", [("陳第", "", "")]),
        ("明善堂", [("明善堂", "", "")]),
    ],
)
def test_names_have_dynasty_and_role(statement: str, names: list[tuple[str, str, str]]) -> None:
    assert read_names(statement) == tuple(CleanName(*name) for name in names)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("1782", 1782, 1782),
        ("c. 1736-95", 1736, 1795),
        ("178-", 1780, 1789),
        ("17uu", 1700, 1799),
        ("1782-05-01", 1782, 1782),
        ("18th century", 1701, 1800),
        ("十八世紀", 1701, 1800),
        ("清光緒三年 [1877]", 1877, 1877),
        ("清乾隆間 (1782)", 1782, 1782),
        ("[東京] ： 外務省情報部，1931-37．", 1931, 1937),
        ("元至正元年(1350)", 1341, 1350),
    ],
)
def test_dates_of_every_kind_are_years(text: str, first: int, last: int) -> None:
    assert years_in(text) == Years(first, last)


@pytest.mark.parametrize("text", ["", "no date", "s.d.", "20130522", "99999"])
def test_what_is_no_date_is_none(text: str) -> None:
    assert years_in(text) is None


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("公有領域", PUBLIC_DOMAIN),
        ("This work is in the public domain.", PUBLIC_DOMAIN),
        ("https://creativecommons.org/publicdomain/mark/1.0/deed.zh", PUBLIC_DOMAIN),
        ("CC BY-NC 4.0", "http://creativecommons.org/licenses/by-nc/4.0/"),
        ("见 http://rightsstatements.org/vocab/NKC/1.0/ 。", "http://rightsstatements.org/vocab/NKC/1.0/"),
        ("版权所有", "http://rightsstatements.org/vocab/InC/1.0/"),
        ("This item is not in the public domain", ""),
        ("public domain; all rights reserved", ""),
        ("請洽本館", ""),
    ],
)
def test_rights_are_uris_only_where_their_meaning_is_certain(text: str, uri: str) -> None:
    assert rights_uri(text) == uri


@pytest.mark.parametrize(
    ("value", "tag"), [("chi", "zh"), ("中文", "zh"), ("文言", "lzh"), ("Japanese", "ja"), ("xx?", "xx?")]
)
def test_languages_are_tags(value: str, tag: str) -> None:
    assert language_tag(value) == tag


def test_the_same_work_has_one_key_without_juan_and_in_any_script() -> None:
    keys = {work_key("紅樓夢一百二十回", "曹雪芹"), work_key("紅樓夢 120回", "曹雪芹"), work_key("紅樓夢", "曹雪芹")}
    assert keys == {"紅樓夢|曹雪芹"}
    assert work_key("", "曹雪芹") == ""


def test_each_change_names_its_rule_with_what_was_before_and_after() -> None:
    cleaning = clean(SourceRecord(title=("<i>論語</i>注疏 / 〔宋〕邢昺疏.",), date=("宋大觀二年",), language=("chi",)))
    assert cleaning.record.title == "論語 注疏"
    assert [(change.rule, change.field) for change in cleaning.changes] == [
        ("text", "title"),
        ("title", "title"),
        ("title", "creator"),
        ("names", "creator"),
        ("dates", "date"),
        ("languages", "language"),
        ("duplicates", "key"),
    ]
    assert (cleaning.changes[4].before, cleaning.changes[4].after) == ("宋大觀二年", "1108")


def test_every_rule_says_in_both_languages_what_it_does() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.title.zh and rule.title.en and rule.description.zh and rule.description.en for rule in RULES)


VALUES = st.lists(st.text(max_size=30), max_size=3).map(tuple)


@given(st.fixed_dictionaries(dict.fromkeys(FIELDS, VALUES)))
def test_any_record_is_cleaned_and_cleaning_tells_what_it_changed(values: dict[str, tuple[str, ...]]) -> None:
    source = SourceRecord(**values)
    cleaning = clean(source)
    assert all(change.before != change.after for change in cleaning.changes)
    assert clean(source) == cleaning
