"""IIIF Change Discovery 1.0 over HTTP: a client written from the specification follows everything, and pages stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from change_discovery import ChangeDiscoveryClient
from followed_library import ADDRESS, FollowedLibrary

from iiif_server.discovery import activities
from iiif_server.urls import CHANGES, changes_page_path, manifest_path
from repository.repository import Repository

STREAM = f"{ADDRESS}{CHANGES}"


@pytest.fixture
def library(tmp_path: Path, monkeypatch: Any) -> FollowedLibrary:
    monkeypatch.setattr(activities, "PER_PAGE", 3)
    monkeypatch.setattr("web.services.discovery.PER_PAGE", 3)
    return FollowedLibrary(tmp_path / "var")


def client_of(library: FollowedLibrary) -> ChangeDiscoveryClient:
    return ChangeDiscoveryClient(STREAM, lambda address: read(library, address))


def read(library: FollowedLibrary, address: str) -> dict[str, Any]:
    response = library.client.get(address.removeprefix(ADDRESS))
    assert response.status_code == 200
    assert response.content_type == 'application/ld+json;profile="http://iiif.io/api/discovery/1/context.json"'
    return dict(response.get_json())


def manifests(works: set[str]) -> set[str]:
    return {f"{ADDRESS}{manifest_path(work)}" for work in works}


def test_an_empty_library_has_a_page_with_a_refresh(library: FollowedLibrary) -> None:
    client = client_of(library)
    client.crawl()
    assert client.resources == set()
    assert read(library, f"{ADDRESS}{changes_page_path(0)}")["orderedItems"][0]["type"] == "Refresh"
    library.publish("甲")
    client.crawl()
    assert client.resources == manifests(library.shown)


def test_a_client_follows_creations_changes_withdrawals_and_returns(library: FollowedLibrary) -> None:
    client = client_of(library)
    for name in "甲乙丙丁戊":
        library.publish(name)
    client.crawl()
    assert client.resources == manifests(library.shown)
    assert len(client.resources) == 5
    library.withdraw("乙")
    library.publish("甲")
    client.crawl()
    assert client.resources == manifests(library.shown)
    library.restore("乙")
    library.withdraw("甲")
    client.crawl()
    assert client.resources == manifests(library.shown)


def test_a_client_reads_only_what_is_new(library: FollowedLibrary) -> None:
    client = client_of(library)
    for number in range(20):
        library.publish(f"第{number}")
    client.crawl()
    before = client.activities
    library.publish("新")
    client.crawl()
    assert client.activities - before <= 3


def test_a_withdrawal_is_the_newest_activity_and_says_nothing_of_the_work(library: FollowedLibrary) -> None:
    library.publish("甲", holder="某圖書館")
    library.withdraw("甲")
    last = read(library, STREAM)["last"]["id"]
    newest = read(library, last)["orderedItems"][-1]
    assert newest["type"] == "Delete"
    assert newest["object"].keys() == {"id", "type"}


def test_an_activity_describes_the_manifest_its_records_and_who_provides_it(library: FollowedLibrary) -> None:
    work = library.publish("甲")
    (activity,) = read(library, f"{ADDRESS}{changes_page_path(0)}")["orderedItems"]
    described = activity["object"]
    assert (activity["type"], activity["endTime"]) == ("Create", "2026-01-01T00:00:01Z")
    assert described["canonical"] == f"{ADDRESS}/works/{work}"
    assert described["provider"] == [{"id": f"{ADDRESS}/", "type": "Agent", "label": {"none": ["某館"]}}]
    for link in described["seeAlso"]:
        assert library.client.get(link["id"].removeprefix(ADDRESS)).content_type.startswith(link["format"])


def test_full_pages_never_change_and_may_be_kept(library: FollowedLibrary) -> None:
    for name in "甲乙丙丁":
        library.publish(name)
    first = library.client.get(changes_page_path(0))
    assert first.headers["Cache-Control"] == "public, max-age=3600"
    for name in "甲乙丙丁":
        library.withdraw(name)
    again = library.client.get(changes_page_path(0), headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    for path in (CHANGES, changes_page_path(2)):
        assert library.client.get(path).headers["Cache-Control"] == "public, no-cache"


def test_pages_have_fixed_places_and_count_from_the_start(library: FollowedLibrary) -> None:
    for number in range(7):
        library.publish(f"第{number}")
    collection = read(library, STREAM)
    assert collection["totalItems"] == 7
    assert collection["first"]["id"].endswith("/changes/page/0")
    assert collection["last"]["id"].endswith("/changes/page/2")
    pages = [read(library, f"{ADDRESS}{changes_page_path(number)}") for number in range(3)]
    assert [(page["startIndex"], len(page["orderedItems"])) for page in pages] == [(0, 3), (3, 3), (6, 1)]
    assert library.client.get(changes_page_path(3)).status_code == 404


def test_a_refresh_lets_a_new_client_stop_and_an_old_one_learn_of_deletions(library: FollowedLibrary) -> None:
    for name in "甲乙丙":
        library.publish(name)
    old = client_of(library)
    old.crawl()
    library.withdraw("乙")
    library.repository.changes.refresh()
    new = client_of(library)
    for client in (old, new):
        client.crawl()
        assert client.resources == manifests(library.shown)
    assert new.activities == 3


def test_a_move_takes_every_manifest_to_the_new_address(library: FollowedLibrary) -> None:
    library.publish("甲")
    client = client_of(library)
    old = "https://old.example"
    client.resources = {f"{old}{manifest_path(work)}" for work in library.shown}
    library.repository.changes.refresh(old)
    client.crawl()
    assert client.resources == manifests(library.shown)


def test_scripts_of_any_origin_may_follow(library: FollowedLibrary, repository: Repository) -> None:
    assert library.client.get(CHANGES).headers["Access-Control-Allow-Origin"] == "*"
