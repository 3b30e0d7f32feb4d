"""Manifests and collections built from works."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import pytest

from iiif_server.presentation.manifest import build_collection, build_manifest
from iiif_server.pyramid.grid import TileGrid
from iiif_server.request.geometry import plan
from iiif_server.request.grammar import ApiVersion, parse
from iiif_server.request.limits import ImageLimits
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

PUBLIC_DOMAIN = "http://creativecommons.org/publicdomain/mark/1.0/"
NO_TERMS = Rights()
MAX_AREA = 64_000_000
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BASE = "https://base.invalid/iiif/presentation/3/w1"
Json = dict[str, Any]


def image(name: str, width: int = 4000, height: int = 5000) -> Image:
    return Image(f"i-{name}", width, height, Master(f"masters/{name}.tif", "0" * 64, 1, "image/tiff"))


def page(key: str, *, behavior: str | None = None, size: tuple[int, int] = (4000, 5000)) -> Page:
    return Page(key, key, (image(key, *size),), behavior)


def missing(key: str) -> Page:
    return Page(key, key)


def work_of(*pages: Page, **properties: Any) -> Work:
    return Work("w1", Record("論語"), (Volume("", pages),), **properties)


def described(record: Record, *, rights: Rights = NO_TERMS, provider: str = "") -> Json:
    return built(replace(work_of(page("0001")), record=record, rights=rights), provider)


def built(work: Work, provider: str = "") -> Json:
    pyramids = {held.identifier: Pyramid("key", "0" * 64, 1, 512) for held in work.images()}
    return json.loads(build_manifest(work, pyramids, provider, MAX_AREA, NOW))


def metadata(manifest: Json) -> dict[str, Json]:
    return {row["label"]["en"][0]: row["value"] for row in manifest.get("metadata", [])}


def behaviors(manifest: Json) -> list[Any]:
    return [manifest.get("behavior"), *(canvas.get("behavior") for canvas in manifest["items"])]


def outline(ranges: list[Json]) -> list[Any]:
    """Return ranges as nested lists: a label, then its items; canvases by their numbers."""
    return [
        [next(iter(item["label"].values()))[0], *outline(item["items"])]
        if item["type"] == "Range"
        else int(item["id"].rsplit("/")[-1])
        for item in ranges
    ]


def test_canvas_has_the_size_of_its_picture_and_is_painted_by_its_image_service() -> None:
    (canvas,) = built(work_of(page("0001")))["items"]
    (annotation,) = canvas["items"][0]["items"]
    assert (canvas["id"], canvas["width"], canvas["height"]) == (f"{BASE}/canvas/1", 4000, 5000)
    assert (annotation["motivation"], annotation["target"]) == ("painting", canvas["id"])
    assert annotation["body"] == {
        "id": "https://base.invalid/iiif/image/3/i-0001/full/max/0/default.jpg",
        "type": "Image",
        "format": "image/jpeg",
        "width": 4000,
        "height": 5000,
        "service": [{"id": "https://base.invalid/iiif/image/3/i-0001", "type": "ImageService3", "profile": "level2"}],
    }


def test_canvases_are_numbered_through_all_volumes() -> None:
    volumes = (Volume("上", (page("a/1"), page("a/2"))), Volume("下", (page("b/1"),)))
    manifest = built(replace(work_of(), volumes=volumes))
    assert [canvas["id"] for canvas in manifest["items"]] == [f"{BASE}/canvas/{n}" for n in (1, 2, 3)]


def test_context_is_first_and_the_same_work_gives_the_same_bytes() -> None:
    work = work_of(page("0001"), missing("0002"))
    pyramids = {"i-0001": Pyramid("key", "0" * 64, 1, 512)}
    body = build_manifest(work, pyramids, "某館", MAX_AREA, NOW)
    assert body.startswith(b'{"@context":"http://iiif.io/api/presentation/3/context.json","id":"https://base.invalid/')
    assert build_manifest(work, dict(pyramids), "某館", MAX_AREA, NOW) == body


@pytest.mark.parametrize(
    ("size", "tile_size"), [((4000, 5000), 512), ((31502, 1516), 512), ((513, 1), 512), ((100, 80), 256)]
)
def test_thumbnail_is_the_stored_tile_of_the_smallest_level(size: tuple[int, int], tile_size: int) -> None:
    work = work_of(page("0001", size=size))
    manifest = json.loads(build_manifest(work, {"i-0001": Pyramid("key", "0" * 64, 1, tile_size)}, "", MAX_AREA, NOW))
    (thumbnail,) = manifest["thumbnail"]
    name = thumbnail["id"].removeprefix("https://base.invalid/iiif/image/3/i-0001/")
    if max(size) <= tile_size:
        assert name == "full/max/0/default.jpg"
    else:
        assert name in set(TileGrid(*size, tile_size).names())
    assert max(thumbnail["width"], thumbnail["height"]) <= tile_size
    assert manifest["items"][0]["thumbnail"] == [thumbnail]


def test_two_photographs_of_a_page_become_a_choice_without_names_of_files() -> None:
    both = Page("0001", "一", (image("visible"), image("infrared")))
    body = built(work_of(both))["items"][0]["items"][0]["items"][0]["body"]
    assert body["type"] == "Choice"
    labels = [choice["label"] for choice in body["items"]]
    assert labels == [{"zh-Hans": [f"图像 {place}"], "en": [f"Image {place}"]} for place in (1, 2)]


def test_missing_leaf_becomes_an_empty_canvas_of_its_neighbours_size() -> None:
    pages = (missing("1"), page("2", size=(30, 40)), missing("3"), page("4", size=(50, 60)))
    canvases = built(work_of(*pages))["items"]
    assert [(canvas["width"], canvas["height"]) for canvas in canvases] == [(30, 40), (30, 40), (30, 40), (50, 60)]
    assert canvases[2]["items"] == []
    assert "thumbnail" not in canvases[2]
    assert canvases[2]["label"] == {"zh-Hans": ["3（缺叶）"], "en": ["3 (missing leaf)"]}


def test_start_is_the_first_canvas_with_a_picture() -> None:
    assert built(work_of(missing("1"), page("2")))["start"] == {"id": f"{BASE}/canvas/2", "type": "Canvas"}
    assert "start" not in built(work_of(missing("1")))


@pytest.mark.parametrize(
    ("of_work", "of_pages", "expected"),
    [
        ("paged", [None, None], [["paged"], None, None]),
        ("paged", [None, "individuals"], [["paged"], None, ["facing-pages"]]),
        ("paged", ["non-paged", "facing-pages", None], [["paged"], ["non-paged"], ["facing-pages"], None]),
        ("paged", ["individuals", "individuals"], [["individuals"], None, None]),
        ("paged", ["paged", "continuous"], [["paged"], None, None]),
        ("continuous", ["non-paged", "individuals"], [["continuous"], None, None]),
        ("sequence", [None], [None, None]),
    ],
)
def test_behavior_of_a_page_becomes_a_behavior_of_its_canvas(
    of_work: str, of_pages: list[str | None], expected: list[Any]
) -> None:
    pages = [page(str(number), behavior=behavior) for number, behavior in enumerate(of_pages)]
    assert behaviors(built(work_of(*pages, behavior=of_work))) == expected


def test_viewing_direction_is_that_of_the_work() -> None:
    assert built(work_of(page("1")))["viewingDirection"] == "right-to-left"
    downward = work_of(page("1"), viewing_direction=ViewingDirection.TOP_TO_BOTTOM)
    assert built(downward)["viewingDirection"] == "top-to-bottom"


@pytest.mark.parametrize(
    ("language", "key"), [(("lzh",), "lzh"), (("zh-Hant",), "zh-Hant"), ((), "none"), (("lzh", "mnc"), "none")]
)
def test_title_has_the_language_of_the_record(language: tuple[str, ...], key: str) -> None:
    assert described(Record("四庫全書", language=language))["label"] == {key: ["四庫全書"]}


def test_language_tag_that_the_schema_refuses_is_in_the_metadata_only() -> None:
    manifest = described(Record("書", language=("es-419",)))
    assert manifest["label"] == {"none": ["書"]}
    assert metadata(manifest)["Language"] == {"zh-Hans": ["es-419"], "en": ["es-419"]}


def test_metadata_is_bilingual_and_has_only_what_the_record_has() -> None:
    assert "metadata" not in described(Record("論語"))
    manifest = described(
        Record(
            "論語", creator=("孔子", "何晏"), date=Dating("明萬曆", "1573", "1620"), language=("lzh",), call_number="A1"
        )
    )
    assert metadata(manifest) == {
        "Creator": {"none": ["孔子", "何晏"]},
        "Date": {"none": ["明萬曆"]},
        "Call number": {"none": ["A1"]},
        "Language": {"zh-Hans": ["文言文"], "en": ["Literary Chinese"]},
    }
    assert {row["label"]["zh-Hans"][0] for row in manifest["metadata"]} == {"责任者", "年代", "索书号", "语种"}


def test_catalogued_text_is_never_markup() -> None:
    manifest = described(Record("<b>書</b>", summary="<script>x</script>", edition="<i>刻本</i>"))
    assert manifest["label"] == {"none": ["<b>書</b>"]}
    assert manifest["summary"]["none"][0].endswith("> ")
    assert metadata(manifest)["Edition"]["none"] == ["<i>刻本</i> "]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (PUBLIC_DOMAIN, PUBLIC_DOMAIN),
        ("https://creativecommons.org/licenses/by/4.0/", "http://creativecommons.org/licenses/by/4.0/"),
        ("http://rightsstatements.org/vocab/InC/1.0/", "http://rightsstatements.org/vocab/InC/1.0/"),
        ("https://library.example/terms", None),
        ("http://creativecommons.org.evil.example/licenses/by/4.0/", None),
        (None, None),
    ],
)
def test_rights_has_only_the_statements_that_iiif_allows(uri: str | None, expected: str | None) -> None:
    assert described(Record("論語"), rights=Rights(uri)).get("rights") == expected


def test_other_terms_of_use_are_a_required_statement() -> None:
    manifest = described(Record("論語", holder="某館"), rights=Rights("https://library.example/terms"), provider="某館")
    assert manifest["requiredStatement"]["value"] == {"none": ["某館", "https://library.example/terms"]}
    assert metadata(manifest)["Rights"] == {"none": ["https://library.example/terms"]}


def test_provider_is_present_when_configured() -> None:
    assert "provider" not in described(Record("論語"))
    assert "requiredStatement" not in described(Record("論語"))
    (agent,) = described(Record("論語"), provider="某館")["provider"]
    assert (agent["type"], agent["label"], agent["homepage"][0]["id"]) == (
        "Agent",
        {"none": ["某館"]},
        "https://base.invalid/",
    )


def test_manifest_links_to_its_page_its_record_and_the_top_collection() -> None:
    manifest = built(work_of(page("1")))
    assert manifest["homepage"][0]["id"] == "https://base.invalid/works/w1"
    assert (manifest["seeAlso"][0]["id"], manifest["seeAlso"][0]["format"]) == (
        "https://base.invalid/works/w1/record.json",
        "application/json",
    )
    assert manifest["partOf"] == [
        {
            "id": "https://base.invalid/iiif/presentation/3/collection/top",
            "type": "Collection",
            "label": {"zh-Hans": ["馆藏善本"], "en": ["Works held"]},
        }
    ]


def test_reduced_access_shows_thumbnails_within_its_limit_and_restricted_access_none() -> None:
    reduced = built(work_of(page("1"), rights=Rights(access=Access.REDUCED, max_size=200)))
    (thumbnail,) = reduced["thumbnail"]
    assert max(thumbnail["width"], thumbnail["height"]) <= 200
    body = reduced["items"][0]["items"][0]["items"][0]["body"]
    assert (body["width"], body["height"]) == (160, 200)
    restricted = built(work_of(page("1"), rights=Rights(access=Access.RESTRICTED)))
    assert "thumbnail" not in restricted
    assert "thumbnail" not in restricted["items"][0]


def test_ranges_nest_as_catalogued_without_empty_ones() -> None:
    parts = (Range("卷一", ("1",), (Range("學而", ("2", "3")), Range("佚篇"))), Range("卷二", ("3",)))
    manifest = built(work_of(page("1"), page("2"), page("3"), ranges=parts))
    assert outline(manifest["structures"]) == [["卷一", 1, ["學而", 2, 3]], ["卷二", 3]]
    assert "structures" not in built(work_of(page("1")))


def test_volumes_contain_their_ranges_and_ranges_across_volumes_follow() -> None:
    volumes = (Volume("上冊", (page("a/1"), page("a/2"))), Volume("", (page("b/1"), page("b/2"))))
    parts = (Range("卷一", ("a/2",)), Range("卷二", ("a/2", "b/1")), Range("卷三", ("b/1", "b/2")))
    manifest = built(replace(work_of(ranges=parts), volumes=volumes))
    assert outline(manifest["structures"]) == [
        ["上冊", 1, ["卷一", 2]],
        ["第 2 册", ["卷三", 3, 4]],
        ["卷二", 2, 3],
    ]


def test_identifiers_of_ranges_are_unique() -> None:
    parts = tuple(Range(f"卷{n}", ("1",), (Range("篇", ("1",)),)) for n in range(3))
    manifest = built(work_of(page("1"), ranges=parts))

    def identifiers(ranges: list[Json]) -> list[str]:
        return [found for item in ranges if "label" in item for found in (item["id"], *identifiers(item["items"]))]

    found = identifiers(manifest["structures"])
    assert len(found) == len(set(found)) == 6


def test_collection_lists_published_works_in_the_given_order() -> None:
    def summary(name: str, state: WorkState = WorkState.PUBLISHED, cover: str | None = "i1") -> WorkSummary:
        return WorkSummary(name, name.upper(), (), None, cover, 1, 1, state)

    body = build_collection([summary("w2"), summary("w1", cover=None), summary("w3", WorkState.WITHDRAWN)])
    items = json.loads(body)["items"]
    assert [(item["id"], item["label"]) for item in items] == [
        ("https://base.invalid/iiif/presentation/3/w2/manifest", {"none": ["W2"]}),
        ("https://base.invalid/iiif/presentation/3/w1/manifest", {"none": ["W1"]}),
    ]
    assert ["thumbnail" in item for item in items] == [True, False]
    assert json.loads(build_collection([]))["items"] == []


def calls_in(action: Callable[[], object]) -> int:
    """Return the number of Python functions that an action calls: a measure of cost independent of other processes."""
    count = 0

    def on_event(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(on_event)
    try:
        action()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.slow
def test_cost_of_building_grows_linearly_with_the_pages() -> None:
    built(work_of(page("warm")))
    small, large = (calls_in(lambda n=n: built(work_of(*(page(str(key)) for key in range(n))))) for n in (50, 400))
    assert large < 8.5 * small


@pytest.mark.parametrize("size", [(100_000, 600), (300, 70_000), (10_000, 8000), (4000, 5000), (1, 1)])
@pytest.mark.parametrize("max_size", [None, 900])
def test_body_has_the_size_that_its_address_returns(size: tuple[int, int], max_size: int | None) -> None:
    rights = Rights(access=Access.REDUCED, max_size=max_size) if max_size else NO_TERMS
    canvas = built(replace(work_of(page("0001", size=size)), rights=rights))["items"][0]
    grid, limits = TileGrid(*size, 512), ImageLimits(MAX_AREA, max_size)
    for picture in (canvas["items"][0]["items"][0]["body"], canvas["thumbnail"][0]):
        request = picture["id"].removeprefix("https://base.invalid/iiif/image/3/i-0001/")
        for version in ApiVersion:
            task = plan(parse(request, version), grid, limits)
            assert (task.width, task.height) == (picture["width"], picture["height"])
    assert (canvas["width"], canvas["height"]) == size
