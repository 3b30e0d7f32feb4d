"""Our manifests against IIIF's JSON schema of Presentation 3, and the schema against IIIF's examples."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import iiif_prezi3
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from jsonschema.exceptions import best_match
from kinds_of_book import KINDS, pyramids_of, work_of

from iiif_server.presentation.collections import ALL
from iiif_server.presentation.linting.linter import lint
from iiif_server.presentation.manifest import build_collection, build_divided_collection, build_manifest
from repository.clock import timestamp
from repository.model.work import (
    Access,
    Dating,
    Image,
    Master,
    Page,
    Pyramid,
    Range,
    Record,
    Rights,
    ViewingDirection,
    Volume,
    Work,
    WorkState,
    WorkSummary,
)

pytestmark = pytest.mark.slow

BEHAVIORS = ["paged", "individuals", "continuous", "unordered", "facing-pages", "non-paged", "multi-part", "hidden"]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LANGUAGES = ["lzh", "zh-Hant", "mnc", "en", "es-419", "ja"]
RIGHTS = [
    None,
    "http://creativecommons.org/publicdomain/mark/1.0/",
    "https://rightsstatements.org/vocab/InC/1.0/",
    "https://library.example/terms?of=use",
    "urn:isbn:1",
]

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
maybe_words = st.none() | words
sides = st.integers(1, 40_000)


@st.composite
def pages(draw: st.DrawFn, key: str) -> Page:
    images = tuple(
        Image(
            f"i{key}-{number}",
            draw(sides),
            draw(sides),
            Master(f"masters/{key}-{number}.tif", "0" * 64, 1, "image/tiff"),
        )
        for number in range(draw(st.integers(0, 2)))
    )
    return Page(key, draw(words), images, draw(st.none() | st.sampled_from(BEHAVIORS)), draw(maybe_words))


@st.composite
def volumes(draw: st.DrawFn, number: int) -> Volume:
    count = draw(st.integers(0, 3))
    return Volume(draw(st.just("") | words), tuple(draw(pages(f"v{number}/{leaf}")) for leaf in range(count)))


def ranges(keys: list[str]) -> st.SearchStrategy[Range]:
    own = st.lists(st.sampled_from(keys), max_size=3).map(tuple) if keys else st.just(())
    leaf = st.builds(Range, words, own)
    return st.recursive(
        leaf, lambda inner: st.builds(Range, words, own, st.lists(inner, max_size=2).map(tuple)), max_leaves=4
    )


records = st.builds(
    Record,
    title=words,
    identifier=maybe_words,
    creator=st.lists(words, max_size=2).map(tuple),
    date=st.none() | st.builds(Dating, words),
    language=st.lists(st.sampled_from(LANGUAGES), max_size=2, unique=True).map(tuple),
    classification=maybe_words,
    edition=maybe_words,
    dimensions=maybe_words,
    call_number=maybe_words,
    holder=maybe_words,
    summary=maybe_words,
)
rights = st.builds(Rights, st.sampled_from(RIGHTS), st.sampled_from(Access), st.none() | st.integers(1, 5000))


@st.composite
def works(draw: st.DrawFn) -> Work:
    held = tuple(draw(volumes(number)) for number in range(draw(st.integers(1, 3))))
    keys = [page.key for volume in held for page in volume.pages]
    assume(keys)  # a deposit without pages is refused
    return Work(
        "w0123",
        draw(records),
        held,
        tuple(draw(st.lists(ranges(keys), max_size=3))),
        draw(rights),
        draw(st.sampled_from(ViewingDirection)),
        draw(st.sampled_from(BEHAVIORS)),
    )


@pytest.fixture(scope="session")
def suite(shared: Path) -> Path:
    return shared / "conformance" / "iiif-presentation"


class Schema:
    """IIIF's schema, whole or of one class, which gives more precise messages than the whole."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def faults(self, document: Any, class_name: str | None = None) -> list[str]:
        """Return short messages for what is invalid."""
        one = {"oneOf": [{"$ref": f"#/classes/{class_name}"}]} if class_name else {}
        validator = Draft7Validator({**self._document, **one}, format_checker=Draft7Validator.FORMAT_CHECKER)
        faults = [best_match([fault]) for fault in validator.iter_errors(document)]
        return [f"{fault.json_path}: {fault.message[:200]}" for fault in faults if fault]


@pytest.fixture(scope="session")
def schema(suite: Path) -> Schema:
    return Schema(json.loads((suite / "schema" / "iiif_3_0.json").read_text()))


def test_schema_accepts_the_cookbook_and_refuses_a_broken_manifest(suite: Path, schema: Schema) -> None:
    examples = sorted((suite / "cookbook").glob("*/*manifest*.json"))
    assert len(examples) > 30
    assert {
        path.parent.name: found for path in examples if (found := schema.faults(json.loads(path.read_text())))
    } == {}
    broken = json.loads((suite / "validator-fixtures" / "3" / "broken_service.json").read_text())
    assert schema.faults(broken)


def test_linter_accepts_the_cookbook(suite: Path) -> None:
    # The template is a form to fill in: it has no canvas yet.
    examples = [path for path in sorted((suite / "cookbook").rglob("*.json")) if path.parent.name != "0000_template"]
    assert len(examples) > 55
    assert {path.parent.name: found for path in examples if (found := lint(path.read_bytes()).errors)} == {}


def test_linter_agrees_with_the_fixtures_of_the_validator(suite: Path) -> None:
    fixtures = suite / "validator-fixtures" / "3"
    rejected = {path.stem for path in fixtures.glob("*.json") if lint(path.read_bytes()).errors}
    # `rights_lang_issues` has the language "@none", which became "none"; `broken_choice` has canvases without height.
    assert rejected == {"broken_choice", "broken_service", "rights_lang_issues"}


def test_prezi3_models_read_every_cookbook_manifest(suite: Path) -> None:
    for path in sorted((suite / "cookbook").glob("*/manifest*.json")):
        document = json.loads(path.read_text())
        document.pop("@context")
        if document["type"] == "Manifest":
            assert str(iiif_prezi3.Manifest(**document).id) == document["id"].strip()


def test_manifests_of_every_kind_of_book_are_valid(schema: Schema, tmp_path: Path) -> None:
    for kind in KINDS:
        work = work_of(kind, tmp_path)
        manifest = json.loads(build_manifest(work, pyramids_of(work), "某館", 64_000_000, NOW))
        assert schema.faults(manifest, "manifest") == [], kind


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(work=works(), provider=st.just("") | words, tile_size=st.sampled_from([64, 256, 512]))
def test_manifest_of_any_work_is_valid(schema: Schema, work: Work, provider: str, tile_size: int) -> None:
    pyramids = {image.identifier: Pyramid("key", "0" * 64, 1, tile_size) for image in work.images()}
    body = build_manifest(work, pyramids, provider, 64_000_000, NOW)
    manifest = json.loads(body)
    assert schema.faults(manifest, "manifest") == []
    assert body == build_manifest(work, pyramids, provider, 64_000_000, NOW)
    assert len(manifest["items"]) == sum(len(volume.pages) for volume in work.volumes)
    canvases = {canvas["id"] for canvas in manifest["items"]}
    assert {item["id"] for item in _canvas_references(manifest.get("structures", []))} <= canvases


def _canvas_references(ranges_: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        found
        for item in ranges_
        for found in ([item] if item["type"] == "Canvas" else _canvas_references(item["items"]))
    ]


@settings(max_examples=30, deadline=None)
@given(titles=st.lists(words, max_size=4), cover=st.none() | st.just("i1"))
def test_collection_of_any_works_is_valid(schema: Schema, titles: list[str], cover: str | None) -> None:
    works_ = [WorkSummary(f"w{n}", t, (), None, cover, 1, 1, WorkState.PUBLISHED) for n, t in enumerate(titles)]
    collection = json.loads(build_collection(works_))
    assert schema.faults(collection, "collection") == []
    assert [item["label"]["none"][0] for item in collection["items"]] == titles


@settings(max_examples=30, deadline=None)
@given(time=st.datetimes(datetime(1000, 1, 1)), count=st.integers(0, 3))
def test_collections_of_any_division_are_valid(schema: Schema, time: datetime, count: int) -> None:
    accessioned, part = timestamp(time.replace(tzinfo=UTC)), ALL
    while not part.is_smallest:
        division = part.division(accessioned)
        document = json.loads(build_divided_collection(part, [division] * count))
        assert schema.faults(document, "collection") == []
        assert [item["id"].rpartition("/")[2] for item in document["items"]] == [division.name] * count
        part = division
    works_ = [WorkSummary("w1", "書", (), None, None, 1, 1, WorkState.PUBLISHED)] * count
    assert schema.faults(json.loads(build_collection(works_, part)), "collection") == []
