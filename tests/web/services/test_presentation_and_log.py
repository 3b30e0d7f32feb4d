"""Manifests, collections and the provenance log over HTTP."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from iiif_server.cors import PREFLIGHT
from preservation.log import evidence, sequencer
from preservation.log.log_keys import parse_log_keys
from preservation.log.notes import parse_verifier_key
from preservation.log.policy import parse_policy, verify_by_policy
from preservation.premis import ingestion_event
from preservation.verifier import verify
from repository import identifiers, paths
from repository.database.publication import Publication
from repository.model.work import Event, Image, Work
from repository.repository import Repository
from workers.bootstrap import prepare_repository
from workers.tasks.publish import publish_all

LEGACY = 'application/ld+json;profile="http://iiif.io/api/presentation/3/context.json"'


def test_manifest_identifiers_are_under_the_address_of_the_request(client: FlaskClient, publisher: Any) -> None:
    work = publisher.book()
    response = client.get(f"/iiif/presentation/3/{work.identifier}/manifest", base_url="http://books.test:8123")
    assert response.headers["Content-Type"] == LEGACY
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    document = json.loads(response.data)
    assert document["id"] == f"http://books.test:8123/iiif/presentation/3/{work.identifier}/manifest"
    assert b"base.invalid" not in response.data


def test_manifest_identifiers_are_under_the_base_url_when_one_is_set(
    public_client: FlaskClient, publisher: Any
) -> None:
    work = publisher.book()
    document = json.loads(public_client.get(f"/iiif/presentation/3/{work.identifier}/manifest").data)
    assert document["id"] == f"https://books.example/shan/iiif/presentation/3/{work.identifier}/manifest"


def test_manifest_with_a_matching_etag_is_not_sent_again(client: FlaskClient, publisher: Any) -> None:
    address = f"/iiif/presentation/3/{publisher.book().identifier}/manifest"
    first = client.get(address)
    second = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert second.status_code == 304
    assert second.data == b""
    assert second.headers["ETag"] == first.headers["ETag"]
    assert second.headers["Access-Control-Allow-Origin"] == "*"
    assert client.get(address, headers={"If-None-Match": '"other"'}).status_code == 200


def test_missing_manifest_of_a_published_work_is_unavailable_and_not_unknown(
    client: FlaskClient, publisher: Any, repository: Repository
) -> None:
    work = publisher.book().identifier
    repository.store.delete(paths.manifest(work))
    response = client.get(f"/iiif/presentation/3/{work}/manifest")
    assert response.status_code == 503
    assert response.headers["Cache-Control"] == "no-store"
    assert "Retry-After" in response.headers
    unknown = identifiers.mint(identifiers.Kind.WORK, "nobody has this")
    assert client.get(f"/iiif/presentation/3/{unknown}/manifest").status_code == 404


def test_manifest_responds_to_head_and_options(client: FlaskClient, publisher: Any) -> None:
    address = f"/iiif/presentation/3/{publisher.book().identifier}/manifest"
    head = client.head(address)
    assert head.status_code == 200
    assert head.data == b""
    assert int(head.headers["Content-Length"]) == len(client.get(address).data)
    options = client.options(address)
    assert options.status_code == 204
    assert "GET" in options.headers["Access-Control-Allow-Methods"]
    assert options.headers["Access-Control-Allow-Origin"] == "*"


def test_top_collection_links_every_manifest(client: FlaskClient, publisher: Any) -> None:
    titles = {publisher.small_work(f"書{number}").identifier for number in range(3)}
    document = json.loads(client.get("/iiif/presentation/3/collection/top").data)
    for item in document["items"]:
        assert client.get(item["id"]).status_code == 200
    assert {item["id"].split("/")[-2] for item in document["items"]} == titles


def test_accession_periods_of_the_top_collection_link_every_manifest(
    client: FlaskClient, publisher: Any, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_repository(repository)
    monkeypatch.setattr("workers.tasks.publish.MOST", 2)
    titles = {publisher.small_work(f"書{day}", f"2026-01-0{day}T10:37:00Z").identifier for day in (1, 2, 3)}
    publish_all(repository)

    def manifests(address: str) -> Iterator[str]:
        response = client.get(address)
        assert (response.status_code, response.mimetype) == (200, "application/ld+json")
        document = json.loads(response.data)
        if document["type"] == "Manifest":
            yield address.split("/")[-2]
        else:
            for item in document["items"]:
                yield from manifests(item["id"])

    assert sorted(manifests("/iiif/presentation/3/collection/top")) == sorted(titles)
    assert client.get("/iiif/presentation/3/collection/2026-01-02").status_code == 200
    assert client.get("/iiif/presentation/3/collection/2026-01-04").status_code == 404


@pytest.mark.parametrize("name", ["other", "..%2f..%2flog", "Top", "top.json", "%00"])
def test_collection_with_another_name_is_not_found(client: FlaskClient, name: str) -> None:
    response = client.get(f"/iiif/presentation/3/collection/{name}")
    assert response.status_code == 404
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def event_of(work: str, image: Image) -> Event:
    return ingestion_event(work, image.identifier, image.master, time="2026-01-01T00:00:00Z", software="test")


@pytest.fixture
def logged(repository: Repository, publisher: Any) -> Work:
    """A work whose events are in the log."""
    prepare_repository(repository)
    work: Work = publisher.book()
    pyramids = repository.catalogue.pyramids(work.identifier)
    events = [event_of(work.identifier, image) for image in work.images()]
    publication = Publication(work, pyramids, events, 1, "2026-01-01T00:00:00Z", {})
    repository.catalogue.publish(publication, [], "2026-01-01T00:00:00Z")
    assert sequencer.record_events(repository) == 3
    return work


def test_log_files_are_served_as_stored(client: FlaskClient, repository: Repository, logged: Work) -> None:
    checkpoint = client.get("/log/checkpoint")
    assert checkpoint.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert checkpoint.data == repository.store.read("log/checkpoint")
    assert "immutable" not in checkpoint.headers["Cache-Control"]
    for stored in repository.store.list("log/tile"):
        response = client.get(f"/{stored.key}")
        assert response.data == repository.store.read(stored.key)
        assert response.mimetype == "application/octet-stream"
        assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_proof_verifies_with_the_served_key(client: FlaskClient, logged: Work) -> None:
    key = client.get("/log/key").text.strip()
    assert parse_log_keys(client.get("/log/keys").text).line() == key
    image = next(logged.images()).identifier
    proof = client.get(f"/log/proof/{image}")
    assert proof.status_code == 200
    assert evidence.verify(proof.data, key)
    trust = verify.parse_policy(client.get("/log/policy").text)
    assert [each.public for each in trust.logs] == [parse_verifier_key(key).public]
    assert verify_by_policy(proof.data, parse_policy(client.get("/log/policy").data)) == evidence.verify(
        proof.data, key
    )


def test_archive_of_evidence_is_a_zip_with_the_verifier(client: FlaskClient, logged: Work) -> None:
    response = client.get(f"/log/evidence/{logged.identifier}.zip")
    assert (response.status_code, response.mimetype) == (200, "application/zip")
    names = zipfile.ZipFile(io.BytesIO(response.data)).namelist()
    assert f"evidence-{logged.identifier}/verify.py" in names
    assert len([name for name in names if name.endswith(".tlog-proof")]) == 3
    assert client.get(f"/log/evidence/{logged.identifier}.zip?after=1").data != response.data
    for address in (f"{logged.identifier}.zip?version=9", f"{logged.identifier}.zip?after=2", "w0.zip"):
        assert client.get(f"/log/evidence/{address}").status_code == 404
    for number in ("-1", "x", "01"):
        assert client.get(f"/log/evidence/{logged.identifier}.zip?after={number}").status_code == 400


@pytest.mark.parametrize(
    "path",
    ["checkpoint", "tile/0/000", "tile/0/../../checkpoint", "tile/0/0", "tile/64/000", "tile/entries/000.p/0", "key"],
)
def test_log_that_does_not_exist_yet_is_not_an_internal_error(client: FlaskClient, path: str) -> None:
    assert client.get(f"/log/{path}").status_code in {404, 503}


def test_full_tile_is_immutable_and_a_partial_tile_is_not(client: FlaskClient, repository: Repository) -> None:
    repository.store.put("log/tile/0/000", b"\0" * 8192)
    repository.store.put("log/tile/0/001.p/3", b"\0" * 96)
    assert "immutable" in client.get("/log/tile/0/000").headers["Cache-Control"]
    assert "immutable" not in client.get("/log/tile/0/001.p/3").headers["Cache-Control"]


@pytest.mark.parametrize(
    ("key", "content"),
    [
        ("0/000", b"\0" * 8191),
        ("0/000", b"\0" * 8160),
        ("0/000", b""),
        ("entries/000", b"\0\1x" * 255),
        ("entries/000", b"\0\1x" * 255 + b"\0\2x"),
        ("0/001.p/3", b"\0" * 95),
    ],
)
def test_truncated_tile_is_never_cached(client: FlaskClient, repository: Repository, key: str, content: bytes) -> None:
    repository.store.put(f"log/tile/{key}", content)
    response = client.get(f"/log/tile/{key}")
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")


def test_log_routes_reach_nothing_else_in_the_store(client: FlaskClient, repository: Repository) -> None:
    repository.store.put("ocfl/secret", b"secret")
    for path in ("/log/../ocfl/secret", "/log/tile/../../ocfl/secret", "/log/tile/%2e%2e/%2e%2e/ocfl/secret"):
        assert client.get(path).status_code == 404


def test_preflight_of_every_service_is_that_of_the_image_service(client: FlaskClient, publisher: Any) -> None:
    work = publisher.book().identifier
    paths = [
        f"/iiif/presentation/3/{work}/manifest",
        "/iiif/presentation/3/collection/top",
        f"/works/{work}/record.json",
        f"/works/{work}/book.pdf",
        f"/works/{work}/images.zip",
    ]
    paths += ["/iiif/presentation/3/nothing/manifest", "/works/x/record.json", "/log/key", "/log/x"]
    for path in paths:
        asked = {"Origin": "https://other.example", "Access-Control-Request-Headers": "x-requested-with"}
        response = client.options(path, headers={**asked, "Access-Control-Request-Method": "GET"})
        assert (response.status_code, response.data) == (204, b""), path
        for name, value in PREFLIGHT:
            assert response.headers.getlist(name) == [value], path
        for method in ("GET", "HEAD", "POST"):
            assert client.open(path, method=method).headers["Access-Control-Allow-Origin"] == "*", path


def test_pages_for_people_are_not_open_to_scripts_of_other_origins(client: FlaskClient, publisher: Any) -> None:
    for path in ("/", f"/works/{publisher.book().identifier}", "/nothing"):
        for method in ("GET", "OPTIONS"):
            assert "Access-Control-Allow-Origin" not in client.open(path, method=method).headers


@pytest.mark.parametrize(
    ("path", "code"),
    [("/iiif/presentation/3/collection/top", "store.key-absent"), ("/log/tile/0/000.p/1", "store.identity")],
)
def test_what_an_empty_store_lacks_is_unavailable_while_works_are_published(
    client: FlaskClient, publisher: Any, repository: Repository, path: str, code: str
) -> None:
    assert client.get(path).status_code == 404
    prepare_repository(repository)
    publisher.book()
    identity = repository.store.read(paths.STORE_IDENTITY)
    for entry in list(repository.store.list("")):
        repository.store.delete(entry.key)
    response = client.get(path)
    assert (response.status_code, response.get_json(force=True)["code"]) == (503, code)
    assert "Retry-After" in response.headers
    repository.store.put(paths.STORE_IDENTITY, identity)
    assert client.get("/iiif/presentation/3/collection/nothing").status_code == 404
