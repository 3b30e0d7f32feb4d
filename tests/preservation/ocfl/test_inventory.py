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


def test_new_bytes_are_stored_once_and_old_bytes_never_again() -> None:
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
def test_an_inventory_read_is_the_inventory_written(history: list[dict[str, str]]) -> None:
    inventory = None
    for state in history:
        try:
            inventory = version(inventory, state)
        except ObjectInvalid:
            continue
        assert parse_inventory(inventory_bytes(inventory), "k") == inventory
        assert all(inventory.content_path(digest) for digest in inventory.state.values())


def test_the_sidecar_read_is_the_sidecar_written() -> None:
    assert parse_sidecar(sidecar_bytes(A), "k") == A


@pytest.mark.parametrize("sidecar", [b"", b"abc inventory.json\n", A.encode(), A.encode() + b" other.json\n", b"\xff"])
def test_a_sidecar_that_says_nothing_is_refused(sidecar: bytes) -> None:
    with pytest.raises(ObjectInvalid):
        parse_sidecar(sidecar, "k")


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", ".", "..", "a/../b", "./a"])
def test_a_logical_path_that_ocfl_forbids_is_refused(path: str) -> None:
    with pytest.raises(ObjectInvalid):
        check_logical_paths([path], "shanben:w")


def test_a_path_cannot_be_a_file_and_a_folder() -> None:
    with pytest.raises(ObjectInvalid):
        check_logical_paths(["a/b", "a/b/c"], "shanben:w")
    check_logical_paths(["a/b", "a/bc", "a/b.c"], "shanben:w")


@pytest.mark.parametrize("created", ["", "today", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02T03:04Z"])
def test_a_time_without_seconds_or_zone_is_refused(created: str) -> None:
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
def test_garbage_is_not_an_inventory(document: bytes) -> None:
    with pytest.raises(ObjectInvalid) as raised:
        parse_inventory(document, "some/key")
    assert "some/key" in str(raised.value)


def test_an_inventory_by_other_hands_is_read_and_its_author_kept() -> None:
    ours = inventory_bytes(version(None, {"a": A}))
    values = json.loads(ours)
    values["versions"]["v1"]["user"] = {"name": "A Librarian"}
    theirs = parse_inventory(json.dumps(values, indent=8).replace(A, A.upper()).encode(), "k")
    second = json.loads(inventory_bytes(version(theirs, {"a": A, "b": B})))
    assert second["versions"]["v1"]["user"] == {"name": "A Librarian"}
    assert second["manifest"] == {A: ["v1/content/a"], B: ["v2/content/b"]}
