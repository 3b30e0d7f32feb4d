"""Records in partners' formats are valid by their schemas and say what the catalogue says, and no more."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from lxml import etree
from publications import publication
from pymarc import parse_xml_to_array
from schemas import partners_schema

from iiif_server.records.context import RecordContext
from iiif_server.records.formats import BY_PREFIX, XML_FORMATS, record_document, see_also
from iiif_server.records.marc import fixed_data
from repository.model.access import AccessVerdict, Decision
from repository.model.work import Dating, Range, Record, Rights, Work

OPEN = RecordContext("https://books.example", "某館", Decision(AccessVerdict.OPEN), "2026-01-31T08:00:00Z")
REFUSED = replace(OPEN, decision=Decision(AccessVerdict.REFUSED))
SMALLEST = replace(publication("無", images=0).work, record=Record("無題"))
PLAIN = publication("千字文").work
FULL = replace(
    PLAIN,
    record=Record(
        "千字文 <試> 𠀀\x01",
        "LIB-7",
        ("周興嗣撰", "某人注"),
        Dating("清乾隆間", "1736", "1795"),
        ("lzh", "mnc"),
        "經部·小學類",
        "刻本",
        "半框 20 × 14 厘米",
        "善 0001",
        "某圖書館",
        "天地玄黃。",
        ("金陵",),
    ),
    ranges=(Range("卷一", ("0001",), (Range("序", ("0002",)),)), Range("卷二", ("0002",))),
    rights=Rights("http://creativecommons.org/publicdomain/mark/1.0/"),
)
WORKS = {"smallest": SMALLEST, "plain": PLAIN, "full": FULL}


@pytest.fixture(scope="module")
def schema(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> etree.XMLSchema:
    return partners_schema(shared, tmp_path_factory.mktemp("schemas"))


@pytest.mark.parametrize("context", [OPEN, REFUSED, replace(OPEN, provider="")], ids=["open", "refused", "no name"])
def test_every_record_is_valid_by_its_schema(schema: etree.XMLSchema, context: RecordContext) -> None:
    for made in XML_FORMATS:
        for work in WORKS.values():
            root = etree.fromstring(record_document(made, work, context))
            schema.assertValid(root)
            assert etree.QName(root).namespace == made.namespace
            assert made.schema in root.get("{http://www.w3.org/2001/XMLSchema-instance}schemaLocation")


@pytest.mark.parametrize("made", XML_FORMATS, ids=lambda made: made.prefix)
def test_every_format_has_the_title_the_holder_and_the_address_of_the_page(made) -> None:
    document = record_document(made, FULL, OPEN).decode()
    for words in ("千字文 &lt;試&gt; 𠀀\ufffd", "周興嗣撰", "刻本", "清乾隆間", "善 0001", "某圖書館", "經部·小學類"):
        assert words in document
    assert f"https://books.example/works/{FULL.identifier}<" in document
    assert f"https://books.example/iiif/presentation/3/{FULL.identifier}/manifest" in document


def test_no_record_names_files_or_digests() -> None:
    for made in XML_FORMATS:
        document = record_document(made, FULL, OPEN).decode()
        assert ".tif" not in document
        assert "masters/" not in document


def test_mets_names_the_images_of_every_page_unless_access_shows_none() -> None:
    document = etree.fromstring(record_document(BY_PREFIX["mets"], FULL, OPEN))
    images = [image.identifier for image in FULL.images()]
    assert [file.get("ID") for file in document.iter("{*}file")] == images
    physical, logical = document.findall("{*}structMap")
    assert [pointer.get("FILEID") for pointer in physical.iter("{*}fptr")] == images
    assert [div.get("LABEL") for div in logical.iter("{*}div") if div.get("TYPE") == "section"] == [
        "卷一",
        "序",
        "卷二",
    ]
    refused = record_document(BY_PREFIX["mets"], FULL, REFUSED)
    assert b"/iiif/image/" not in refused
    assert b"fptr" not in refused


def test_restricted_access_is_stated() -> None:
    for prefix in ("mods", "marcxml"):
        assert "图像限制利用" in record_document(BY_PREFIX[prefix], FULL, REFUSED).decode()
        assert "图像" not in record_document(BY_PREFIX[prefix], FULL, OPEN).decode()


def test_records_are_read_as_they_were_catalogued() -> None:
    mods = etree.fromstring(record_document(BY_PREFIX["mods"], FULL, OPEN))
    assert mods.findtext("{*}originInfo/{*}place/{*}placeTerm") == "金陵"
    (record,) = parse_xml_to_array(BytesIO(record_document(BY_PREFIX["marcxml"], FULL, OPEN)))
    assert record.title == "千字文 <試> 𠀀\ufffd"
    assert record["001"].data == FULL.identifier
    assert [field["a"] for field in record.get_fields("720")] == ["周興嗣撰", "某人注"]
    assert record["041"].get_subfields("a") == ["lzh", "mnc"]
    assert record["260"].get_subfields("a", "c") == ["金陵", "清乾隆間"]
    assert record["852"].get_subfields("a", "j") == ["某圖書館", "善 0001"]
    assert not record.get_fields("880")
    assert len(record["008"].data) == 40


@pytest.mark.parametrize(
    ("date", "languages", "expected"),
    [
        (Dating("清乾隆間", "1736", "1795"), ("lzh",), "260131q17361795xx |||||||||||||||||chi|d"),
        (Dating("萬曆十二年", "1584-02-12", "1584-12-31"), ("zh-Hant",), "260131s1584    xx |||||||||||||||||chi|d"),
        (Dating("西漢", "-0205", "0009"), ("lzh", "mnc"), "260131b        xx |||||||||||||||||mul|d"),
        (Dating("不詳"), (), "260131nuuuuuuuuxx |||||||||||||||||und|d"),
        (None, ("tlh",), "260131nuuuuuuuuxx |||||||||||||||||und|d"),
    ],
)
def test_the_fixed_field_of_marc_has_the_years_and_the_language(
    date: Dating | None, languages: tuple[str, ...], expected: str
) -> None:
    work: Work = replace(SMALLEST, record=Record("無題", date=date, language=languages))
    assert fixed_data(work, "2026-01-31T08:00:00Z") == expected


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (Dating("清", "1644", "1911"), [("w3cdtf", "start", "1644"), ("w3cdtf", "end", "1911")]),
        (Dating("1584年", "1584", "1584"), [("w3cdtf", None, "1584")]),
        (Dating("西漢", "-0205", "0009"), [("edtf", "start", "-0205"), ("w3cdtf", "end", "0009")]),
        (Dating("不詳"), []),
    ],
)
def test_mods_has_the_machine_dates_as_a_range(date: Dating, expected: list[tuple[str, str | None, str]]) -> None:
    work = replace(SMALLEST, record=Record("無題", date=date))
    document = etree.fromstring(record_document(BY_PREFIX["mods"], work, OPEN))
    text, *dates = document.iter("{*}dateCreated")
    assert text.text == date.text
    assert [(each.get("encoding"), each.get("point"), each.text) for each in dates] == expected
    assert [each.get("keyDate") for each in dates][:1] == ["yes"][: len(dates)]


def test_links_to_records_have_the_members_that_iiif_asks_for() -> None:
    for link in see_also("w1", "https://books.example"):
        assert link.keys() == {"id", "type", "label", "format", "profile"}
        assert link["type"] == "Dataset"
