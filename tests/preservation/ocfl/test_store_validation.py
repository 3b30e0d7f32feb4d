"""The validation of a whole storage root: a table of damaged stores and the codes that each must give."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from preservation.ocfl.layout import layout_path
from preservation.ocfl.objects import prepare_storage_root, write_version
from preservation.ocfl.store_validation import ValidatedPart, survey_store, validate_store
from repository.errors import StoreFault
from repository.identifiers import Kind, mint
from repository.paths import ocfl_id, ocfl_object
from repository.storage.content import StoredObject
from repository.storage.folder import FolderStore
from repository.storage.s3 import ObstoreStore, memory_store
from repository.storage.store import ObjectStore

WORKS = [mint(Kind.WORK, title) for title in ("論語", "孟子", "大學")]
FIRST, SECOND, THIRD = (ocfl_object(work) for work in WORKS)
TIME = "2026-01-02T03:04:05Z"


def library() -> ObstoreStore:
    """A storage root with three objects, the first of them in two versions."""
    store = memory_store()
    prepare_storage_root(store)
    for work in WORKS:
        write_version(store, work, {"masters/1.tif": work.encode(), "metadata/a": b"a"}, message="m", created=TIME)
    write_version(store, WORKS[0], {"masters/1.tif": b"second"}, message="m", created=TIME)
    return store


def validate(store: ObjectStore) -> list[ValidatedPart]:
    return list(validate_store(store, survey_store(store)))


def faults(store: ObjectStore) -> list[tuple[str, str, str]]:
    """The object, the code and the key of every fault."""
    return [
        (part.identifier, finding.code, part.key(finding)) for part in validate(store) for finding in part.result.errors
    ]


def invert_first_byte(key: str) -> Callable[[ObstoreStore], None]:
    def damage(store: ObstoreStore) -> None:
        content = store.read(key)
        store.put(key, bytes([content[0] ^ 1]) + content[1:])

    return damage


def put(key: str, content: bytes = b"x") -> Callable[[ObstoreStore], None]:
    return lambda store: store.put(key, content)


def delete(*keys: str) -> Callable[[ObstoreStore], None]:
    def damage(store: ObstoreStore) -> None:
        for key in keys:
            store.delete(key)

    return damage


def delete_object(root: str, *, keep: str) -> Callable[[ObstoreStore], None]:
    def damage(store: ObstoreStore) -> None:
        for stored in list(store.list(root)):
            if not stored.key.endswith(keep):
                store.delete(stored.key)

    return damage


def move_object(root: str, target: str) -> Callable[[ObstoreStore], None]:
    def damage(store: ObstoreStore) -> None:
        for stored in list(store.list(root)):
            store.put(target + stored.key.removeprefix(root), store.read(stored.key))
            store.delete(stored.key)

    return damage


def replace_declaration(store: ObstoreStore) -> None:
    store.delete("ocfl/0=ocfl_1.1")
    store.put("ocfl/0=ocfl_1.0", b"ocfl_1.0\n")


LAYOUT = json.dumps({"extension": "0004-hashed-n-tuple-storage-layout", "description": "d"}).encode()
CONFIG = "ocfl/extensions/0003-hash-and-id-n-tuple-storage-layout/config.json"
OBJECT = ocfl_id(WORKS[0])
MISPLACED = "ocfl/abc/def/012/" + FIRST.rpartition("/")[2]


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        # Content and inventories of an object.
        (invert_first_byte(f"{FIRST}/v2/content/masters/1.tif"), {(OBJECT, "E092")}),
        (delete(f"{FIRST}/v1/content/masters/1.tif"), {(OBJECT, "E092")}),
        (put(f"{FIRST}/v1/content/stray"), {(OBJECT, "E023")}),
        (put(f"{FIRST}/stray"), {(OBJECT, "E001")}),
        (delete(f"{FIRST}/0=ocfl_object_1.1"), {(OBJECT, "E003")}),
        (delete(f"{FIRST}/inventory.json"), {(OBJECT, "E063")}),
        (put(f"{FIRST}/inventory.json", b"{"), {(OBJECT, "E033")}),
        (put(f"{FIRST}/inventory.json.sha256", b"0" * 64 + b" inventory.json\n"), {(OBJECT, "E060")}),
        (delete_object(FIRST, keep="masters/1.tif"), {(OBJECT, "E003"), (OBJECT, "E063")}),
        (delete_object(FIRST, keep="0=ocfl_object_1.1"), {(OBJECT, "E063")}),
        # The place of an object.
        (move_object(FIRST, MISPLACED), {(OBJECT, "E083")}),
        (move_object(FIRST, "ocfl/elsewhere"), {(OBJECT, "E083")}),
        # Files outside objects.
        (put("ocfl/abc/def/012/stray"), {("", "E072")}),
        (put("ocfl/stray/stray/stray/stray/stray"), {("", "E072")}),
        (put("ocfl/stray"), set()),
        # The storage root's own files.
        (delete("ocfl/0=ocfl_1.1"), {("", "E069")}),
        (put("ocfl/0=ocfl_1.1", b"ocfl_1.0\n"), {("", "E080")}),
        (put("ocfl/0=ocfl_1.0", b"ocfl_1.0\n"), {("", "E076")}),
        (put("ocfl/0=ocfl_9.9", b"ocfl_9.9\n"), {("", "E076"), ("", "E079")}),
        (replace_declaration, {(ocfl_id(work), "E081") for work in WORKS}),
        (put("ocfl/ocfl_layout.json", b"{}"), {("", "E070")}),
        (put("ocfl/ocfl_layout.json", b"\xff"), {("", "E070")}),
        (put("ocfl/ocfl_layout.json", LAYOUT.replace(b"0004-", b"mine-")), {("", "E071")}),
        (put("ocfl/ocfl_layout.json", LAYOUT), {("", "E071")}),
        (put(CONFIG, b'{"tupleSize": 2}'), {("", "E071")}),
        (put(CONFIG, b"[]"), {("", "E071")}),
        (put(CONFIG, b'{"tupleSize": 3}'), set()),
        (delete("ocfl/ocfl_layout.json", CONFIG), set()),
        (put("ocfl/extensions/stray"), {("", "E112")}),
    ],
)
def test_damaged_store_gives_the_codes_of_its_damage_and_no_others(
    damage: Callable[[ObstoreStore], None], expected: set[tuple[str, str]]
) -> None:
    store = library()
    assert faults(store) == []
    damage(store)
    assert {(identifier, code) for identifier, code, _ in faults(store)} == expected
    parts = validate(store)
    assert sum(part.is_object for part in parts) == 3
    assert sum(part.is_object and part.result.valid for part in parts) == 3 - len(
        {name for name, _ in expected if name}
    )


def test_every_object_of_a_broken_store_is_reported() -> None:
    store = library()
    store.put(f"{FIRST}/inventory.json", b"\xff")
    store.delete(f"{SECOND}/inventory.json")
    store.put(f"{THIRD}/v1/content/masters/1.tif", b"x")
    assert {(identifier, code) for identifier, code, _ in faults(store)} == {
        (ocfl_id(WORKS[0]), "E033"),
        (ocfl_id(WORKS[1]), "E063"),
        (ocfl_id(WORKS[2]), "E092"),
    }


def test_fault_names_the_key_of_the_damaged_file() -> None:
    store = library()
    master, stray = f"{FIRST}/v1/content/masters/1.tif", "ocfl/abc/stray"
    store.delete(master)
    store.put(stray, b"x")
    assert sorted(key for _, _, key in faults(store)) == sorted([master, stray])


def test_unregistered_extension_of_the_storage_root_is_a_warning() -> None:
    store = library()
    store.put("ocfl/extensions/our-own/file", b"x")
    root = validate(store)[0]
    assert (root.is_object, root.result.valid) == (False, True)
    assert [(finding.code, root.key(finding)) for finding in root.result.warnings] == [
        ("W016", "ocfl/extensions/our-own")
    ]


def test_empty_store_is_valid_and_a_store_that_lost_its_storage_root_is_not() -> None:
    store = memory_store()
    assert faults(store) == []
    store.put("log/checkpoint", b"x")
    assert faults(store) == [("", "E069", "ocfl")]


def test_progress_adds_up_to_the_surveyed_bytes() -> None:
    store = library()
    store.put("ocfl/abc/stray", b"stray")
    survey = survey_store(store)
    amounts: list[int] = []
    list(validate_store(store, survey, amounts.append))
    assert sum(amounts) == survey.bytes == sum(stored.size for stored in store.list("ocfl"))


def test_object_of_another_program_is_validated_under_its_own_identifier() -> None:
    store = library()
    root = f"ocfl/{layout_path('info:other/1')}"
    content, empty = b"theirs", b""
    digest = hashlib.sha512(content).hexdigest()
    inventory = {
        "id": "info:other/1",
        "type": "https://ocfl.io/1.1/spec/#inventory",
        "digestAlgorithm": "sha512",
        "head": "v1",
        "manifest": {digest: ["v1/content/a"]},
        "versions": {"v1": {"created": TIME, "message": "m", "state": {digest: ["a"]}, "user": {"name": "n"}}},
    }
    document = json.dumps(inventory).encode()
    sidecar = f"{hashlib.sha512(document).hexdigest()} inventory.json\n".encode()
    files = {"0=ocfl_object_1.1": b"ocfl_object_1.1\n", "v1/content/a": content, "logs/x": empty}
    for folder in ("", "v1/"):
        files |= {f"{folder}inventory.json": document, f"{folder}inventory.json.sha512": sidecar}
    for path, body in files.items():
        store.put(f"{root}/{path}", body)
    assert faults(store) == []
    assert [part.identifier for part in validate(store)].count("info:other/1") == 1


class ChangingStore:
    """A store that changes when the first content file is read; other readers wait until the change is complete."""

    def __init__(self, store: ObjectStore, change: Callable[[], object]) -> None:
        self._store = store
        self._changes = [change]
        self._lock = threading.Lock()

    def chunks(self, key: str) -> Iterator[bytes]:
        with self._lock:
            while self._changes:
                self._changes.pop()()
        return self._store.chunks(key)

    def read(self, key: str) -> bytes:
        with self._lock:
            return self._store.read(key)

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        with self._lock:
            return iter(list(self._store.list(prefix)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_object_that_gets_a_version_during_validation_is_validated_again() -> None:
    for work in WORKS:
        store = library()
        later = {"masters/1.tif": b"later", "metadata/a": b"a"}
        changing = ChangingStore(
            store, lambda s=store, w=work, c=later: write_version(s, w, c, message="m", created=TIME)
        )
        assert faults(changing) == []  # type: ignore[arg-type]


def test_object_that_is_removed_during_validation_is_not_reported() -> None:
    store = library()
    changing = ChangingStore(store, lambda: delete_object(FIRST, keep="nothing")(store))
    parts = validate(changing)  # type: ignore[arg-type]
    assert {part.identifier for part in parts if part.is_object} >= {ocfl_id(work) for work in WORKS[1:]}
    assert all(part.result.valid for part in parts)


def test_validation_that_is_stopped_reads_no_further_objects() -> None:
    store = memory_store()
    prepare_storage_root(store)
    for number in range(100):
        write_version(store, mint(Kind.WORK, str(number)), {"a": b"a"}, message="m", created=TIME)
    amounts: list[int] = []
    parts = validate_store(store, survey_store(store), amounts.append)
    assert [next(parts).is_object, next(parts).is_object] == [False, True]
    parts.close()  # type: ignore[attr-defined]
    assert sum(amounts) < sum(stored.size for stored in store.list("ocfl")) / 2


class FailingStore:
    """A store that cannot read keys with a suffix, and from then on cannot list if it is `away`."""

    def __init__(self, store: ObjectStore, suffix: str, *, away: bool = False) -> None:
        self._store = store
        self._suffix = suffix
        self._away = away
        self._failed = False

    def read(self, key: str) -> bytes:
        self._fail(key)
        return self._store.read(key)

    def chunks(self, key: str) -> Iterator[bytes]:
        self._fail(key)
        return self._store.chunks(key)

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        if self._failed and self._away:
            raise StoreFault(key=prefix, reason="away")
        return self._store.list(prefix)

    def _fail(self, key: str) -> None:
        if key.endswith(self._suffix):
            self._failed = True
            raise StoreFault(key=key, reason="input/output error")


@pytest.mark.parametrize(
    "suffix", ["v1/content/masters/1.tif", "inventory.json", "inventory.json.sha256", "0=ocfl_object_1.1", "0=ocfl_1.1"]
)
def test_unreadable_file_is_a_fault_and_the_rest_is_validated(suffix: str) -> None:
    found = faults(FailingStore(library(), suffix))  # type: ignore[arg-type]
    keys = [key for _, code, key in found if code == "unreadable"]
    assert keys
    assert all(key.endswith(suffix) for key in keys)


@pytest.mark.parametrize("name", [b"stray\x01", b"stray\xff"])
def test_object_folder_whose_name_cannot_be_a_key_is_a_fault_and_the_rest_is_validated(
    name: bytes, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path)
    prepare_storage_root(store)
    write_version(store, WORKS[0], {"a": b"a"}, message="m", created=TIME)
    folder = os.fsencode(tmp_path) + b"/ocfl/000/000/000/" + name
    os.makedirs(folder)
    (Path(os.fsdecode(folder)) / "file").touch()
    assert {code for _, code, _ in faults(store)} == {"E003", "E063"}
    assert [part.result.valid for part in validate(store) if part.is_object] == [False, True]


@pytest.mark.parametrize("suffix", ["masters/1.tif", "0=ocfl_1.1"])
def test_store_that_goes_away_ends_the_validation(suffix: str) -> None:
    with pytest.raises(StoreFault, match="away"):
        faults(FailingStore(library(), suffix, away=True))  # type: ignore[arg-type]
