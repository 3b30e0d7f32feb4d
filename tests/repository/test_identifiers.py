"""Identifiers are deterministic, and their check character detects typing errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.errors import IdentifierInvalid
from repository.identifiers import ALPHABET, Kind, check_character, is_valid, mint, parse

KINDS = st.sampled_from(list(Kind))


def test_the_check_character_matches_noids_published_example():
    assert check_character("13030/xf93gt2") == "q"


@given(KINDS, st.lists(st.text(), min_size=1))
def test_a_minted_identifier_parses_to_itself(kind, parts):
    assert parse(mint(kind, *parts), kind) == mint(kind, *parts)


@given(st.text(), st.text())
def test_boundaries_of_parts_change_the_identifier(first, second):
    assert mint(Kind.WORK, first, second) != mint(Kind.WORK, first + second)


def test_capitals_and_surrounding_spaces_are_accepted():
    identifier = mint(Kind.IMAGE, "a")
    assert parse(f" {identifier.upper()} ", Kind.IMAGE) == identifier


@given(KINDS, st.text(), st.integers(1, 17), st.sampled_from(ALPHABET))
def test_every_wrong_character_is_detected(kind, part, place, character):
    right = mint(kind, part)
    wrong = right[:place] + character + right[place + 1 :]
    assert is_valid(wrong, kind) == (wrong == right)


@given(KINDS, st.text(), st.integers(1, 16))
def test_swapped_neighbours_are_detected(kind, part, place):
    right = mint(kind, part)
    wrong = right[:place] + right[place + 1] + right[place] + right[place + 2 :]
    assert is_valid(wrong, kind) == (wrong == right)


@pytest.mark.parametrize("text", ["", "w", "../etc/passwd", "w" * 18, mint(Kind.IMAGE, "a"), "w\x00"])
def test_invalid_work_identifiers_are_refused_in_both_languages(text):
    with pytest.raises(IdentifierInvalid) as refusal:
        parse(text, Kind.WORK)
    assert refusal.value.message.zh != refusal.value.message.en
