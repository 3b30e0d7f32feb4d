"""Identifiers are minted the same each time and catch a slip of the finger."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.errors import IdentifierInvalid
from repository.identifiers import ALPHABET, Kind, check_character, is_valid, mint, parse

KINDS = st.sampled_from(list(Kind))


def test_the_check_character_is_that_of_noids_published_example():
    assert check_character("13030/xf93gt2") == "q"


@given(KINDS, st.lists(st.text(), min_size=1))
def test_a_minted_identifier_parses_to_itself(kind, parts):
    assert parse(mint(kind, *parts), kind) == mint(kind, *parts)


@given(st.text(), st.text())
def test_parts_do_not_run_into_each_other(first, second):
    assert mint(Kind.WORK, first, second) != mint(Kind.WORK, first + second)


def test_typing_in_capitals_with_spaces_around_is_forgiven():
    identifier = mint(Kind.IMAGE, "a")
    assert parse(f" {identifier.upper()} ", Kind.IMAGE) == identifier


@given(KINDS, st.text(), st.integers(1, 17), st.sampled_from(ALPHABET))
def test_any_one_wrong_character_is_noticed(kind, part, place, character):
    right = mint(kind, part)
    wrong = right[:place] + character + right[place + 1 :]
    assert is_valid(wrong, kind) == (wrong == right)


@given(KINDS, st.text(), st.integers(1, 16))
def test_two_neighbours_swapped_are_noticed(kind, part, place):
    right = mint(kind, part)
    wrong = right[:place] + right[place + 1] + right[place] + right[place + 2 :]
    assert is_valid(wrong, kind) == (wrong == right)


@pytest.mark.parametrize("text", ["", "w", "../etc/passwd", "w" * 18, mint(Kind.IMAGE, "a"), "w\x00"])
def test_what_is_no_work_identifier_is_refused_in_both_languages(text):
    with pytest.raises(IdentifierInvalid) as refusal:
        parse(text, Kind.WORK)
    assert refusal.value.message.zh != refusal.value.message.en
