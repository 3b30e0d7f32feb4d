"""Manifests and the log's files over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from preservation.log import evidence, sequencer
from preservation.premis import ingestion_event
from repository.database.catalogue import Publication
from repository.model import Event, Image, Work
from repository.repository import Repository
from workers.bootstrap import make_ready
from workers.tasks.publish import publish_all

LEGACY = 'application/ld+json;profile="http://iiif.io/api/presentation/3/context.json"'


def test_a_manifest_names_everything_under_the_address_it_was_asked_at(client: FlaskClient, shelf: Any) -> None:
    work = shelf.book()
    answer = client.get(f"/iiif/presentation/3/{work.identifier}/manifest", base_url="http://books.test:8123")
    assert answer.headers["Content-Type"] == LEGACY
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    document = json.loads(answer.data)
    assert document["id"] == f"http://books.test:8123/iiif/presentation/3/{work.identifier}/manifest"
    assert b"base.invalid" not in answer.data


def test_a_manifest_stands_under_the_public_address_when_one_is_set(public_client: FlaskClient, shelf: Any) -> None:
    work = shelf.book()
    document = json.loads(public_client.get(f"/iiif/presentation/3/{work.identifier}/manifest").data)
    assert document["id"] == f"https://books.example/shan/iiif/presentation/3/{work.identifier}/manifest"


def test_a_manifest_that_is_known_is_not_sent_again(client: FlaskClient, shelf: Any) -> None:
    address = f"/iiif/presentation/3/{shelf.book().identifier}/manifest"
    first = client.get(address)
    again = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.data == b""
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Access-Control-Allow-Origin"] == "*"
    assert client.get(address, headers={"If-None-Match": '"other"'}).status_code == 200


def test_head_and_options(client: FlaskClient, shelf: Any) -> None:
    address = f"/iiif/presentation/3/{shelf.book().identifier}/manifest"
    head = client.head(address)
    assert head.status_code == 200
    assert head.data == b""
    assert int(head.headers["Content-Length"]) == len(client.get(address).data)
    options = client.options(address)
    assert options.status_code == 200
    assert "GET" in options.headers["Access-Control-Allow-Methods"]
    assert options.headers["Access-Control-Allow-Origin"] == "*"


def test_the_top_collection_leads_to_every_manifest(client: FlaskClient, shelf: Any) -> None:
    titles = {shelf.small_work(f"書{number}").identifier for number in range(3)}
    document = json.loads(client.get("/iiif/presentation/3/collection/top").data)
    for item in document["items"]:
        assert client.get(item["id"]).status_code == 200
    assert {item["id"].split("/")[-2] for item in document["items"]} == titles


def test_parts_of_the_top_collection_lead_to_every_manifest(
    client: FlaskClient, shelf: Any, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.tasks.publish.MOST", 2)
    titles = {shelf.small_work(f"書{day}", f"2026-01-0{day}T10:37:00Z").identifier for day in (1, 2, 3)}
    publish_all(repository)

    def manifests(address: str) -> Iterator[str]:
        answer = client.get(address)
        assert (answer.status_code, answer.mimetype) == (200, "application/ld+json")
        document = json.loads(answer.data)
        if document["type"] == "Manifest":
            yield address.split("/")[-2]
        else:
            for item in document["items"]:
                yield from manifests(item["id"])

    assert sorted(manifests("/iiif/presentation/3/collection/top")) == sorted(titles)
    assert client.get("/iiif/presentation/3/collection/2026-01-02").status_code == 200
    assert client.get("/iiif/presentation/3/collection/2026-01-04").status_code == 404


@pytest.mark.parametrize("name", ["other", "..%2f..%2flog", "Top", "top.json", "%00"])
def test_other_collections_are_not_there(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/iiif/presentation/3/collection/{name}")
    assert answer.status_code == 404
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def happening(work: str, image: Image) -> Event:
    return ingestion_event(
        work,
        image.identifier,
        image.master.sha256,
        bytes=image.master.bytes,
        time="2026-01-01T00:00:00Z",
        software="test",
    )


@pytest.fixture
def logged(repository: Repository, shelf: Any) -> Work:
    """A work whose events are in the log."""
    make_ready(repository)
    work: Work = shelf.book()
    pyramids = repository.catalogue.pyramids(work.identifier)
    events = [happening(work.identifier, image) for image in work.images()]
    publication = Publication(work, pyramids, events, 1, "2026-01-01T00:00:00Z", {})
    repository.catalogue.publish(publication, [], "2026-01-01T00:00:00Z")
    assert sequencer.record_events(repository) == 3
    return work


def test_the_log_is_served_as_it_lies_in_the_store(client: FlaskClient, repository: Repository, logged: Work) -> None:
    checkpoint = client.get("/log/checkpoint")
    assert checkpoint.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert checkpoint.data == repository.store.read("log/checkpoint")
    assert "immutable" not in checkpoint.headers["Cache-Control"]
    for stored in repository.store.list("log/tile"):
        answer = client.get(f"/{stored.key}")
        assert answer.data == repository.store.read(stored.key)
        assert answer.mimetype == "application/octet-stream"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_proof_checks_with_the_key_that_is_served(client: FlaskClient, logged: Work) -> None:
    key = client.get("/log/key").text.strip()
    image = next(logged.images()).identifier
    proof = client.get(f"/log/proof/{image}")
    assert proof.status_code == 200
    assert evidence.verify(proof.data, key)


@pytest.mark.parametrize(
    "path",
    ["checkpoint", "tile/0/000", "tile/0/../../checkpoint", "tile/0/0", "tile/64/000", "tile/entries/000.p/0", "key"],
)
def test_a_log_that_is_not_there_yet_is_not_a_fault_of_ours(client: FlaskClient, path: str) -> None:
    assert client.get(f"/log/{path}").status_code in {404, 503}


def test_a_full_tile_may_be_kept_for_ever_and_a_partial_one_not(client: FlaskClient, repository: Repository) -> None:
    repository.store.put("log/tile/0/000", b"\0" * 8192)
    repository.store.put("log/tile/0/001.p/3", b"\0" * 96)
    assert "immutable" in client.get("/log/tile/0/000").headers["Cache-Control"]
    assert "immutable" not in client.get("/log/tile/0/001.p/3").headers["Cache-Control"]


def test_nothing_else_in_the_store_can_be_reached(client: FlaskClient, repository: Repository) -> None:
    repository.store.put("ocfl/secret", b"secret")
    for path in ("/log/../ocfl/secret", "/log/tile/../../ocfl/secret", "/log/tile/%2e%2e/%2e%2e/ocfl/secret"):
        assert client.get(path).status_code == 404
