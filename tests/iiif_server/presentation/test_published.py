"""Published documents: stored once, served under any public address."""

from __future__ import annotations

import json

import pytest

from iiif_server.presentation.manifest import build_collection
from iiif_server.presentation.published import (
    DocumentDamaged,
    PresentationService,
    publish_collection,
    publish_manifest,
)
from repository import identifiers, paths
from repository.errors import IdentifierInvalid, NotFound
from repository.identifiers import Kind
from repository.model.work import WorkState, WorkSummary
from repository.storage.s3 import memory_store
from repository.storage.store import ObjectStore

WORK = identifiers.mint(Kind.WORK, "a work")
PATH = f"/iiif/presentation/3/{WORK}/manifest"
STORED = f'{{"id":"https://base.invalid{PATH}","items":[{{"id":"https://base.invalid/b"}}]}}'.encode()
TOP = STORED.replace(PATH.encode(), b"/iiif/presentation/3/collection/top")


@pytest.fixture
def store() -> ObjectStore:
    return memory_store()


def test_identifiers_begin_with_the_public_address(store: ObjectStore) -> None:
    publish_manifest(store, WORK, STORED)
    served = PresentationService(store).manifest(WORK, "https://library.example/shanben")
    assert served.body == STORED.replace(b"https://base.invalid", b"https://library.example/shanben")


def test_final_slash_of_the_address_is_not_doubled(store: ObjectStore) -> None:
    publish_manifest(store, WORK, STORED)
    service = PresentationService(store)
    assert service.manifest(WORK, "http://a.example/") == service.manifest(WORK, "http://a.example")


def test_entity_tag_depends_on_the_document_and_the_address(store: ObjectStore) -> None:
    service = PresentationService(store)
    publish_manifest(store, WORK, STORED)
    first, again = (service.manifest(WORK, "http://a.example").etag for _ in range(2))
    elsewhere = service.manifest(WORK, "http://b.example").etag
    publish_manifest(store, WORK, STORED + b"\n")
    changed = service.manifest(WORK, "http://a.example").etag
    assert first == again
    assert len({first, elsewhere, changed}) == 3
    assert first[0] == first[-1] == '"'


def test_address_is_escaped_for_json(store: ObjectStore) -> None:
    publish_manifest(store, WORK, STORED)
    hostile = 'http://a.example/","evil":"\\'
    body = json.loads(PresentationService(store).manifest(WORK, hostile).body)
    assert body == {"id": hostile + PATH, "items": [{"id": hostile + "/b"}]}


def test_publishing_the_same_bytes_writes_nothing(store: ObjectStore) -> None:
    assert publish_manifest(store, WORK, STORED)
    assert not publish_manifest(store, WORK, STORED)
    assert publish_manifest(store, WORK, STORED + b" ")
    assert store.read(paths.manifest(WORK)) == STORED + b" "


def test_collections_are_published_by_name(store: ObjectStore) -> None:
    assert publish_collection(store, "top", TOP)
    assert (
        b"http://a.example/iiif/presentation/3/collection/top"
        in PresentationService(store).collection("top", "http://a.example").body
    )


@pytest.mark.parametrize(
    "damaged",
    [b"", b"[1,2]", b"{}", STORED[:-1], STORED + b"}", b"\0" * len(STORED), STORED.replace(b"b", b"\xff"), TOP],
    ids=["empty", "list", "no identifier", "truncated", "appended", "zeros", "not UTF-8", "another document"],
)
def test_damaged_document_is_refused(store: ObjectStore, damaged: bytes) -> None:
    publish_manifest(store, WORK, damaged)
    publish_collection(store, "top", STORED)
    with pytest.raises(DocumentDamaged):
        PresentationService(store).manifest(WORK, "http://a.example")
    with pytest.raises(DocumentDamaged):
        PresentationService(store).collection("top", "http://a.example")


def test_unpublished_work_is_not_found(store: ObjectStore) -> None:
    with pytest.raises(NotFound):
        PresentationService(store).manifest(WORK, "http://a.example")


def test_mistyped_identifier_differs_from_an_absent_work(store: ObjectStore) -> None:
    mistyped = WORK[:-1] + ("0" if WORK[-1] != "0" else "1")
    with pytest.raises(IdentifierInvalid):
        PresentationService(store).manifest(mistyped, "http://a.example")


@pytest.mark.parametrize("name", ["..", "../works/x", "TOP", "", "a/b", "top.json", "top\n"])
def test_collection_name_never_becomes_another_key(store: ObjectStore, name: str) -> None:
    with pytest.raises(NotFound):
        PresentationService(store).collection(name, "http://a.example")


def test_document_in_version_2_follows_the_stored_one_and_has_a_tag_of_its_own(store: ObjectStore) -> None:
    service = PresentationService(store)
    publish_collection(store, "top", build_collection([]))
    two, three = (service.collection("top", "http://a.example", version) for version in (2, 3))
    assert json.loads(two.body)["@id"] == "http://a.example/iiif/presentation/2/collection/top"
    assert two.etag != three.etag
    works = [WorkSummary("w1", "書", (), None, None, 1, 1, WorkState.PUBLISHED)]
    publish_collection(store, "top", build_collection(works))
    changed = service.collection("top", "http://a.example", 2)
    assert len(json.loads(changed.body)["manifests"]) == 1
    assert changed.etag != two.etag
