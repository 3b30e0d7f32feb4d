"""A work written as JSON reads back as the same work."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.model import Dating, Image, Master, Page, Range, Record, Rights, Volume, Work
from repository.work_json import work_of_json, work_to_json

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
NAMED = st.none() | WORDS
LISTS = st.lists(WORDS, max_size=2).map(tuple)
RECORDS = st.builds(
    Record,
    title=WORDS,
    identifier=NAMED,
    creator=LISTS,
    language=LISTS,
    summary=NAMED,
    date=st.none() | st.builds(Dating, WORDS, NAMED, NAMED),
)
IMAGES = st.builds(
    Image,
    WORDS,
    st.integers(1, 10**6),
    st.integers(1, 10**6),
    st.builds(Master, WORDS, WORDS, st.integers(0, 2**50), WORDS),
)
PAGES = st.builds(Page, WORDS, WORDS, st.lists(IMAGES, max_size=2).map(tuple), NAMED, NAMED)
RANGES = st.recursive(
    st.builds(Range, WORDS, LISTS), lambda inner: st.builds(Range, WORDS, LISTS, st.lists(inner, max_size=2).map(tuple))
)
VOLUMES = st.lists(st.builds(Volume, WORDS, st.lists(PAGES, max_size=3).map(tuple)), max_size=2).map(tuple)
RIGHTS = st.builds(Rights, NAMED, max_size=st.none() | st.integers(1, 10**5))
WORKS = st.builds(Work, WORDS, RECORDS, VOLUMES, st.lists(RANGES, max_size=2).map(tuple), RIGHTS)


@given(WORKS)
def test_every_work_comes_back_whole(work):
    assert work_of_json(work_to_json(work)) == work


@given(WORKS)
def test_the_bytes_are_canonical(work):
    document = work_to_json(work)
    assert work_to_json(work_of_json(document)) == document
    assert json.loads(document)["format"] == "shanben work 1"


@pytest.mark.parametrize("document", [b"[]", b"{}", b'{"format":"shanben work 1"}', b"nonsense", b'{"format":"other"}'])
def test_other_documents_are_refused(document):
    with pytest.raises(ValueError, match="."):
        work_of_json(document)
