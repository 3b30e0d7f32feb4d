"""Presentation 2.1 documents, converted from those of 3.0.

The strict reader of iiif-prezi 0.3 (Presentation 2.1) read the documents of every kind of book when this was written.
It is not kept up, so it is no part of the tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from kinds_of_book import KINDS, pyramids_of, work_of

from iiif_server.presentation.collections import ALL, AccessionPeriod
from iiif_server.presentation.manifest import build_collection, build_divided_collection, build_manifest
from iiif_server.presentation.version2 import annotation_list, to_version2
from iiif_server.request.grammar import ApiVersion, parse
from iiif_server.urls import parse_image_path
from repository.model.work import WorkState, WorkSummary

Json = dict[str, Any]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BASE = "https://base.invalid"
OF_3 = {
    "id",
    "type",
    "items",
    "behavior",
    "body",
    "target",
    "summary",
    "requiredStatement",
    "rights",
    "provider",
    "partOf",
}


@pytest.fixture(scope="module")
def manifest_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Json]:
    folder = tmp_path_factory.mktemp("kinds")
    works = {kind: work_of(kind, folder) for kind in KINDS}
    return lambda kind: to_version2(
        json.loads(build_manifest(works[kind], pyramids_of(works[kind]), "某館", 64_000_000, NOW))
    )


def objects(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from objects(inner)


@pytest.mark.parametrize("kind", KINDS)
def test_documents_have_the_properties_of_2_alone_and_every_reference_leads_somewhere(
    kind: str, manifest_of: Callable[[str], Json]
) -> None:
    manifest = manifest_of(kind)
    assert {name for found in objects(manifest) for name in found} & OF_3 == set()
    (sequence,) = manifest["sequences"]
    canvases = {canvas["@id"] for canvas in sequence["canvases"]}
    assert all(canvas["label"] and canvas["height"] and canvas["width"] for canvas in sequence["canvases"])
    assert {annotation["on"] for canvas in sequence["canvases"] for annotation in canvas["images"]} <= canvases
    ranges = {part["@id"] for part in manifest.get("structures", [])}
    for part in manifest.get("structures", []):
        assert set(part.get("canvases", [])) <= canvases
        assert set(part.get("ranges", [])) < ranges
    assert len({found["@id"] for found in objects(manifest) if found.get("@type", "").startswith("sc:")}) == sum(
        found.get("@type", "").startswith("sc:") for found in objects(manifest)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_requests_of_the_image_api_2(kind: str, manifest_of: Callable[[str], Json]) -> None:
    pictures = [found for found in objects(manifest_of(kind)) if found.get("@type") == "dctypes:Image"]
    assert pictures
    for picture in pictures:
        path = parse_image_path(picture["@id"].removeprefix(BASE))
        assert path is not None
        assert path.version == 2
        parse(path.rest, ApiVersion.TWO)
        assert picture["service"] == {
            "@context": "http://iiif.io/api/image/2/context.json",
            "@id": f"{BASE}/iiif/image/2/{path.image}",
            "profile": "http://iiif.io/api/image/2/level2.json",
        }


def test_direction_and_behaviors_become_hints(manifest_of: Callable[[str], Json]) -> None:
    manifest = manifest_of("fold-out")
    (sequence,) = manifest["sequences"]
    for resource in (manifest, sequence):
        assert (resource["viewingDirection"], resource["viewingHint"]) == ("right-to-left", "paged")
    hints = [canvas.get("viewingHint") for canvas in sequence["canvases"]]
    assert hints == [None, None, "non-paged", None, None]


def test_choice_shows_the_first_photograph_by_default(manifest_of: Callable[[str], Json]) -> None:
    (sequence,) = manifest_of("rubbing")["sequences"]
    resource = sequence["canvases"][0]["images"][0]["resource"]
    assert (resource["@type"], resource["default"]["label"]) == ("oa:Choice", "彩色")
    assert [item["label"] for item in resource["item"]] == ["紅外"]


def test_ranges_are_listed_flat_under_one_top(manifest_of: Callable[[str], Json]) -> None:
    top, first, inner, second, _ = manifest_of("bound together")["structures"]
    assert (top["viewingHint"], top["ranges"]) == ("top", [first["@id"], second["@id"]])
    assert (first["ranges"], len(inner["canvases"])) == ([inner["@id"]], 2)
    assert (second["rendering"]["@id"].rpartition("=")[2], second["rendering"]["format"]) == ("3-4", "application/pdf")


def test_record_rights_and_links_have_their_names_of_2(manifest_of: Callable[[str], Json]) -> None:
    manifest = manifest_of("scroll")
    assert manifest["@id"].startswith(f"{BASE}/iiif/presentation/2/")
    assert (manifest["label"], manifest["attribution"]) == ({"@value": "長卷", "@language": "lzh"}, "某館")
    assert manifest["license"] == "http://creativecommons.org/publicdomain/mark/1.0/"
    assert manifest["within"] == f"{BASE}/iiif/presentation/2/collection/top"
    assert manifest["rendering"][0]["format"] == "application/pdf"


def test_collections_list_manifests_or_collections() -> None:
    summaries = [WorkSummary("w1", "書", (), None, "i1", 1, 1, WorkState.PUBLISHED)]
    collection = to_version2(json.loads(build_collection(summaries)))
    assert (collection["@type"], collection["manifests"][0]["@id"]) == (
        "sc:Collection",
        f"{BASE}/iiif/presentation/2/w1/manifest",
    )
    divided = to_version2(json.loads(build_divided_collection(ALL, [AccessionPeriod("2026")])))
    assert divided["collections"][0]["@id"] == f"{BASE}/iiif/presentation/2/collection/2026"


def test_lines_of_text_become_a_list_of_annotations() -> None:
    canvas = f"{BASE}/iiif/presentation/3/w1/canvas/1"
    page = {
        "id": f"{canvas}/text",
        "type": "AnnotationPage",
        "items": [
            {
                "id": f"{canvas}/text/1",
                "type": "Annotation",
                "motivation": "supplementing",
                "body": {"type": "TextualBody", "value": "子曰", "format": "text/plain", "language": "lzh"},
                "target": f"{canvas}#xywh=1,2,3,4",
            }
        ],
    }
    converted = annotation_list(page)
    assert converted["@id"] == f"{BASE}/iiif/presentation/2/w1/canvas/1/text"
    (annotation,) = converted["resources"]
    assert (annotation["resource"]["chars"], annotation["on"]) == ("子曰", f"{canvas}#xywh=1,2,3,4")
