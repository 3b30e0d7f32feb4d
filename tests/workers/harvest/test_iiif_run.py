"""Runs over IIIF collections: both versions, conditional requests, vanished manifests, and broken partners."""

from __future__ import annotations

import json
from dataclasses import astuple, replace
from typing import Any

import pytest
from partner_server import Answer

from repository.errors import ShanbenError
from repository.model.harvest import RecordState, SourceKind
from workers.harvest import iiif_run, polite
from workers.harvest.keeping import cleaning_of
from workers.harvest.progress import SourceFull


class Partner:
    """Collections and manifests by path; each is sent with an ETag, and not again while it is the same."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.documents: dict[str, Any] = {}
        self.status: dict[str, int] = {}
        self.not_modified = 0

    def collection(self, path: str, *members: str) -> None:
        kinds = {path: "Manifest" if "manifest" in path else "Collection" for path in members}
        items = [{"id": self.url + path, "type": kind, "label": {"none": ["x"]}} for path, kind in kinds.items()]
        self.documents[path] = {"id": self.url + path, "type": "Collection", "items": items}

    def manifest(self, path: str, title: str, **more: Any) -> None:
        self.documents[path] = {"id": self.url + path, "type": "Manifest", "label": {"zh": [title]}, **more}

    def serve(self, path: str, query: dict[str, str], etag: str) -> Answer:
        if path in self.status:
            return Answer(status=self.status[path])
        if path not in self.documents:
            return Answer(status=404)
        body = json.dumps(self.documents[path]).encode()
        own = f'"{hash(body)}"'
        if etag == own:
            self.not_modified += 1
            return Answer(status=304)
        return Answer(body, headers={"ETag": own})


@pytest.fixture
def partner(harvesting: Any) -> Partner:
    server = harvesting.partner
    partner = Partner(server.url)
    server.answer = lambda path, query: partner.serve(path, query, server.asked[-1][2].get("if-none-match", ""))
    partner.collection("/top", "/a", "/manifest/0")
    partner.collection("/a", "/manifest/1", "/manifest/2", "/top")
    for number in range(3):
        partner.manifest(f"/manifest/{number}", f"書{number}")
    harvesting.add(SourceKind.IIIF, "/top")
    return partner


def test_a_second_run_receives_nothing_again(harvesting: Any, partner: Partner) -> None:
    assert harvesting.run() == {"added": 3}
    assert sorted(harvesting.titles()) == ["書0", "書1", "書2"]
    assert harvesting.run() == {"unchanged": 3}
    assert partner.not_modified == 5
    partner.manifest("/manifest/1", "新題")
    assert harvesting.run() == {"changed": 1, "unchanged": 2}


def test_collections_count_towards_the_limit_and_are_forgotten_when_they_are_not_listed(
    harvesting: Any, partner: Partner
) -> None:
    harvesting.run()
    unlimited, (records, size) = harvesting.repository, astuple(harvesting.repository.harvests.held("partner"))
    assert records == 5, "three manifests and two collections"
    partner.collection("/top", "/b", "/manifest/0")
    partner.documents["/b"] = partner.documents["/a"]
    assert harvesting.run() == {"unchanged": 3}
    assert astuple(unlimited.harvests.held("partner")) == (records, size)
    settings = replace(unlimited.settings, harvest_bytes=size + 1000)
    harvesting.repository = replace(unlimited, settings=settings)
    partner.collection("/b", "/manifest/1", "/manifest/2", *(f"/manifest/{number}" for number in range(3, 103)))
    with pytest.raises(SourceFull, match="SHANBEN_HARVEST_BYTES"):
        harvesting.run()
    assert astuple(unlimited.harvests.held("partner")) == (records, size)
    assert len(harvesting.live()) == 3


def test_vanished_manifests_are_deleted_and_come_back(harvesting: Any, partner: Partner) -> None:
    harvesting.run()
    partner.collection("/a", "/manifest/1")
    assert harvesting.run() == {"deleted": 1, "unchanged": 2}
    partner.collection("/a", "/manifest/1", "/manifest/2")
    assert harvesting.run() == {"added": 1, "unchanged": 2}


def test_a_manifest_that_is_gone_is_deleted_and_one_that_fails_is_kept(
    harvesting: Any, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polite, "TRIES", 1)
    harvesting.run()
    partner.status = {"/manifest/1": 410, "/manifest/2": 500}
    assert harvesting.run() == {"deleted": 1, "unchanged": 2, "unreadable": 1}


def test_an_empty_collection_deletes_nothing_until_a_person_accepts_it(harvesting: Any, partner: Partner) -> None:
    harvesting.run()
    partner.collection("/top")
    assert harvesting.run() == {"held_back": 3}
    assert len(harvesting.live()) == 3
    assert harvesting.run(accept=True) == {"deleted": 3}
    assert len(harvesting.repository.harvests.records("partner", RecordState.DELETED, 0, 9)) == 3


def test_an_interrupted_run_does_not_ask_again_for_what_it_has(
    harvesting: Any, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polite, "TRIES", 1)
    monkeypatch.setattr(iiif_run, "MOST_FAILURES", 1)
    monkeypatch.setattr(iiif_run, "_BATCH", 1)
    partner.status = {"/manifest/2": 502}
    with pytest.raises(ShanbenError):
        harvesting.run()
    partner.status = {}
    harvesting.partner.asked.clear()
    assert harvesting.run()["added"] == 3
    assert [path for path, _, _ in harvesting.partner.asked if "manifest" in path] == ["/manifest/2"]


def test_a_partner_that_is_away_ends_the_run_soon(
    harvesting: Any, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polite, "TRIES", 1)
    partner.collection("/top", *(f"/manifest/{number}" for number in range(50)))
    partner.status = {f"/manifest/{number}": 502 for number in range(50)}
    with pytest.raises(ShanbenError):
        harvesting.run()
    assert len(harvesting.partner.asked) == 1 + iiif_run.MOST_FAILURES


BROKEN = {
    "deep JSON": Answer(b'{"type":' + b"[" * 100_000),
    "deep but closed JSON": Answer(b'{"type":"Collection","items":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "no JSON": Answer(b"<html>"),
    "a list": Answer(b"[]"),
    "another type": Answer(b'{"type":"Canvas"}'),
    "not UTF-8": Answer(b'{"type":"Collection","label":"\xff"}'),
    "numbers without end": Answer(b'{"type":' + b"9" * 100_000 + b"}"),
    "not modified": Answer(status=304),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_collection_ends_the_run_and_harms_nothing(harvesting: Any, partner: Partner, what: str) -> None:
    harvesting.run()
    harvesting.repository.harvests.keep_collection("partner", "0" * 24, _unknown())
    served = harvesting.partner.answer
    harvesting.partner.answer = lambda path, query: BROKEN[what] if path == "/a" else served(path, query)
    if what == "not modified":
        assert harvesting.run() == {"unchanged": 3}
        return
    with pytest.raises(ShanbenError) as caught:
        harvesting.run()
    assert caught.value.message.zh
    assert len(harvesting.live()) == 3


def _unknown() -> Any:
    from repository.database.harvest import KnownCollection  # noqa: PLC0415

    return KnownCollection("", "", {})


def test_collections_that_never_end_end_the_run(harvesting: Any, partner: Partner) -> None:
    for number in range(30):
        partner.collection(f"/c{number}", f"/c{number + 1}")
    partner.collection("/top", "/c0")
    with pytest.raises(ShanbenError, match="nested deeper"):
        harvesting.run()


def test_addresses_in_chinese_are_requested_percent_encoded(harvesting: Any, partner: Partner) -> None:
    partner.collection("/top", "/書/manifest")
    partner.manifest("/%E6%9B%B8/manifest", "書")
    assert harvesting.run() == {"added": 1}
    assert harvesting.titles() == ["書"]


def test_presentation_2_is_read_with_its_metadata_and_thumbnail(harvesting: Any, partner: Partner) -> None:
    service = {"@id": "https://iiif.example/image/1", "profile": "http://iiif.io/api/image/2/level2.json"}
    partner.documents["/top"] = {
        "@type": "sc:Collection",
        "label": "某館",
        "collections": [{"@id": f"{partner.url}/a", "@type": "sc:Collection"}],
    }
    partner.documents["/a"] = {
        "@type": "sc:Collection",
        "manifests": [{"@id": f"{partner.url}/manifest/0", "@type": "sc:Manifest"}],
    }
    partner.documents["/manifest/0"] = {
        "@id": f"{partner.url}/manifest/0",
        "@type": "sc:Manifest",
        "label": [{"@value": "論語集解十卷", "@language": "zh"}],
        "metadata": [
            {"label": "責任者", "value": "（魏）何晏集解"},
            {"label": [{"@value": "Date", "@language": "en"}], "value": "<b>日本寬永三年</b>"},
        ],
        "license": "https://creativecommons.org/publicdomain/mark/1.0/deed.zh",
        "sequences": [{"canvases": [{"images": [{"resource": {"@id": "x", "service": service}}]}]}],
    }
    assert harvesting.run() == {"added": 1}
    (record,) = harvesting.live()
    cleaned = cleaning_of(record).record
    assert (record.title, record.creator, record.earliest) == ("論語集解十卷", "（魏）何晏集解", 1626)
    assert cleaned.rights == "http://creativecommons.org/publicdomain/mark/1.0/"
    assert cleaned.thumbnail == "https://iiif.example/image/1/full/!400,400/0/default.jpg"
    assert cleaned.manifest == f"{partner.url}/manifest/0"
