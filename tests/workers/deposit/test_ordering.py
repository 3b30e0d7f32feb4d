"""The reading order of names: every sequence shuffled sorts back, and what has no order is reported."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.model.numerals import write_numeral
from workers.deposit.ordering import arrange, tokens

SEQUENCES = [
    "第一冊 第二冊 第三冊 第四冊 第五冊 第六冊 第七冊 第八冊 第九冊 第十冊 第十一冊",
    "第壹冊 第貳冊 第叁冊 第肆冊 第拾冊 第拾壹冊",
    "卷首 卷一 卷二 卷三 卷十 卷十一 卷廿 卷廿一 卷卅 卷一百 卷一百一 卷末",
    "卷八 卷九 卷一〇 卷一一 卷一二 卷二〇",
    "卷一二 卷三四 卷五 卷六七八",
    "卷一之三 卷四之六 卷七",
    "卷一至二 卷三至四 卷十至十一",
    "首卷 卷之一 卷之二",
    "册１ 册２ 册１０",
    "上冊 中冊 下冊",
    "卷上 卷中 卷下 附錄",
    "上 下",
    "元 亨 利 貞",
    "元集 亨集 利集 贞集",
    "甲 乙 丙 丁 戊 己 庚 辛 壬 癸",
    "甲集上 甲集下 乙集上 乙集下",
    "子 丑 寅 卯 辰 巳 午 未 申 酉 戌 亥",
    "乾 坤",
    "天 地 人",
    "天字號 地字號 玄字號 黃字號 宇字號",
    "前編 後編",
    "前集 後集 續集 別集",
    "正編 續編 補編",
    "初集 二集 三集 十集",
    "初集 二集 三集 續集",
    "內集 外集",
    "內篇 外篇 雜篇",
    "經部 史部 子部 集部",
    "孟 仲 季",
    "卷一 卷二 附 補遺",
    "卷一 卷二 附錄 补遗",
    "卷一 卷二 續卷一 續卷二",
    "序 凡例 目錄 卷一上 卷一下 卷二 跋",
    "叙 目次 1 2",
    "封面 書名葉 0001 0002 0010 封底",
    "cover 0001 0002 back",
    "第一函第一册 第一函第二册 第一函第十册 第二函第一册 第十函第一册",
    "一 二 三 十",
    "一上 一下 二上 二下",
    "葉一前 葉一後 葉二前",
    "葉1表 葉1裏 葉2表",
    "光緒元年 光緒二年 光緒十年",
    "正月 二月 十二月",
    "0001 0001a 0001b 0002a 0010",
    "1 2 10 a b",
    "申報_1937-08-13_01 申報_1937-08-13_02 申報_1937-08-14_01",
    "100% 0001|a#0002|ä0019|書影0020|\U00020bb70021|が0022",
    "地圖0001 人物0002 0003",
]


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_shuffled_sequence_sorts_back(sequence: str) -> None:
    names = sequence.split("|" if "|" in sequence else None)
    for seed in range(5):
        shuffled = random.Random(seed).sample(names, len(names))
        arranged = arrange(shuffled)
        assert list(arranged.names) == names
        assert (arranged.unknown, arranged.equal) == ((), ())


@given(st.sets(st.integers(1, 999), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_numbered_volumes_sort_by_value_in_digits_and_numerals(numbers: set[int], shuffle: random.Random) -> None:
    for form in ("第{}冊", "{}", "卷{}"):
        for write in (str, lambda n: str(n).zfill(4), lambda n: str(n).translate(FULL_WIDTH), numeral):
            names = [form.format(write(number)) for number in sorted(numbers)]
            arranged = arrange(shuffle.sample(names, len(names)))
            assert list(arranged.names) == names
            assert arranged.unknown == ()


FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


def numeral(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    return (write_numeral(hundreds) + "百" if hundreds else "") + (write_numeral(rest) if rest else "")


@pytest.mark.parametrize(
    "names",
    [
        "論語 孟子",
        "東 西",
        "左 右",
        "上海0001 下關0001",
        "三國志 二程集",
        "康熙元年 雍正元年",
        "甲 a",
        "卷一 圖說",
        "木 土",
        "第一冊 volume-2",
        "元 二",
        "初編 續編 三編",
        "一集 续集 三集",
        "前集 後集 續集 別集 外集",
        "內集 外集 別集",
    ],
)
def test_names_without_an_order_are_reported(names: str) -> None:
    arranged = arrange(names.split())
    assert sorted(arranged.names) == sorted(names.split())
    assert [set(unknown) <= set(names.split()) for unknown in arranged.unknown] == [True]
    assert len(arranged.unknown[0]) > 1


def test_only_the_names_without_an_order_are_reported() -> None:
    assert arrange(["卷一", "卷二論語", "卷二孟子", "卷三"]).unknown == (("卷二孟子", "卷二論語"),)


@pytest.mark.parametrize("names", [("卷一", "卷1"), ("01", "1"), ("册１", "册1"), ("第二十冊", "第廿冊")])
def test_names_of_the_same_number_are_reported_as_equal(names: tuple[str, str]) -> None:
    assert arrange(names).equal == (tuple(sorted(names)),)


@given(st.lists(st.text("上中下一二十甲乙元卷冊0123附序a_", max_size=6), unique=True, max_size=12))
def test_every_name_is_arranged_once_and_alike_in_any_order(names: list[str]) -> None:
    arranged = arrange(names)
    assert sorted(arranged.names) == sorted(names)
    assert arrange(reversed(names)) == arranged


@given(st.lists(st.text("ab019_", max_size=5), unique=True))
def test_ascii_names_always_have_an_order(names: list[str]) -> None:
    arranged = arrange(names)
    assert arranged.unknown == ()
    keys = [
        tuple((0, token, "") if isinstance(token, int) else (1, 0, token) for token in tokens(name))
        for name in arranged.names
    ]
    assert keys == sorted(keys)
