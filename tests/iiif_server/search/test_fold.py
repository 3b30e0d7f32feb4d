"""Folding: what counts as a character, and which characters are one in each tier."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiif_server.search.fold import TIERS, Tier, encode, encode_pairs, fold, fold_positions, tables


@pytest.mark.parametrize(
    ("one", "other", "tier"),
    [
        ("學而，時習\n之！", "學而時習之", Tier.EXACT),
        ("論語", "论语", Tier.FOLDED),
        ("ＡＢＣ", "abc", Tier.FOLDED),
        ("羣峯", "群峰", Tier.FOLDED),
        ("説", "說", Tier.FOLDED),
        ("萬厯", "万历", Tier.VARIANT),
        ("㍿", "株式会社", Tier.FOLDED),
    ],
)
def test_texts_are_alike_from_their_tier_on(one: str, other: str, tier: Tier) -> None:
    alike = {each for each in TIERS if fold(one, each) == fold(other, each)}
    assert alike == set(TIERS[TIERS.index(tier) :])


@pytest.mark.parametrize("character", ["□", "⿰", "\ue123", "\U00020089", "\U000323b0", "\U000f0001", "〇", "々"])
def test_rare_and_private_characters_are_searched(character: str) -> None:
    assert [fold(character, tier) for tier in TIERS] == [character] * 3


@pytest.mark.parametrize("character", ["，", " ", "\u3000", "\n", "「", "\u200b", "\ufe00", "\U000e0100", "-"])
def test_punctuation_spaces_and_selectors_are_no_characters(character: str) -> None:
    assert {fold(f"天{character}地", tier) for tier in TIERS} == {"天地"}


def test_two_common_characters_with_meanings_of_their_own_are_never_variants() -> None:
    for one, other in ("著着", "乾坤", "丑寅", "朴樸"):
        if fold(one, Tier.FOLDED) != fold(other, Tier.FOLDED):
            assert fold(one, Tier.VARIANT) != fold(other, Tier.VARIANT)


@pytest.mark.parametrize(
    ("one", "other", "tier"),
    [
        *(
            (*pair, Tier.FOLDED)
            for pair in ["后後", "于於", "云雲", "余餘", "里裏", "里裡", "干乾", "干幹", "谷穀", "征徵", "范範", "丑醜"]
        ),
        *(
            (*pair, Tier.VARIANT)
            for pair in ["卷巻", "会㑹", "微㣲", "乾乹", "和龢", "俯頫", "苏甦", "咳欬", "虻蝱", "刊刋", "秋龝", "略畧"]
        ),
        *(
            (*pair, None)
            for pair in [
                "间閒",
                "间闲",
                "苟茍",
                "开幵",
                "园刓",
                "卬卭",
                "敦惇",
                "爱暧",
                "已己",
                "戍戌",
                "未末",
                "任仼",
                "著着",
            ]
        ),
    ],
)
def test_pairs_of_characters_are_alike_as_catalogues_have_them(one: str, other: str, tier: Tier | None) -> None:
    first = next((each for each in TIERS if fold(one, each) == fold(other, each)), None)
    assert first is tier


def test_the_table_of_variants_has_one_hop_and_nothing_that_is_simplified_already() -> None:
    made = tables()
    assert not made.heads.keys() & {ord(head) for head in made.heads.values()}
    assert all(chr(one) == made.simplified.get(one, chr(one)) for one in made.heads)
    assert all(head == made.simplified.get(ord(head), head) for head in made.heads.values())


def test_capital_letters_differ_in_the_exact_tier_of_the_index() -> None:
    assert encode("aA論") == "a uA 論"
    assert encode_pairs("論語") == "論語"
    assert encode_pairs("論") == ""
    made = [encode_pairs(one + other).lower() for one in "uUaA論" for other in "uUaA論"]
    assert len(set(made)) == 25
    assert all(len(each.split()) == 1 for each in made)


@given(st.text(st.sampled_from("論语，峯㍿A ⿰□\U00020089\ue000é"), max_size=20))
def test_every_token_is_said_to_come_from_its_character(text: str) -> None:
    for tier in TIERS:
        tokens, places = fold_positions(text, tier)
        assert tokens == fold(text, tier)
        assert all(token in fold(text[place], tier) for token, place in zip(tokens, places, strict=True))
        assert places == sorted(places)


@given(st.text(max_size=8))
def test_each_tier_is_kept_by_the_next(text: str) -> None:
    assert fold(fold(text, Tier.EXACT), Tier.FOLDED) == fold(text, Tier.FOLDED)
    assert fold(fold(text, Tier.FOLDED), Tier.VARIANT) == fold(text, Tier.VARIANT)
