"""What is shown of a work, and in which size."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.access import AccessVerdict, Decision
from web.messages.rights import rights_statement
from web.site.view_models import fitted, page_numbers, thumbnail

OPEN = Decision(AccessVerdict.OPEN)


@dataclass(frozen=True)
class Photograph:
    identifier: str
    width: int
    height: int


def test_a_thumbnail_is_a_stored_tile() -> None:
    shown = thumbnail(Photograph("i", 3000, 4000), 512, OPEN, from_right=True)
    assert shown is not None
    assert (shown.path, shown.width, shown.height) == ("i/full/375,500/0/default.jpg", 375, 500)


def test_a_small_image_is_shown_whole() -> None:
    shown = thumbnail(Photograph("i", 60, 80), 512, OPEN, from_right=True)
    assert shown is not None
    assert shown.path == "i/full/max/0/default.jpg"


@pytest.mark.parametrize(("from_right", "left"), [(True, 30000 - 3000), (False, 0)])
def test_a_scroll_is_known_by_its_beginning(from_right: bool, left: int) -> None:
    shown = thumbnail(Photograph("i", 30000, 1500), 512, OPEN, from_right=from_right)
    assert shown is not None
    assert shown.path == f"i/{left},0,3000,1500/!400,400/0/default.jpg"
    assert (shown.width, shown.height) == (400, 200)


@given(st.integers(1, 100_000), st.integers(1, 100_000), st.integers(1, 2000))
def test_reduced_access_is_never_exceeded(width: int, height: int, allowed: int) -> None:
    decision = Decision(AccessVerdict.REDUCED, allowed)
    for shown in (
        thumbnail(Photograph("i", width, height), 512, decision, from_right=True),
        fitted(Photograph("i", width, height), 1600, decision),
    ):
        assert shown is not None
        assert max(shown.width, shown.height) <= max(allowed, 1)
        assert min(shown.width, shown.height) >= 1


@pytest.mark.parametrize("verdict", [AccessVerdict.REFUSED, AccessVerdict.WITHDRAWN])
def test_what_is_refused_is_not_shown(verdict: AccessVerdict) -> None:
    assert thumbnail(Photograph("i", 60, 80), 512, Decision(verdict), from_right=True) is None
    assert fitted(Photograph("i", 60, 80), 512, Decision(verdict)) is None


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
def test_the_pager_shows_the_ends_and_the_neighbours(current: int, last: int, shown: list[int | None]) -> None:
    assert page_numbers(current, last) == shown


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
def test_rights_are_told_in_words(uri: str, chinese: str, english: str) -> None:
    assert (rights_statement(uri).zh, rights_statement(uri).en) == (chinese, english)


@pytest.mark.parametrize(
    "uri", ["https://library.example/terms", "http://creativecommons.org/licenses/xx/4.0/", "urn:x"]
)
def test_unknown_rights_are_told_as_they_stand(uri: str) -> None:
    assert rights_statement(uri).zh == uri
