"""Faults planted into a store that holds two works, the first in two versions, and what a fixity check must find.

`FAULTS` maps a name to a function that damages a store and returns the findings, as pairs of key and kind.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, Final

from preservation.ocfl.objects import write_version
from repository.identifiers import Kind, mint
from repository.paths import LOG_CHECKPOINT, ocfl_object
from repository.storage.store import ObjectStore

Found = set[tuple[str, str]]
Fault = Callable[[ObjectStore, str], Found]
"""Damages a store; the second argument is the root of the first work's object."""

FAULTS: Final[dict[str, Fault]] = {}
MASTER: Final = "v1/content/masters/0002.tif"
RECORD: Final = "v2/content/metadata/work.json"


def plant(fault: Fault) -> Fault:
    """Register a fault under its name."""
    FAULTS[fault.__name__] = fault
    return fault


def flip(store: ObjectStore, key: str) -> None:
    """Change one bit in the middle of an object."""
    content = bytearray(store.read(key))
    content[len(content) // 2] ^= 1
    store.put(key, bytes(content))


@plant
def flipped_bit_of_a_master(store: ObjectStore, root: str) -> Found:
    flip(store, f"{root}/{MASTER}")
    return {(f"{root}/{MASTER}", "changed")}


@plant
def master_cut_short(store: ObjectStore, root: str) -> Found:
    store.put(f"{root}/{MASTER}", store.read(f"{root}/{MASTER}")[:-1])
    return {(f"{root}/{MASTER}", "changed")}


@plant
def emptied_master(store: ObjectStore, root: str) -> Found:
    store.put(f"{root}/{MASTER}", b"")
    return {(f"{root}/{MASTER}", "changed")}


@plant
def master_with_a_byte_too_many(store: ObjectStore, root: str) -> Found:
    store.put(f"{root}/{MASTER}", store.read(f"{root}/{MASTER}") + b"\0")
    return {(f"{root}/{MASTER}", "changed")}


@plant
def master_replaced_by_another(store: ObjectStore, root: str) -> Found:
    store.put(f"{root}/{MASTER}", store.read(f"{root}/v1/content/masters/0001.tif"))
    return {(f"{root}/{MASTER}", "changed")}


@plant
def deleted_master(store: ObjectStore, root: str) -> Found:
    store.delete(f"{root}/{MASTER}")
    return {(f"{root}/{MASTER}", "missing")}


@plant
def renamed_master(store: ObjectStore, root: str) -> Found:
    store.put(f"{root}/v1/content/masters/0002.tiff", store.read(f"{root}/{MASTER}"))
    store.delete(f"{root}/{MASTER}")
    return {(f"{root}/{MASTER}", "missing"), (f"{root}/v1/content/masters/0002.tiff", "unexpected")}


@plant
def changed_record(store: ObjectStore, root: str) -> Found:
    flip(store, f"{root}/{RECORD}")
    return {(f"{root}/{RECORD}", "changed")}


@plant
def deleted_events(store: ObjectStore, root: str) -> Found:
    store.delete(f"{root}/v1/content/metadata/events.json")
    return {(f"{root}/v1/content/metadata/events.json", "missing")}


@plant
def unexpected_content(store: ObjectStore, root: str) -> Found:
    store.put(f"{root}/v1/content/masters/Thumbs.db", b"x")
    return {(f"{root}/v1/content/masters/Thumbs.db", "unexpected")}


@plant
def unexpected_file_beside_the_inventory(store: ObjectStore, root: str) -> Found:
    store.put(f"{root}/notes.txt", b"x")
    return {(f"{root}/notes.txt", "unexpected")}


@plant
def unexpected_version_folder(store: ObjectStore, root: str) -> Found:
    store.put(f"{root}/v3/content/masters/0001.tif", b"x")
    return {(f"{root}/v3/content/masters/0001.tif", "unexpected")}


@plant
def unexpected_file_outside_objects(store: ObjectStore, _: str) -> Found:
    store.put("ocfl/backup.tar", b"x")
    store.put("ocfl/000/stray", b"x")
    return {("ocfl/backup.tar", "unexpected"), ("ocfl/000/stray", "unexpected")}


@plant
def unknown_object(store: ObjectStore, _: str) -> Found:
    work = mint(Kind.WORK, "nobody's")
    write_version(store, work, {"masters/1.tif": b"x"}, message="m", created="2026-01-02T03:04:05Z")
    return {(ocfl_object(work), "unexpected")}


@plant
def flipped_bit_of_the_root_inventory(store: ObjectStore, root: str) -> Found:
    flip(store, f"{root}/inventory.json")
    return {(f"{root}/inventory.json", "changed")}


@plant
def deleted_root_inventory(store: ObjectStore, root: str) -> Found:
    store.delete(f"{root}/inventory.json")
    return {(f"{root}/inventory.json", "missing")}


@plant
def root_inventory_that_is_not_json(store: ObjectStore, root: str) -> Found:
    store.put(f"{root}/inventory.json", b"{")
    return {(f"{root}/inventory.json", "changed")}


@plant
def flipped_bit_of_an_earlier_inventory(store: ObjectStore, root: str) -> Found:
    flip(store, f"{root}/v1/inventory.json")
    return {(f"{root}/v1/inventory.json", "changed")}


@plant
def deleted_earlier_inventory(store: ObjectStore, root: str) -> Found:
    store.delete(f"{root}/v1/inventory.json")
    return {(f"{root}/v1/inventory.json", "missing")}


@plant
def deleted_root_sidecar(store: ObjectStore, root: str) -> Found:
    store.delete(f"{root}/inventory.json.sha256")
    return {(f"{root}/inventory.json.sha256", "missing")}


@plant
def root_sidecar_with_another_digest(store: ObjectStore, root: str) -> Found:
    store.put(f"{root}/inventory.json.sha256", f"{'0' * 64} inventory.json\n".encode())
    return {(f"{root}/inventory.json.sha256", "changed")}


@plant
def malformed_sidecar_of_an_earlier_version(store: ObjectStore, root: str) -> Found:
    store.put(f"{root}/v1/inventory.json.sha256", b"x")
    return {(f"{root}/v1/inventory.json.sha256", "changed")}


@plant
def sidecar_of_an_earlier_version_with_another_digest(store: ObjectStore, root: str) -> Found:
    store.put(f"{root}/v1/inventory.json.sha256", f"{'0' * 64} inventory.json\n".encode())
    return {(f"{root}/v1/inventory.json.sha256", "changed")}


@plant
def changed_declaration(store: ObjectStore, root: str) -> Found:
    store.put(f"{root}/0=ocfl_object_1.1", b"ocfl_object_1.0\n")
    return {(f"{root}/0=ocfl_object_1.1", "changed")}


@plant
def deleted_declaration(store: ObjectStore, root: str) -> Found:
    store.delete(f"{root}/0=ocfl_object_1.1")
    return {(f"{root}/0=ocfl_object_1.1", "missing")}


@plant
def deleted_object(store: ObjectStore, root: str) -> Found:
    for stored in list(store.list(root)):
        store.delete(stored.key)
    return {(root, "missing")}


@plant
def newest_version_undone(store: ObjectStore, root: str) -> Found:
    for name in ("inventory.json", "inventory.json.sha256"):
        store.put(f"{root}/{name}", store.read(f"{root}/v1/{name}"))
    for stored in list(store.list(f"{root}/v2")):
        store.delete(stored.key)
    return {(f"{root}/v2", "missing")}


@plant
def master_replaced_with_its_inventories(store: ObjectStore, root: str) -> Found:
    forged = b"forged"
    before = hashlib.sha256(store.read(f"{root}/{MASTER}")).hexdigest()
    after = hashlib.sha256(forged).hexdigest()
    store.put(f"{root}/{MASTER}", forged)
    for folder in ("v1/", "v2/", ""):
        rewrite(
            store,
            f"{root}/{folder}",
            store.read(f"{root}/{folder}inventory.json").replace(before.encode(), after.encode()),
        )
    return {(f"{root}/{MASTER}", "witnesses-disagree")}


@plant
def master_erased_with_its_listing(store: ObjectStore, root: str) -> Found:
    digest = hashlib.sha256(store.read(f"{root}/{MASTER}")).hexdigest()
    store.delete(f"{root}/{MASTER}")
    for folder in ("v1/", "v2/", ""):
        values = json.loads(store.read(f"{root}/{folder}inventory.json"))
        del values["manifest"][digest]
        for version in values["versions"].values():
            del version["state"][digest]
        rewrite(store, f"{root}/{folder}", written(values))
    return {(f"{root}/inventory.json", "witnesses-disagree")}


@plant
def inventory_that_breaks_a_rule(store: ObjectStore, root: str) -> Found:
    values = json.loads(store.read(f"{root}/inventory.json"))
    values["versions"]["v2"]["created"] = "yesterday"
    for folder in ("v2/", ""):
        rewrite(store, f"{root}/{folder}", written(values))
    return {(f"{root}/inventory.json", "invalid")}


@plant
def root_inventory_that_differs_from_its_version(store: ObjectStore, root: str) -> Found:
    values = json.loads(store.read(f"{root}/inventory.json"))
    values["versions"]["v2"]["message"] = "another"
    rewrite(store, f"{root}/", written(values))
    return {(f"{root}/v2/inventory.json", "invalid")}


@plant
def changed_declaration_of_the_storage_root(store: ObjectStore, _: str) -> Found:
    store.put("ocfl/0=ocfl_1.1", b"ocfl_1.0\n")
    return {("ocfl/0=ocfl_1.1", "changed")}


@plant
def deleted_layout(store: ObjectStore, _: str) -> Found:
    store.delete("ocfl/ocfl_layout.json")
    return {("ocfl/ocfl_layout.json", "missing")}


@plant
def changed_bundle_of_the_log(store: ObjectStore, _: str) -> Found:
    key = newest(store, "log/tile/entries")
    flip(store, key)
    return {(key, "changed")}


@plant
def deleted_tile_of_the_log(store: ObjectStore, _: str) -> Found:
    key = newest(store, "log/tile/0")
    store.delete(key)
    return {(key, "missing")}


@plant
def changed_checkpoint(store: ObjectStore, _: str) -> Found:
    flip(store, LOG_CHECKPOINT)
    return {(LOG_CHECKPOINT, "changed")}


@plant
def deleted_checkpoint(store: ObjectStore, _: str) -> Found:
    store.delete(LOG_CHECKPOINT)
    return {(LOG_CHECKPOINT, "missing")}


@plant
def unexpected_file_in_the_log(store: ObjectStore, _: str) -> Found:
    store.put("log/tile/notes", b"x")
    return {("log/tile/notes", "unexpected")}


@plant
def several_faults_in_one_object(store: ObjectStore, root: str) -> Found:
    return (
        flipped_bit_of_a_master(store, root)
        | deleted_events(store, root)
        | unexpected_content(store, root)
        | deleted_root_sidecar(store, root)
    )


def newest(store: ObjectStore, folder: str) -> str:
    """Return the key of the widest tile of a log with fewer than 256 entries."""
    return max((stored.key for stored in store.list(folder)), key=lambda key: int(key.rpartition("/")[2]))


def rewrite(store: ObjectStore, folder: str, document: bytes) -> None:
    """Put an inventory and the sidecar that states its digest."""
    store.put(f"{folder}inventory.json", document)
    digest = hashlib.sha256(document).hexdigest()
    store.put(f"{folder}inventory.json.sha256", f"{digest} inventory.json\n".encode())


def written(values: Any) -> bytes:
    """Return an inventory as this program writes it."""
    return json.dumps(values, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"
