"""Pagers, and the statements of rights URIs."""

from __future__ import annotations

import pytest

from repository.localized import Language
from repository.model.condition import Condition, Repair
from repository.model.work import Record, Volume, Work
from web.messages.rights import rights_statement
from web.site.view_models import RecordRow, condition_rows, page_numbers


@pytest.mark.parametrize(
    ("current", "last", "shown"),
    [
        (1, 1, [1]),
        (1, 3, [1, 2, 3]),
        (1, 9, [1, 2, None, 9]),
        (5, 9, [1, None, 4, 5, 6, None, 9]),
        (9, 9, [1, None, 8, 9]),
    ],
)
def test_pager_shows_both_ends_and_the_neighbours(current: int, last: int, shown: list[int | None]) -> None:
    assert page_numbers(current, last) == shown


def test_condition_of_a_work_and_its_volumes_is_shown_in_each_language() -> None:
    repair = Repair("2025-01", "溜口", "匠人")
    whole = Condition("一级甲等", "三级破损", ("虫蛀", "水渍"), "2024-05-03", "某某", "备注", (repair,))
    volumes = (Volume("卷上"), Volume("卷下", condition=Condition(damage="一级破损", assessed="2024")))
    work = Work("w1", Record("論語"), volumes, condition=whole)
    assert condition_rows(work, Language.CHINESE) == [
        RecordRow("record.grade", ("一级甲等",)),
        RecordRow("record.damage", ("三级破损（虫蛀、水渍；2024-05-03）", "卷下：一级破损（2024）")),
        RecordRow("record.repairs", ("2025-01 溜口",)),
    ]
    damage = condition_rows(work, Language.ENGLISH)[1].values
    assert damage == ("Damage 3 (insect damage, 水渍; 2024-05-03)", "卷下：Damage 1 (most severe) (2024)")
    assert condition_rows(Work("w1", Record("論語"), volumes[:1]), Language.ENGLISH) == []


@pytest.mark.parametrize(
    ("uri", "chinese", "english"),
    [
        ("http://creativecommons.org/publicdomain/mark/1.0/", "公有领域标记 1.0", "Public Domain Mark 1.0"),
        (
            "https://creativecommons.org/publicdomain/zero/1.0/",
            "CC0 公有领域贡献 1.0",
            "CC0 Public Domain Dedication 1.0",
        ),
        (
            "http://creativecommons.org/licenses/by-nc-sa/4.0/",
            "知识共享 署名-非商业性使用-相同方式共享 4.0",
            "Creative Commons Attribution-NonCommercial-ShareAlike 4.0",
        ),
        (
            "http://creativecommons.org/licenses/by/3.0/tw/",
            "知识共享 署名 3.0 TW",
            "Creative Commons Attribution 3.0 TW",
        ),
        ("http://rightsstatements.org/vocab/NoC-US/1.0/", "无版权：美国", "No copyright: United States"),
    ],
)
def test_rights_uri_has_a_statement_in_both_languages(uri: str, chinese: str, english: str) -> None:
    assert (rights_statement(uri).zh, rights_statement(uri).en) == (chinese, english)


@pytest.mark.parametrize(
    "uri", ["https://library.example/terms", "http://creativecommons.org/licenses/xx/4.0/", "urn:x"]
)
def test_unknown_rights_uri_is_its_own_statement(uri: str) -> None:
    assert rights_statement(uri).zh == uri
