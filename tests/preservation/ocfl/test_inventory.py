from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preservation.ocfl.inventory import (
    Inventory,
    check_logical_paths,
    inventory_bytes,
    new_content,
    next_inventory,
    parse_inventory,
    parse_sidecar,
    sidecar_bytes,
)
from repository.errors import ObjectInvalid

TIME = "2026-01-02T03:04:05Z"
A, B, C = (hashlib.sha256(letter).hexdigest() for letter in (b"a", b"b", b"c"))


def version(head: Inventory | None, state: dict[str, str]) -> Inventory:
    return next_inventory(head, "shanben:w", state, message="m", created=TIME)


def test_inventory_stores_new_content_once_and_old_content_never_again() -> None:
    first = version(None, {"masters/2": A, "masters/1": A, "work.json": B})
    assert first.head == "v1"
    assert new_content(first) == {"v1/content/masters/1": A, "v1/content/work.json": B}
    second = version(first, {"masters/1": A, "moved/2": A, "work.json": C})
    assert second.head == "v2"
    assert new_content(second) == {"v2/content/work.json": C}
    assert second.content_path(A) == "v1/content/masters/1"
    assert second.state == {"masters/1": A, "moved/2": A, "work.json": C}
    third = version(second, {"work.json": B})
    assert new_content(third) == {}
    assert third.content_path(third.state["work.json"]) == "v1/content/work.json"


segments = st.text(alphabet="ab卷 %.", min_size=1, max_size=3).filter(lambda segment: segment not in {".", ".."})
states = st.dictionaries(st.lists(segments, min_size=1, max_size=3).map("/".join), st.sampled_from([A, B, C]))


@given(st.lists(states, min_size=1, max_size=4))
def test_parse_inventory_is_the_inverse_of_inventory_bytes(history: list[dict[str, str]]) -> None:
    inventory = None
    for state in history:
        try:
            inventory = version(inventory, state)
        except ObjectInvalid:
            continue
        assert parse_inventory(inventory_bytes(inventory), "k") == inventory
        assert all(inventory.content_path(digest) for digest in inventory.state.values())


def test_parse_sidecar_is_the_inverse_of_sidecar_bytes() -> None:
    assert parse_sidecar(sidecar_bytes(A), "k") == A


@pytest.mark.parametrize("sidecar", [b"", b"abc inventory.json\n", A.encode(), A.encode() + b" other.json\n", b"\xff"])
def test_parse_sidecar_refuses_malformed_sidecars(sidecar: bytes) -> None:
    with pytest.raises(ObjectInvalid):
        parse_sidecar(sidecar, "k")


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", ".", "..", "a/../b", "./a"])
def test_logical_path_that_ocfl_forbids_is_refused(path: str) -> None:
    with pytest.raises(ObjectInvalid):
        check_logical_paths([path], "shanben:w")


def test_logical_path_cannot_be_both_file_and_folder() -> None:
    with pytest.raises(ObjectInvalid):
        check_logical_paths(["a/b", "a/b/c"], "shanben:w")
    check_logical_paths(["a/b", "a/bc", "a/b.c"], "shanben:w")


@pytest.mark.parametrize("created", ["", "today", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02T03:04Z"])
def test_version_time_needs_seconds_and_zone(created: str) -> None:
    with pytest.raises(ObjectInvalid):
        next_inventory(None, "shanben:w", {}, message="m", created=created)


def broken(**changes: Any) -> bytes:
    return json.dumps(json.loads(inventory_bytes(version(None, {"a": A}))) | changes).encode()


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        inventory_bytes(version(None, {"a": A}))[:-20],
        broken(head="v2"),
        broken(versions={}),
        broken(versions={"v2": {"created": TIME, "state": {}}}),
        broken(versions={"v1": {"created": TIME, "state": {B: ["a"]}}}),
        broken(manifest={}),
        broken(manifest={A: []}),
        broken(manifest={A: [1]}),
        broken(manifest=[]),
        broken(id=5),
        broken(digestAlgorithm="sha512"),
        broken(contentDirectory="stuff"),
    ],
)
def test_parse_inventory_refuses_malformed_inventories(document: bytes) -> None:
    with pytest.raises(ObjectInvalid) as raised:
        parse_inventory(document, "some/key")
    assert "some/key" in str(raised.value)


def test_inventory_of_another_program_is_parsed_and_keeps_its_user() -> None:
    own = inventory_bytes(version(None, {"a": A}))
    values = json.loads(own)
    values["versions"]["v1"]["user"] = {"name": "A Librarian"}
    other = parse_inventory(json.dumps(values, indent=8).replace(A, A.upper()).encode(), "k")
    second = json.loads(inventory_bytes(version(other, {"a": A, "b": B})))
    assert second["versions"]["v1"]["user"] == {"name": "A Librarian"}
    assert second["manifest"] == {A: ["v1/content/a"], B: ["v2/content/b"]}
