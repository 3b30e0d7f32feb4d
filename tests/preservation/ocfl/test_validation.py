"""The validator on objects that this repository wrote: intact, and with every kind of damage to one file."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preservation.ocfl.objects import write_version
from preservation.ocfl.validation import validate_object
from preservation.ocfl.validation_rules import check_inventory
from repository.identifiers import Kind, mint
from repository.paths import ocfl_object
from repository.storage.s3 import ObstoreStore, memory_store

WORK = mint(Kind.WORK, "論語")
ROOT = ocfl_object(WORK)
TIME = "2026-01-02T03:04:05Z"


def two_versions() -> ObstoreStore:
    store = memory_store()
    content = {"masters/卷一/0001.tif": b"scan", "metadata/work.json": b"{}"}
    write_version(store, WORK, content, message="first", created=TIME)
    write_version(store, WORK, content | {"metadata/work.json": b"[]"}, message="second", created=TIME)
    return store


KEYS = [found.key for found in two_versions().list()]


def codes(store: ObstoreStore) -> set[str]:
    return {finding.code for finding in validate_object(store, ROOT).errors}


def test_written_object_is_valid_with_a_warning_about_its_digest_algorithm_only() -> None:
    result = validate_object(two_versions(), ROOT)
    assert result.errors == ()
    assert {finding.code for finding in result.warnings} == {"W004"}


@pytest.mark.parametrize("key", KEYS)
def test_validator_reports_a_changed_byte_in_any_file(key: str) -> None:
    store = two_versions()
    body = bytearray(store.read(key))
    body[len(body) // 2] ^= 1
    store.put(key, bytes(body))
    assert codes(store)


@pytest.mark.parametrize("key", [key for key in KEYS if not key.endswith(("v1/inventory.json", "v2/inventory.json"))])
def test_validator_reports_a_missing_file(key: str) -> None:
    store = two_versions()
    store.delete(key)
    assert codes(store)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("stray", "E001"),
        ("v9", "E001"),
        ("strays/a", "E001"),
        ("v3/content/a", "E046"),
        ("v1/stray", "E015"),
        ("v1/content/stray", "E023"),
        ("v2/content/masters/卷一/0002.tif", "E023"),
        ("extensions/file", "E067"),
        ("0=ocfl_object_1.0", "E003"),
    ],
)
def test_validator_reports_an_unexpected_file(path: str, code: str) -> None:
    store = two_versions()
    store.put(f"{ROOT}/{path}", b"x")
    assert code in codes(store)


def test_missing_object_is_invalid() -> None:
    assert codes(memory_store()) == {"E003", "E063"}


INVENTORY = two_versions().read(f"{ROOT}/inventory.json")
garbage = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, held in inner for place in places(held, (*path, key)))]


@given(st.sampled_from(places(json.loads(INVENTORY))), garbage)
def test_validator_survives_any_value_in_an_inventory(place: tuple[Any, ...], value: Any) -> None:
    document = {"": json.loads(INVENTORY)}
    inner: Any = document
    for key in ("", *place)[:-1]:
        inner = inner[key]
    inner[("", *place)[-1]] = value
    changed = json.dumps(document[""]).encode()
    store = two_versions()
    for folder in (ROOT, f"{ROOT}/v2"):
        store.put(f"{folder}/inventory.json", changed)
        sidecar = f"{hashlib.sha256(changed).hexdigest()} inventory.json\n".encode()
        store.put(f"{folder}/inventory.json.sha256", sidecar)
    validate_object(store, ROOT)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"id": ""}, "E037"),
        ({"type": "https://ocfl.io/9.9/spec/#inventory"}, "E038"),
        ({"digestAlgorithm": "md5"}, "E025"),
        ({"head": "v1"}, "E040"),
        ({"contentDirectory": ".."}, "E018"),
        ({"contentDirectory": "a/b"}, "E017"),
        ({"contentDirectory": "other"}, "E042"),
        ({"manifest": []}, "E106"),
        ({"versions": []}, "E044"),
        ({"versions": {"v1": 5}}, "E047"),
        ({"versions": {"v1": {}}}, "E048"),
        ({"versions": {"v2": {}}}, "E009"),
        ({"versions": {"v1": {}, "v999999999": {}}}, "E010"),
        ({"versions": {"v1": {}, "v" + "9" * 5000: {}}}, "E046"),
        ({"fixity": []}, "E111"),
        ({"fixity": {"md5": []}}, "E057"),
        ({"fixity": {"md5": {"aa": ["v1/content/absent"]}}}, "E093"),
        ({"surplus": 1}, "E102"),
    ],
)
def test_inventory_rule_gives_its_code(change: dict[str, Any], code: str) -> None:
    assert check_inventory(json.loads(INVENTORY), "k") != []  # W004 alone
    assert code in {finding.code for finding in check_inventory(json.loads(INVENTORY) | change, "k")}
