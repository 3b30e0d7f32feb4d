"""Addresses of stores: their grammar, their names, and the secrecy of credentials."""

from __future__ import annotations

from pathlib import Path

import pytest

from repository.config import Settings, read_settings
from repository.errors import SettingInvalid
from repository.storage.address import S3Address, parse_address, store_name
from repository.storage.folder import FolderStore
from repository.storage.store import open_replicas, open_store_at

OURS = Settings(
    store="s3://books/main",
    s3_endpoint="http://gateway:9000",
    s3_access_key="key",
    s3_secret_key="hush",
    s3_region="cn-1",
)
SECRETS = ("hush", "murmur", "a+b/c", "a%2Bb")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("s3://books/main", S3Address("books", "main", "http://gateway:9000", "cn-1", "key", "hush")),
        ("s3://books", S3Address("books", "", "http://gateway:9000", "cn-1", "key", "hush")),
        ("s3://books/a/b/", S3Address("books", "a/b", "http://gateway:9000", "cn-1", "key", "hush")),
        ("s3://books/%E5%96%84%2C%25", S3Address("books", "善,%", "http://gateway:9000", "cn-1", "key", "hush")),
        ("s3://books?endpoint=", S3Address("books", "", "", "cn-1", "key", "hush")),
        (
            "s3://copy/x?endpoint=https://other:1/&access_key=k%2C2&secret_key=a+b/c=%26&region=eu",
            S3Address("copy", "x", "https://other:1", "eu", "k,2", "a+b/c=&"),
        ),
        ("/srv/a%20b", Path("/srv/a%20b")),
        ("copies/one", Path("copies/one")),
        ("file:///srv/a%2Cb", Path("/srv/a,b")),
        ("./s3:/books", Path("s3:/books")),
        ("/srv/a:b", Path("/srv/a:b")),
    ],
)
def test_addresses_are_parsed(address: str, expected: object) -> None:
    assert parse_address(address, OURS) == expected


@pytest.mark.parametrize(
    "address",
    [
        "s3://",
        "s3:///x",
        "s3://books/../x",
        "s3://books/a//b",
        "s3://books/%00",
        "s3://books?bucket=x",
        "s3://books?secret_key=murmur",
        "s3://books?access_key=k",
        "s3://books?access_key=k&secret_key=murmur&secret_key=murmur",
        "s3://books?murmur",
        "s3://user:murmur@books/x",
        "s3://books?endpoint=http://user:murmur@host",
        "s3://books?endpoint=host:9000",
        "s3://books?endpoint=http://host:x",
        "https://user:murmur@host/bucket",
        "s3:user:murmur",
        "user:murmur@host/bucket",
    ],
)
def test_invalid_addresses_are_refused_without_revealing_secrets(address: str) -> None:
    with pytest.raises(SettingInvalid) as raised:
        open_store_at(address, OURS)
    assert not any(secret in str(raised.value) for secret in SECRETS)


@pytest.mark.parametrize("address", ["s3:/books/main", "s3:books/main", "S3://books", "file:/srv/a", "gs://books"])
def test_a_mistyped_scheme_is_refused(address: str) -> None:
    with pytest.raises(SettingInvalid) as raised:
        open_replicas(Settings(store=address))
    message = raised.value.message
    for words in (message.zh, message.en):
        assert "SHANBEN_STORE" in words
        assert "s3://bucket/prefix" in words
    with pytest.raises(SettingInvalid, match="SHANBEN_REPLICAS"):
        open_replicas(Settings(replicas=(address,)))


def test_a_store_name_is_the_address_without_secrets(tmp_path: Path) -> None:
    address = "s3://copy/x%2C?endpoint=https://other:1&access_key=k&secret_key=murmur&region=eu"
    assert store_name(address) == "s3://copy/x,?endpoint=https://other:1"
    assert store_name("s3://copy") == "s3://copy"
    assert store_name(str(tmp_path)) == str(tmp_path)
    shown = repr(parse_address(address, OURS)) + str(parse_address("s3://a", OURS))
    assert not any(secret in shown for secret in SECRETS)


def test_replicas_are_opened_by_name(tmp_path: Path) -> None:
    written = f"s3://copy/x%2Cy?endpoint=http://other&access_key=k&secret_key=murmur%2C, {tmp_path},s3://books/other"
    settings = read_settings(
        {
            "SHANBEN_STORE": OURS.store,
            "SHANBEN_S3_ENDPOINT": OURS.s3_endpoint,
            "SHANBEN_REPLICAS": written,
        }
    )
    replicas = open_replicas(settings)
    assert list(replicas) == ["s3://copy/x,y?endpoint=http://other", str(tmp_path), "s3://books/other"]
    assert isinstance(replicas[str(tmp_path)], FolderStore)
    assert open_replicas(Settings()) == {}


@pytest.mark.parametrize(
    ("store", "replicas"),
    [
        ("s3://books/main", ["s3://books/main"]),
        ("s3://books/main", ["s3://books/main/?access_key=a&secret_key=murmur"]),
        ("s3://books/main", ["s3://books/main?endpoint=http://gateway:9000/"]),
        ("s3://books", ["s3://books/copies"]),
        ("s3://books/main", ["s3://copy", "s3://copy?region=eu"]),
        ("var/store", ["var/../var/store"]),
        ("var/store", ["copies/one", "copies/one/two"]),
    ],
)
def test_overlapping_stores_are_refused(store: str, replicas: list[str]) -> None:
    settings = Settings(store=store, s3_endpoint=OURS.s3_endpoint, replicas=tuple(replicas))
    with pytest.raises(SettingInvalid, match="same store") as raised:
        open_replicas(settings)
    assert not any(secret in str(raised.value) for secret in SECRETS)


def test_stores_with_similar_addresses_are_distinct() -> None:
    settings = Settings(
        store="s3://books/main", replicas=("s3://books/main2", "s3://books/main?endpoint=http://x", "books/main")
    )
    assert len(open_replicas(settings)) == 3
