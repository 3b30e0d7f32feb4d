"""Documents of partners that no program should send are refused or read in part; none ends a run with a traceback."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workers.harvest.iiif_documents import PartnerCollection, PartnerManifest, read_document
from workers.harvest.oai_pmh import read_records
from workers.harvest.xml_documents import DocumentRefused

MANIFEST = "https://partner.example/1/manifest"


@pytest.mark.parametrize("kind", [["Manifest"], {"a": 1}, 7, None])
def test_type_that_is_no_text_is_refused(kind: Any) -> None:
    with pytest.raises(DocumentRefused):
        read_document(json.dumps({"type": kind}).encode())


def test_member_of_an_impossible_type_counts_as_a_manifest() -> None:
    members = [{"id": MANIFEST, "type": ["Manifest"]}]
    found = read_document(json.dumps({"type": "Collection", "items": members}).encode())
    assert isinstance(found, PartnerCollection)
    assert found.manifests == (MANIFEST,)


def test_member_whose_url_seems_to_be_elsewhere_is_left_out() -> None:
    disguised = {"id": "https://partner.example@elsewhere.example/1", "type": "Manifest"}
    members = [disguised, {"id": MANIFEST, "type": "Manifest"}]
    found = read_document(json.dumps({"type": "Collection", "items": members}).encode())
    assert isinstance(found, PartnerCollection)
    assert found.manifests == (MANIFEST,)


def test_text_in_deeply_nested_lists_is_left_out() -> None:
    nested = "[" * 900 + '"deep"' + "]" * 900
    body = f'{{"type": "Manifest", "id": "{MANIFEST}", "label": ["title", {nested}]}}'
    found = read_document(body.encode())
    assert isinstance(found, PartnerManifest)
    assert found.record.title == ("title",)


def test_record_without_a_canonical_form_is_counted_and_the_others_are_read() -> None:
    records = "".join(
        f"<record><header><identifier>oai:a:{number}</identifier><datestamp>2026-01-01</datestamp></header>"
        f'<metadata><book xmlns="{namespace}"/></metadata></record>'
        for number, namespace in enumerate(("relative/name", "https://example.org/"))
    )
    root = '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
    found = read_records(f"{root}<ListRecords>{records}</ListRecords></OAI-PMH>".encode())
    assert [record.identifier for record in found.records] == ["oai:a:1"]
    assert found.unreadable == 1
