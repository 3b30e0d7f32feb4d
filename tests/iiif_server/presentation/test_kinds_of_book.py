"""What the manifest of each kind of book says, and that linter, models and schema accept it in both versions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kinds_of_book import KINDS, pyramids_of, work_of

from iiif_server.presentation.linting.linter import lint
from iiif_server.presentation.manifest import build_manifest
from repository.model.work import Rectangle

Json = dict[str, Any]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LOGO = "https://library.example/logo.svg"


@pytest.fixture(scope="module")
def manifest_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Json]:
    """Returns the manifest of a kind of book."""
    folder = tmp_path_factory.mktemp("kinds")
    manifests: dict[str, Json] = {}
    for kind in KINDS:
        work = work_of(kind, folder)
        body = build_manifest(work, pyramids_of(work), "某館", 64_000_000, NOW, logo=LOGO)
        found = lint(body)
        assert (found.errors, {warning.code for warning in found.warnings} - {"no-content"}) == ([], set()), kind
        manifests[kind] = json.loads(body)
    return manifests.__getitem__


def behaviors(manifest: Json) -> list[Any]:
    return [manifest.get("behavior"), *(canvas.get("behavior") for canvas in manifest["items"])]


def labels(manifest: Json) -> list[str]:
    return [next(iter(canvas["label"].values()))[0] for canvas in manifest["items"]]


def numbers(items: list[Json]) -> list[int]:
    return [int(item["id"].rpartition("/")[2]) for item in items]


def test_book_opens_with_a_single_page_or_with_two(manifest_of: Callable[[str], Json]) -> None:
    odd, even = manifest_of("odd start"), manifest_of("even start")
    for manifest in (odd, even):
        assert (manifest["viewingDirection"], manifest["behavior"]) == ("right-to-left", ["paged"])
    assert len(odd["items"]) == 3
    assert (even["items"][0]["items"], labels(even)[0]) == ([], "前護葉（未拍摄）")
    assert even["start"]["id"] == even["items"][1]["id"]


def test_openings_are_shown_one_by_one(manifest_of: Callable[[str], Json]) -> None:
    assert behaviors(manifest_of("openings")) == [["individuals"], None, None]


def test_fold_out_turns_no_page(manifest_of: Callable[[str], Json]) -> None:
    manifest = manifest_of("fold-out")
    assert behaviors(manifest) == [["paged"], None, None, ["non-paged"], None, None]
    assert (manifest["items"][2]["width"], manifest["items"][2]["height"]) == (1800, 800)


def test_missing_leaf_keeps_its_place(manifest_of: Callable[[str], Json]) -> None:
    manifest = manifest_of("missing leaf")
    assert labels(manifest) == ["1", "葉二（缺叶）", "3", "4"]
    assert [bool(canvas["items"]) for canvas in manifest["items"]] == [True, False, True, True]


def test_misplaced_leaves_have_a_sequence_that_puts_them_right(manifest_of: Callable[[str], Json]) -> None:
    contents, sequence = manifest_of("misplaced leaves")["structures"]
    assert ("behavior" not in contents, numbers(contents["items"])) == (True, [1, 2, 3, 4])
    assert (sequence["behavior"], sequence["label"]) == (["sequence"], {"lzh": ["復原次序"]})
    assert numbers(sequence["items"]) == [1, 3, 2, 4]


def test_works_bound_together_are_ranges(manifest_of: Callable[[str], Json]) -> None:
    first, second = manifest_of("bound together")["structures"]
    assert [part["label"]["lzh"] for part in (first, second)] == [["孟子"], ["荀子"]]
    assert numbers(second["items"][0]["items"]) == [3, 4]


def test_scroll_is_continuous(manifest_of: Callable[[str], Json]) -> None:
    assert behaviors(manifest_of("scroll")) == [["continuous"], None, None]


def test_photographs_of_a_rubbing_are_a_choice(manifest_of: Callable[[str], Json]) -> None:
    manifest = manifest_of("rubbing")
    bodies = [canvas["items"][0]["items"][0]["body"] for canvas in manifest["items"]]
    assert [body["type"] for body in bodies] == ["Choice", "Image"]
    assert [item["label"] for item in bodies[0]["items"]] == [{"none": ["彩色"]}, {"none": ["紅外"]}]
    assert labels(manifest) == ["碑陽", "碑陰"]


def test_volumes_are_ranges(manifest_of: Callable[[str], Json]) -> None:
    volumes = manifest_of("several volumes")["structures"]
    assert [(part["label"]["lzh"], numbers(part["items"])) for part in volumes] == [
        (["上冊"], [1, 2]),
        (["下冊"], [3, 4]),
    ]


def test_files_to_take_away_are_those_that_access_allows(manifest_of: Callable[[str], Json]) -> None:
    def files(kind: str) -> list[str]:
        return [file["id"].rpartition("/")[2] for file in manifest_of(kind).get("rendering", [])]

    assert files("scroll") == ["book.pdf", "images.zip", "bag.zip"]
    assert files("reduced") == ["book.pdf", "bag.zip"]
    assert files("restricted") == ["bag.zip"]
    bag = manifest_of("restricted")["rendering"][0]
    assert (bag["type"], bag["format"]) == ("Dataset", "application/zip")
    assert bag["profile"] == "https://www.rfc-editor.org/rfc/rfc8493"
    assert "令牌" in bag["label"]["zh-Hans"][0]
    assert "with a token" in bag["label"]["en"][0]
    assert all("thumbnail" not in canvas for canvas in manifest_of("restricted")["items"])


def test_nobody_is_offered_a_work_with_redactions_as_a_bag(tmp_path: Path) -> None:
    work = work_of("odd start", tmp_path)
    hidden = replace(next(work.images()), redactions=(Rectangle(0, 0, 10, 10),))
    pages = [replace(page, images=(hidden,)) if number == 0 else page for number, page in enumerate(work.pages())]
    redacted = replace(work, volumes=(replace(work.volumes[0], pages=tuple(pages)),))
    manifest = json.loads(build_manifest(redacted, pyramids_of(redacted), "某館", 64_000_000, NOW))
    assert [file["id"].rpartition("/")[2] for file in manifest["rendering"]] == ["book.pdf", "images.zip"]


def test_ranges_link_to_their_pages_as_pdf_unless_their_order_is_another(manifest_of: Callable[[str], Json]) -> None:
    def pages(part: Json) -> list[str]:
        return [file["id"].partition("book.pdf?pages=")[2] for file in part.get("rendering", ())]

    first, second = manifest_of("bound together")["structures"]
    assert [pages(part) for part in (first, first["items"][0], second)] == [["1-2"], ["1-2"], ["3-4"]]
    assert second["rendering"][0]["format"] == "application/pdf"
    contents, sequence = manifest_of("misplaced leaves")["structures"]
    assert (pages(contents), pages(sequence)) == (["1-4"], [])
    volumes = manifest_of("several volumes")["structures"]
    assert [pages(volume) for volume in volumes] == [["1-2"], ["3-4"]]
    assert volumes[0]["rendering"][0]["label"]["zh-Hans"] == ["本册（PDF）"]


def test_manifest_states_the_year_and_the_institution_with_its_logo(manifest_of: Callable[[str], Json]) -> None:
    manifest = manifest_of("scroll")
    assert manifest["navDate"].startswith("1590-01-01T00:00:00")
    assert manifest["provider"][0]["logo"] == [{"id": LOGO, "type": "Image", "format": "image/svg+xml"}]
