"""An erasure deletes all versions that a store keeps of what is below a prefix, and nothing that is locked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest

from repository.config import Settings
from repository.errors import StoreFault
from repository.storage.content import ObjectLock
from repository.storage.s3 import memory_store
from repository.storage.store import ObjectStore, open_store

KEYS = ("a/b/1", "a/b/2", "a/bc", "d")


def fill(store: ObjectStore) -> ObjectStore:
    for content in (b"old", b"new"):
        for key in KEYS:
            store.put(key, content)
    return store


@pytest.mark.parametrize("kind", ["memory", "folder"])
def test_everything_below_a_prefix_is_erased_and_nothing_else(tmp_path: Path, kind: str) -> None:
    store = fill(memory_store() if kind == "memory" else open_store(Settings(store=str(tmp_path / "store"))))
    assert store.lock_below("a/b") is None
    assert store.erase("a/b") == 2
    assert store.erase("a/b") == 0
    assert [stored.key for stored in store.list()] == ["a/bc", "d"]


def bucket(endpoint: str, name: str, *, locked: bool) -> tuple[ObjectStore, boto3.session.Session]:
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
    )
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=locked)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    address = Settings(store=f"s3://{name}/books", s3_endpoint=endpoint, s3_access_key="key", s3_secret_key="secret")
    return open_store(address), client


def versions(client: boto3.session.Session, name: str) -> list[str]:
    page = client.list_object_versions(Bucket=name)
    return sorted(each["Key"] for kind in ("Versions", "DeleteMarkers") for each in page.get(kind, []))


def test_all_versions_and_delete_markers_in_a_bucket_are_erased(endpoint: str) -> None:
    store, client = bucket(endpoint, "plain", locked=False)
    fill(store).delete("a/b/2")
    assert store.lock_below("a/b") is None
    assert store.erase("a/b") == 5  # two versions of two objects, and a delete marker
    assert set(versions(client, "plain")) == {"books/a/bc", "books/d"}


def test_the_lock_that_ends_last_is_named_and_respected(endpoint: str) -> None:
    store, client = bucket(endpoint, "locked", locked=True)
    fill(store)
    assert store.lock_below("a/b") is None
    ends = datetime(2031, 1, 1, tzinfo=UTC)
    for number, key in enumerate(("books/a/b/1", "books/a/b/2")):
        until = ends + timedelta(days=number)
        client.put_object_retention(
            Bucket="locked", Key=key, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": until}
        )
    assert store.lock_below("a/b") == ObjectLock("a/b/2", "2031-01-02T00:00:00Z")
    assert store.lock_below("d") is None
    client.put_object_legal_hold(Bucket="locked", Key="books/a/b/1", LegalHold={"Status": "ON"})
    assert store.lock_below("a/b") == ObjectLock("a/b/1", None)
    with pytest.raises(StoreFault):
        store.erase("a/b")
    assert "books/a/b/1" in versions(client, "locked")
