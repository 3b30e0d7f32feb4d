"""The common contract of stores, for a folder, memory, and S3 as moto's server implements it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_scenarios import *  # noqa: F403 -- every scenario is a test here
from store_scenarios import MEBIBYTE, InterruptedScanError, keys

from repository.config import Settings
from repository.errors import KeyExists, SettingInvalid, StoreDenied, StoreFault
from repository.storage.address import parse_address
from repository.storage.content import check_key
from repository.storage.folder import FolderStore
from repository.storage.s3 import ObstoreStore, Timeouts, memory_store, s3_store
from repository.storage.store import ObjectStore, open_store

_numbers = count()


def s3_settings(endpoint: str) -> Settings:
    bucket = f"books-{next(_numbers)}"
    settings = Settings(
        store=f"s3://{bucket}/deep/prefix", s3_endpoint=endpoint, s3_access_key="key", s3_secret_key="secret"
    )
    client = boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id="key", aws_secret_access_key="secret", region_name="us-east-1"
    )
    client.create_bucket(Bucket=bucket)
    return settings


@pytest.fixture(params=["folder", "memory", pytest.param("s3", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return open_store(Settings(data=tmp_path))
    if request.param == "memory":
        return memory_store()
    return open_store(s3_settings(request.getfixturevalue("endpoint")))


@given(st.text(alphabet="a./\0é", max_size=8))
def test_keys_that_leave_the_root_are_refused(key: str) -> None:
    try:
        check_key(key)
    except StoreFault:
        return
    assert os.path.normpath(f"/base/{key}") == f"/base/{key}"
    assert key


def test_one_of_many_concurrent_put_new_succeeds(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    won: list[int] = []

    def race(number: int) -> None:
        try:
            store.put_new("log/first", bytes([number]) * 100_000)
        except KeyExists:
            return
        won.append(number)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.read("log/first") == bytes(won) * 100_000


def test_settings_select_the_kind_of_store(tmp_path: Path, endpoint: str) -> None:
    assert isinstance(open_store(Settings(data=tmp_path)), FolderStore)
    assert isinstance(open_store(s3_settings(endpoint)), ObstoreStore)
    with pytest.raises(SettingInvalid):
        open_store(Settings(store="s3://"))


def test_prefixes_of_one_bucket_are_separate_stores(endpoint: str) -> None:
    settings = s3_settings(endpoint)
    bucket = settings.store.removeprefix("s3://").partition("/")[0]
    here = open_store(settings)
    there = open_store(
        Settings(store=f"s3://{bucket}", s3_endpoint=endpoint, s3_access_key="key", s3_secret_key="secret")
    )
    here.put("a", b"x")
    there.put("b", b"y")
    assert keys(here) == ["a"]
    assert keys(there) == ["b", "deep/prefix/a"]


def test_every_request_reports_a_missing_bucket(endpoint: str) -> None:
    store = open_store(
        Settings(store="s3://nowhere", s3_endpoint=endpoint, s3_access_key="key", s3_secret_key="secret")
    )
    for ask in (store.read, store.exists, store.size, store.chunks, lambda key: store.put(key, b"x")):
        with pytest.raises(StoreDenied, match="bucket does not exist") as raised:
            ask("a")
        assert not raised.value.transient


def test_an_absent_server_is_reported_soon() -> None:
    closed = Settings(store="s3://b", s3_endpoint="http://127.0.0.1:1", s3_access_key="key", s3_secret_key="secret")
    brief = Timeouts(total=1, idle=1, retries=2, retry_period=2, longest_pause=0.2)
    address = parse_address(closed.store_url, closed)
    for store, asks in (
        (open_store(closed), ("read", "exists", "chunks")),
        (s3_store(address, writes=brief), ("delete",)),
    ):
        begun = time.monotonic()
        for ask in asks:
            with pytest.raises(StoreFault, match="存储服务.*cannot be reached") as raised:
                getattr(store, ask)("a")
            assert raised.value.transient
            assert len(str(raised.value)) < 200
        assert time.monotonic() - begun < 10


def test_a_failed_upload_is_aborted(endpoint: str) -> None:
    settings = s3_settings(endpoint)

    def breaking() -> Iterator[bytes]:
        for _ in range(40):
            yield bytes(MEBIBYTE)
        raise InterruptedScanError

    with pytest.raises(InterruptedScanError):
        open_store(settings).put("big", breaking())
    client = boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id="key", aws_secret_access_key="secret", region_name="us-east-1"
    )
    bucket = settings.store.removeprefix("s3://").partition("/")[0]
    assert client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []
