"""The text of a page as annotations, and the links of a manifest to it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from iiif_server.presentation.linting.linter import lint_document
from iiif_server.presentation.manifest import build_manifest
from iiif_server.presentation.text_annotations import annotation_page
from iiif_server.presentation.version2 import to_version2
from iiif_server.urls import PLACEHOLDER
from repository.model.text import PageText, TextKind, TextLine
from repository.model.work import Access, Image, Master, Page, Pyramid, Record, Rectangle, Rights, Volume, Work

NOW = datetime(2026, 1, 1, tzinfo=UTC)
IMAGE = Image("i" + "a" * 17, 1000, 2000, Master("masters/0001.tif", "0" * 64, 1, "image/tiff"))
WORK = Work("w" + "a" * 17, Record("試書"), (Volume("", (Page("0001", "1", (IMAGE,)), Page("0002", "2"))),))
PYRAMIDS = {IMAGE.identifier: Pyramid("pyramids/a.zip", "0" * 64, 1, 512)}
LINES = (TextLine("天地玄黃", Rectangle(10, 20, 30, 400)), TextLine("小字", Rectangle(50, 20, 9, 40), is_note=True))
TRANSCRIPTION = PageText("0001", TextKind.TRANSCRIPTION, LINES, language="lzh")
TRANSLATION = PageText("0001", TextKind.TRANSLATION, (TextLine("Heaven"),), language="en")
OCR = PageText("0001", TextKind.OCR, (TextLine("天池"),))


def test_lines_are_annotations_in_reading_order_with_their_places() -> None:
    page = json.loads(annotation_page(WORK, 1, (TRANSCRIPTION, OCR, TRANSLATION), "https://lib.example"))
    assert not lint_document(page).errors
    canvas = f"https://lib.example/iiif/presentation/3/{WORK.identifier}/canvas/1"
    assert page["id"] == f"{canvas}/text"
    assert [(item["body"]["value"], item["target"].removeprefix(canvas)) for item in page["items"]] == [
        ("天地玄黃", "#xywh=10,20,30,400"),
        ("小字", "#xywh=50,20,9,40"),
        ("Heaven", ""),
    ]
    assert {item["motivation"] for item in page["items"]} == {"supplementing"}
    assert page["items"][1]["label"]["zh-Hans"] == ["夹注"]
    assert page["items"][2]["body"]["language"] == "en"


def test_a_page_without_text_has_an_empty_annotation_page() -> None:
    page = json.loads(annotation_page(WORK, 2, (), "https://lib.example"))
    assert page["items"] == []
    assert not lint_document(page).errors


def manifest(access: Access = Access.OPEN) -> dict[str, object]:
    work = Work(WORK.identifier, WORK.record, WORK.volumes, rights=Rights(access=access))
    texts = {"0001": frozenset({TextKind.TRANSCRIPTION})}
    document: dict[str, object] = json.loads(build_manifest(work, PYRAMIDS, "", 10**8, NOW, texts=texts))
    return document


def test_a_manifest_refers_to_the_text_of_pages_that_have_any() -> None:
    [first, second] = manifest()["items"]  # type: ignore[misc]
    [page] = first["annotations"]
    assert page["type"] == "AnnotationPage"
    assert "items" not in page
    assert [link["format"] for link in first["seeAlso"]] == ["application/xml", "text/plain"]
    assert "annotations" not in second


@pytest.mark.parametrize("access", [Access.RESTRICTED])
def test_a_manifest_of_a_work_that_is_not_shown_does_not_tell_of_its_text(access: Access) -> None:
    assert "/text" not in json.dumps(manifest(access))


def test_a_manifest_of_a_work_with_text_declares_the_search_within_it() -> None:
    newest, older = manifest()["service"]  # type: ignore[misc]
    address = f"{PLACEHOLDER}/iiif/search/2/{WORK.identifier}"
    assert (newest["id"], newest["type"]) == (address, "SearchService2")
    assert [inner["type"] for inner in newest["service"]] == ["AutoCompleteService2"]
    assert (older["@id"], older["profile"]) == (address.replace("/2/", "/1/"), "http://iiif.io/api/search/1/search")
    [inner] = older["service"]
    assert inner["profile"] == "http://iiif.io/api/search/1/autocomplete"
    assert "service" not in json.loads(build_manifest(WORK, PYRAMIDS, "", 10**8, NOW))
    assert "/search/" not in json.dumps(manifest(Access.RESTRICTED))


def test_version_2_1_declares_the_search_that_its_viewers_know() -> None:
    found = to_version2(manifest())["service"]
    assert found["@context"] == "http://iiif.io/api/search/1/context.json"
    assert (found["profile"], found["service"]["profile"]) == (
        "http://iiif.io/api/search/1/search",
        "http://iiif.io/api/search/1/autocomplete",
    )
    assert found["service"]["@id"].endswith(f"/iiif/autocomplete/1/{WORK.identifier}")
