import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.model.condition import Condition, Repair
from repository.model.work import Dating, Image, Master, Page, Range, Record, Rights, Volume, Work
from repository.model.work_json import rights_of_json, work_of_json, work_to_json

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
CONDITIONS = st.none() | st.builds(
    Condition,
    grade=NAMED,
    damage=WORDS,
    causes=LISTS,
    assessed=NAMED,
    repairs=st.lists(st.builds(Repair, WORDS, WORDS, NAMED), max_size=2).map(tuple),
)
VOLUMES = st.lists(st.builds(Volume, WORDS, st.lists(PAGES, max_size=3).map(tuple), CONDITIONS), max_size=2).map(tuple)
RIGHTS = st.builds(Rights, NAMED, max_size=st.none() | st.integers(1, 10**5))
WORKS = st.builds(Work, WORDS, RECORDS, VOLUMES, st.lists(RANGES, max_size=2).map(tuple), RIGHTS, condition=CONDITIONS)


@given(WORKS)
def test_a_work_survives_json(work):
    assert work_of_json(work_to_json(work)) == work
    assert rights_of_json(work_to_json(work)) == work.rights


@given(WORKS)
def test_json_of_a_work_is_canonical(work):
    document = work_to_json(work)
    assert work_to_json(work_of_json(document)) == document
    assert json.loads(document)["format"] == "shanben work 1"


WORK = Work(
    "w1",
    Record("論語", date=Dating(earliest="1573")),
    (Volume("上", (Page("1", "一", (Image("i1", 1, 2, Master("masters/1.tif", "0" * 64, 3, "image/tiff")),)),)),),
    (Range("卷一", ranges=(Range("學而", ("1",)),)),),
)


@pytest.mark.parametrize("key", ["identifier", "record", "viewing_direction", "behavior"])
def test_documents_without_a_required_key_are_refused(key):
    document = json.loads(work_to_json(WORK))
    del document[key]
    with pytest.raises(ValueError, match=key):
        work_of_json(json.dumps(document).encode())


@pytest.mark.parametrize("document", [b"[]", b"{}", b'{"format":"shanben work 1"}', b"nonsense", b'{"format":"other"}'])
def test_documents_of_other_formats_are_refused(document):
    with pytest.raises(ValueError, match="."):
        work_of_json(document)


def test_empty_values_are_left_out_of_the_document_and_restored():
    work = Work("w1", Record("論語", date=Dating()), (Volume("", (Page("1", ""),)),), (Range(""),))
    assert json.loads(work_to_json(work)) == {
        "format": "shanben work 1",
        "identifier": "w1",
        "record": {"title": "論語"},
        "volumes": [{"pages": [{"key": "1"}]}],
        "ranges": [{}],
        "rights": {"access": "open"},
        "viewing_direction": "right-to-left",
        "behavior": "paged",
    }
    assert work_of_json(work_to_json(work)) == replace(work, record=Record("論語"))


@pytest.mark.parametrize(
    ("place", "value", "path"),
    [
        (("note",), "x", "$"),
        (("format",), "shanben work 2", "$.format"),
        (("viewing_direction",), "up", "$.viewing_direction"),
        (("record", "title"), 3, "$.record.title"),
        (("record", "creator"), "孔子", "$.record.creator"),
        (("record", "date", "month"), "1", "$.record.date"),
        (("ranges", 0, "ranges", 0, "page"), "1", "$.ranges[0].ranges[0]"),
        (("volumes", 0, "pages", 0, "images", 0, "width"), "1", "$.volumes[0].pages[0].images[0].width"),
        (("volumes", 0, "pages", 0, "images", 0, "master", "bytes"), 1.5, "master.bytes"),
        (("volumes", 0, "pages", 0, "images", 0, "master", "size"), 1, "$.volumes[0].pages[0].images[0].master"),
        (("rights", "watermark"), 1, "$.rights.watermark"),
    ],
)
def test_unknown_keys_and_wrong_types_are_refused_with_their_path(place, value, path):
    document = json.loads(work_to_json(WORK))
    parent = document
    for step in place[:-1]:
        parent = parent[step]
    parent[place[-1]] = value
    with pytest.raises(ValueError, match=re.escape(path)):
        work_of_json(json.dumps(document).encode())


def test_deeply_nested_json_is_refused():
    with pytest.raises(ValueError, match="nested"):
        work_of_json(b"[" * 100_000)
