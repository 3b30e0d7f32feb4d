"""The linter of Presentation 3.0 documents: one planted defect after another in a sound manifest."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iiif_server.presentation.linting.findings import MESSAGES
from iiif_server.presentation.linting.linter import lint, lint_document

Json = Any
BASE = "https://library.example/iiif/book"


def canvas(number: int) -> Json:
    identifier = f"{BASE}/canvas/{number}"
    return {
        "id": identifier,
        "type": "Canvas",
        "label": {"none": [str(number)]},
        "height": 2000,
        "width": 1500,
        "items": [
            {
                "id": f"{identifier}/page",
                "type": "AnnotationPage",
                "items": [
                    {
                        "id": f"{identifier}/annotation",
                        "type": "Annotation",
                        "motivation": "painting",
                        "body": {
                            "id": f"https://library.example/image/{number}/full/max/0/default.jpg",
                            "type": "Image",
                            "format": "image/jpeg",
                            "height": 4000,
                            "width": 3000,
                            "service": [
                                {
                                    "id": f"https://library.example/image/{number}",
                                    "type": "ImageService3",
                                    "profile": "level2",
                                }
                            ],
                        },
                        "target": identifier,
                    }
                ],
            }
        ],
    }


def chapter(number: int, *items: Json) -> Json:
    return {"id": f"{BASE}/range/{number}", "type": "Range", "label": {"lzh": ["卷"]}, "items": list(items)}


def reference(number: int) -> Json:
    return {"id": f"{BASE}/canvas/{number}", "type": "Canvas"}


def sound_manifest() -> Json:
    return {
        "@context": "http://iiif.io/api/presentation/3/context.json",
        "id": f"{BASE}/manifest",
        "type": "Manifest",
        "label": {"lzh": ["論語"]},
        "metadata": [{"label": {"zh": ["版本"]}, "value": {"lzh": ["<span>宋刻本</span>"]}}],
        "requiredStatement": {"label": {"zh": ["出處"]}, "value": {"zh": ["某圖書館"]}},
        "rights": "http://creativecommons.org/publicdomain/mark/1.0/",
        "provider": [{"id": "https://library.example/", "type": "Agent", "label": {"en": ["A library"]}}],
        "navDate": "1200-01-01T00:00:00Z",
        "viewingDirection": "right-to-left",
        "behavior": ["paged"],
        "homepage": [{"id": "https://library.example/b", "type": "Text", "label": {"en": ["Page"]}}],
        "start": reference(1),
        "items": [canvas(1), canvas(2), canvas(3)],
        "structures": [chapter(1, reference(1), chapter(2, reference(2), reference(3)))],
    }


def painting(manifest: Json, number: int = 0) -> Json:
    return manifest["items"][number]["items"][0]["items"][0]


def set_(*path: str | int, to: Json) -> Callable[[Json], None]:
    def change(manifest: Json) -> None:
        holder = manifest
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = to

    return change


def remove(*path: str | int) -> Callable[[Json], None]:
    def change(manifest: Json) -> None:
        holder = manifest
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]

    return change


ANNOTATION = ("items", 0, "items", 0, "items", 0)
DEFECTS: dict[str, tuple[Callable[[Json], None], str, str]] = {
    "no canvas": (set_("items", to=[]), "empty", "$.items"),
    "paged and continuous": (set_("behavior", to=["paged", "continuous"]), "behavior-disjoint", "$.behavior"),
    "an unknown place for paged": (set_("items", 0, "behavior", to=["paged"]), "behavior", "$.items[0].behavior"),
    "facing-pages on a manifest": (set_("behavior", to=["facing-pages"]), "behavior", "$.behavior"),
    "a behavior as a string": (set_("behavior", to="paged"), "array", "$.behavior"),
    "auto-advance without duration": (set_("behavior", to=["auto-advance"]), "behavior-duration", "$.behavior"),
    "two canvases of one id": (
        lambda m: m["items"].__setitem__(1, copy.deepcopy(m["items"][0])),
        "duplicate",
        "$.items[1].id",
    ),
    "a range with the id of a canvas": (
        set_("structures", 0, "id", to=f"{BASE}/canvas/1"),
        "duplicate",
        "$.structures[0].id",
    ),
    "a picture painted on another canvas": (
        set_(*ANNOTATION, "target", to=f"{BASE}/canvas/2"),
        "target",
        "$.items[0].items[0].items[0].target",
    ),
    "a region outside the canvas": (
        set_(*ANNOTATION, "target", to=f"{BASE}/canvas/1#xywh=1000,0,600,800"),
        "region",
        "$.items[0].items[0].items[0].target",
    ),
    "a malformed region": (
        set_(*ANNOTATION, "target", to=f"{BASE}/canvas/1#xywh=1000,0,600"),
        "fragment-syntax",
        "$.items[0].items[0].items[0].target",
    ),
    "a time on a canvas without duration": (
        set_(*ANNOTATION, "target", to=f"{BASE}/canvas/1#t=1,2"),
        "dimension",
        "$.items[0].items[0].items[0].target",
    ),
    "a range to a missing canvas": (
        set_("structures", 0, "items", 0, to=reference(9)),
        "canvas-missing",
        "$.structures[0].items[0]",
    ),
    "a start at a missing canvas": (set_("start", to=reference(9)), "canvas-missing", "$.start"),
    "a picture of another shape": (set_(*ANNOTATION, "body", "width", to=4000), "aspect-ratio", ".body"),
    "a viewing direction of a canvas": (
        set_("items", 0, "viewingDirection", to="left-to-right"),
        "not-allowed",
        "$.items[0].viewingDirection",
    ),
    "an unknown viewing direction": (set_("viewingDirection", to="rtl"), "direction", "$.viewingDirection"),
    "a range inside itself": (
        lambda m: m["structures"][0]["items"][1]["items"].append({"id": f"{BASE}/range/1", "type": "Range"}),
        "range-cycle",
        "$.structures[0].items[1].items[2]",
    ),
    "two ranges inside each other": (
        lambda m: m["structures"].extend(
            [
                chapter(8, {"id": f"{BASE}/range/9", "type": "Range"}),
                chapter(9, {"id": f"{BASE}/range/8", "type": "Range"}),
            ]
        ),
        "range-cycle",
        "$.structures[1].items[0]",
    ),
    "an empty range": (set_("structures", 0, "items", to=[]), "empty", "$.structures[0].items"),
    "a nested sequence": (
        set_("structures", 0, "items", 1, "behavior", to=["sequence"]),
        "sequence-nested",
        "$.structures[0].items[1].behavior",
    ),
    "a canvas with one side": (remove("items", 0, "height"), "one-side", "$.items[0]"),
    "a canvas without any dimension": (
        lambda m: [m["items"][0].pop(side) for side in ("height", "width")],
        "no-extent",
        "$.items[0]",
    ),
    "a side of zero": (set_("items", 0, "height", to=0), "integer", "$.items[0].height"),
    "a side that is no integer": (set_("items", 0, "height", to=2000.5), "integer", "$.items[0].height"),
    "a side in quotes": (set_("items", 0, "height", to="2000"), "integer", "$.items[0].height"),
    "rights by https": (
        set_("rights", to="https://creativecommons.org/publicdomain/mark/1.0/"),
        "rights-https",
        "$.rights",
    ),
    "rights as words": (set_("rights", to="public domain"), "rights", "$.rights"),
    "rights as a list": (
        set_("rights", to=["http://creativecommons.org/publicdomain/mark/1.0/"]),
        "rights",
        "$.rights",
    ),
    "an unknown property": (set_("callNumber", to="善 123"), "unknown", "$.callNumber"),
    "a property of version 2": (set_("attribution", to="某圖書館"), "keyword", "$.attribution"),
    "a keyword of version 2": (set_("items", 0, "@id", to=f"{BASE}/canvas/1"), "keyword", "$.items[0]"),
    "no context": (remove("@context"), "context", "$.@context"),
    "another context last": (
        set_("@context", to=["http://iiif.io/api/presentation/3/context.json", "https://library.example/x.json"]),
        "context",
        "$.@context",
    ),
    "a second context": (
        set_("items", 0, "@context", to="http://iiif.io/api/presentation/3/context.json"),
        "context-embedded",
        "$.items[0]",
    ),
    "no label": (remove("label"), "missing", "$"),
    "a label as a string": (set_("label", to="論語"), "language-map", "$.label"),
    "a label as a string in a map": (set_("label", to={"zh": "論語"}), "language-map", "$.label.zh"),
    "an empty label": (set_("label", to={}), "empty", "$.label"),
    "a label in no language": (set_("label", to={"文言": ["論語"]}), "language", "$.label"),
    "HTML in a label": (set_("label", to={"zh": ["<b>論語</b>"]}), "html", "$.label.zh"),
    "broken HTML in a value": (
        set_("metadata", 0, "value", to={"zh": ["<p>a<br></p>"]}),
        "html-malformed",
        "$.metadata[0].value.zh",
    ),
    "metadata without value": (remove("metadata", 0, "value"), "missing", "$.metadata[0]"),
    "a statement without label": (remove("requiredStatement", "label"), "missing", "$.requiredStatement"),
    "a date without time zone": (set_("navDate", to="1200-01-01T00:00:00"), "date", "$.navDate"),
    "a date without time": (set_("navDate", to="1200"), "date", "$.navDate"),
    "a canvas with a fragment": (
        lambda m: [m["items"][2].__setitem__("id", f"{BASE}#3"), m["structures"].clear(), m.pop("structures")],
        "fragment",
        "$.items[2].id",
    ),
    "a canvas without id": (remove("items", 0, "id"), "missing", "$.items[0]"),
    "an id that is no address": (set_("id", to="urn:isbn:1"), "uri", "$.id"),
    "another motivation in items": (
        set_(*ANNOTATION, "motivation", to="commenting"),
        "motivation",
        "$.items[0].items[0].items[0]",
    ),
    "a painting in annotations": (
        lambda m: m["items"][0].__setitem__(
            "annotations",
            [{"id": f"{BASE}/a", "type": "AnnotationPage", "items": [painting(m) | {"id": f"{BASE}/a/1"}]}],
        ),
        "motivation-painting",
        "$.items[0].annotations[0].items[0]",
    ),
    "a painting without body": (remove(*ANNOTATION, "body"), "body", "$.items[0].items[0].items[0]"),
    "an annotation without target": (remove(*ANNOTATION, "target"), "missing", "$.items[0].items[0].items[0]"),
    "an image service as the image": (
        set_(*ANNOTATION, "body", "id", to="https://library.example/image/1"),
        "service-as-image",
        ".body.id",
    ),
    "a service that is no list": (
        lambda m: painting(m)["body"].__setitem__("service", painting(m)["body"]["service"][0]),
        "array",
        ".body.service",
    ),
    "a sound on a silent canvas": (
        set_(*ANNOTATION, "body", to={"id": f"{BASE}/s.mp3", "type": "Sound", "duration": 3.0}),
        "content-size",
        ".body",
    ),
    "a canvas in place of a page": (set_("items", 0, "items", 0, "type", to="Canvas"), "class", ".items[0]"),
    "a thumbnail that is no list": (set_("thumbnail", to={"id": f"{BASE}/t", "type": "Image"}), "array", "$.thumbnail"),
    "an empty list": (set_("seeAlso", to=[]), "empty", "$.seeAlso"),
    "a homepage without label": (remove("homepage", 0, "label"), "missing", "$.homepage[0]"),
    "a provider without label": (remove("provider", 0, "label"), "missing", "$.provider[0]"),
    "a link as a string": (set_("seeAlso", to=["https://library.example/r"]), "object", "$.seeAlso[0]"),
    "a placeholder with a placeholder": (
        set_("placeholderCanvas", to=canvas(7) | {"placeholderCanvas": canvas(8)}),
        "nested-canvas",
        "$.placeholderCanvas.placeholderCanvas",
    ),
    "services below the top": (
        set_("items", 0, "services", to=[{"id": "x", "type": "y"}]),
        "services-place",
        ".services",
    ),
}


def test_linter_accepts_a_sound_manifest() -> None:
    report = lint(json.dumps(sound_manifest()).encode())
    assert (report.errors, report.warnings) == ([], [])


@pytest.mark.parametrize("defect", DEFECTS)
def test_linter_finds_a_planted_defect_in_its_place(defect: str) -> None:
    plant, code, place = DEFECTS[defect]
    manifest = sound_manifest()
    plant(manifest)
    found = {(finding.code, finding.path) for finding in lint_document(manifest).errors}
    assert any(found_code == code and path.endswith(place) for found_code, path in found), found


def test_linter_lets_extensions_have_their_properties() -> None:
    contexts = ["http://iiif.io/api/extension/navplace/context.json", "http://iiif.io/api/presentation/3/context.json"]
    manifest = sound_manifest() | {"@context": contexts, "navPlace": {"type": "FeatureCollection"}}
    assert lint_document(manifest).errors == []


def test_linter_checks_collections() -> None:
    collection = {
        "@context": "http://iiif.io/api/presentation/3/context.json",
        "id": f"{BASE}/collection",
        "type": "Collection",
        "label": {"zh": ["全部"]},
        "items": [{"id": f"{BASE}/1", "type": "Manifest", "label": {"zh": ["一"]}}],
    }
    assert lint_document(collection).errors == []
    codes = {
        "structures": "not-allowed",
        "items": "class",
    }
    for name, code in codes.items():
        broken = collection | {name: [{"id": f"{BASE}/2", "type": "Canvas", "label": {"zh": ["二"]}}]}
        assert code in {finding.code for finding in lint_document(broken).errors}
    embedded = collection | {"items": [sound_manifest()]}
    assert "embedded-manifest" in {finding.code for finding in lint_document(embedded).errors}
    unlabelled = collection | {"items": [{"id": f"{BASE}/1", "type": "Manifest"}]}
    assert [finding.code for finding in lint_document(unlabelled).errors] == ["missing"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "json"),
        (b"\xff", "json"),
        (b"[]", "json-object"),
        (b'{"a": 1, "a": 2}', "json-key"),
        (b'{"a": NaN}', "json"),
        (b'{"a":' * 150 + b"1" + b"}" * 150, "json-depth"),
        (b"[" * 200_000, "json-depth"),
        (b'{"@context": "http://iiif.io/api/presentation/2/context.json"}', "context-version"),
    ],
)
def test_linter_reports_what_is_no_document(content: bytes, code: str) -> None:
    assert [finding.code for finding in lint(content).errors] == [code]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "type", "items"]), inner),
    max_leaves=5,
)


@given(value=values, data=st.data())
def test_linter_survives_any_value_in_any_place(value: Json, data: st.DataObject) -> None:
    manifest = sound_manifest()
    holder: Json = manifest
    while True:
        key = data.draw(
            st.sampled_from(sorted(holder)) if isinstance(holder, dict) else st.sampled_from(range(len(holder)))
        )
        if not holder[key] or not isinstance(holder[key], dict | list) or data.draw(st.booleans()):
            break
        holder = holder[key]
    holder[key] = value
    for finding in lint_document(manifest).errors:
        assert finding.code in MESSAGES
