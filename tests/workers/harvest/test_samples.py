"""Real answers and records of other institutions are read and cleaned."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.harvest.formats import read_record
from workers.harvest.iiif_documents import PartnerManifest, read_document
from workers.harvest.oai_pmh import ProviderError, read_formats, read_identity, read_records
from workers.harvest.rules import clean
from workers.harvest.xml_documents import parse_xml


def test_answers_of_a_provider_are_read(shared: Path) -> None:
    folder = shared / "conformance" / "oai-pmh"
    identity = read_identity((folder / "Identify.xml").read_bytes())
    assert (identity.name, identity.deleted, identity.has_seconds) == ("A Test Repository", "persistent", False)
    assert read_formats((folder / "ListMetadataFormats.xml").read_bytes()) == {"oai_dc": "oai_dc", "mods": "mods"}
    listed = read_records((folder / "ListRecords.xml").read_bytes())
    assert (listed.token, listed.size) == ("ListRecords2.xml", 8)
    assert [(record.identifier[-7:], record.element is None) for record in listed.records] == [
        ("1585310", True),
        ("1585322", False),
    ]
    assert read_records((folder / "noRecordsMatch.xml").read_bytes()).records == ()
    with pytest.raises(ProviderError):
        read_records((folder / "badArgument.xml").read_bytes())


def test_manifests_of_the_toyo_bunko_are_read_and_cleaned(shared: Path) -> None:
    files = sorted((shared / "data" / "metadata" / "iiif-v2-manifests").glob("*.json"))
    documents = [read_document(file.read_bytes()) for file in files]
    records = [clean(each.record).record for each in documents if isinstance(each, PartnerManifest)]
    assert len(records) == 6
    assert {record.holder for record in records} == {"東洋文庫"}
    assert all(record.title and record.manifest and record.thumbnail for record in records)
    by_title = {record.title: record for record in records}
    staff = by_title["中華民国国民政府組織系統及重要職員表"]
    assert staff.names[0].name == "外務省情報部"
    assert staff.date is not None
    assert (staff.date.earliest, staff.date.latest) == ("1931", "1937")


def test_marc_records_are_read_in_their_original_script(shared: Path) -> None:
    root = parse_xml((shared / "data" / "metadata" / "marc" / "test_data.utf8.marc.xml").read_bytes())
    records = [clean(read_record(element)).record for element in root]
    assert len(records) > 10
    assert all(record.title for record in records)
    assert "久保栄 「火山灰地」 を読む" in {record.title for record in records}


def test_a_mods_record_is_read(shared: Path) -> None:
    record = clean(read_record(parse_xml((shared / "data" / "metadata" / "mods" / "001.mods").read_bytes()))).record
    assert (record.language, record.call_number, record.dimensions) == (("ru",), ("001",), "20 pages ; 21 cm")
    assert record.date is not None
    assert record.date.earliest == "2013"


CNMARC = """<record xmlns="http://www.loc.gov/MARC21/slim"><leader>00000nam0 2200000   450 </leader>
<datafield tag="200" ind1="1" ind2=" "><subfield code="a">史記一百三十卷</subfield></datafield>
<datafield tag="210" ind1=" " ind2=" "><subfield code="a">常熟</subfield><subfield code="c">汲古閣</subfield>
<subfield code="d">明崇禎十四年</subfield></datafield>
<datafield tag="701" ind1=" " ind2="0"><subfield code="c">(漢)</subfield><subfield code="a">司馬遷</subfield>
<subfield code="4">撰</subfield></datafield>
<datafield tag="101" ind1="0" ind2=" "><subfield code="a">chi</subfield></datafield></record>"""


def test_cnmarc_is_recognised_by_its_tags() -> None:
    record = clean(read_record(parse_xml(CNMARC.encode()))).record
    assert (record.title, record.edition, record.place) == ("史記一百三十卷", "汲古閣", ("常熟",))
    assert record.language == ("zh",)
    assert [(name.name, name.dynasty, name.role) for name in record.names] == [("司馬遷", "漢", "撰")]
    assert record.date is not None
    assert record.date.earliest == "1641"
