"""Names of accounts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.errors import RequestInvalid
from repository.model.accounts import account_name, normalized_name


@pytest.mark.parametrize(
    ("text", "name"),
    [("Wang.Fang", "wang.fang"), ("王芳", "王芳"), ("ＷＡＮＧ", "wang"), (" a@lib.example ", "a@lib.example")],
)
def test_names_are_stored_without_case_and_width(text: str, name: str) -> None:
    assert account_name(text) == name


@pytest.mark.parametrize("text", ["", " ", "-x", ".x", "a b", "a\nb", "a\x1b[m", "a/b", "x" * 65, "<b>", "a\u202eb"])
def test_names_with_other_characters_are_refused(text: str) -> None:
    with pytest.raises(RequestInvalid):
        account_name(text)


@given(st.text(max_size=80))
def test_normalizing_a_name_again_changes_nothing(text: str) -> None:
    assert normalized_name(normalized_name(text)) == normalized_name(text)
