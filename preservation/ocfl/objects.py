"""Writing, versioning and reading OCFL 1.1 objects in the store: one object a work.

A version is written so that a crash anywhere leaves what the next run completes:

1. the new content files are put, each read back from the store and hashed;
2. what an earlier run that did not finish left behind in the version's folder is deleted;
3. the version's own inventory and its sidecar are put;
4. the object's declaration is put (first version only);
5. the root inventory is put: THE COMMIT POINT;
6. the root sidecar is put.

Before 5 the object stands as it stood; the next run finds the content that is already right, keeps it and goes on.
Between 5 and 6 the version is committed and the root sidecar stale: `read_inventory` sees that the root inventory is
the one that step 3 vouched for, and puts the sidecar. Two writers of one work at a time are not allowed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

import rfc8785

from preservation.digests import Digester, sha256
from preservation.ocfl.inventory import (
    INVENTORY_NAME,
    SIDECAR_NAME,
    Inventory,
    inventory_bytes,
    new_content,
    next_inventory,
    parse_inventory,
    parse_sidecar,
    sidecar_bytes,
)
from repository import paths
from repository.errors import DigestMismatch, KeyNotFound, ObjectInvalid
from repository.localized import LocalizedText
from repository.storage.content import chunks_of
from repository.storage.store import ObjectStore

OBJECT_DECLARATION: Final = "0=ocfl_object_1.1"
_VERSION: Final = re.compile(r"v([0-9]+)/")
_LAYOUT: Final = "0003-hash-and-id-n-tuple-storage-layout"
_STORAGE_ROOT: Final[dict[str, bytes]] = {
    # The declaration comes last: where it stands, the rest does.
    f"{paths.OCFL_ROOT}/extensions/{_LAYOUT}/config.json": rfc8785.dumps(
        {"extensionName": _LAYOUT, "digestAlgorithm": "sha256", "tupleSize": 3, "numberOfTuples": 3}
    ),
    f"{paths.OCFL_ROOT}/ocfl_layout.json": rfc8785.dumps(
        {"extension": _LAYOUT, "description": "sha256 of the object identifier, three folders of three digits"}
    ),
    f"{paths.OCFL_ROOT}/0=ocfl_1.1": b"ocfl_1.1\n",
}


def prepare_storage_root(store: ObjectStore) -> None:
    """Declare the store's ``ocfl/`` an OCFL 1.1 storage root and name its layout; safe to repeat."""
    for key, content in _STORAGE_ROOT.items():
        if not store.exists(key):
            store.put(key, content)


def write_version(
    store: ObjectStore,
    work: str,
    content: Mapping[str, Path | bytes],
    *,
    message: str,
    created: str,
    digests: Mapping[str, str] | None = None,
    put: Collection[str] = (),
) -> Inventory:
    """Preserve `content`, the complete logical state of a work, as its next version; the new head inventory.

    `content` leads from logical paths to bytes or files, `digests` from some or all of the same paths to sha256s that
    are known already (each spares a pass over the file, and is held to). What `put` names was put, and verified, by
    `put_content`. `created` is an RFC 3339 time. A state equal to the head's makes no version. Raises `DigestMismatch`
    when the store does not give back what went in or a file is not what `digests` says, `ObjectInvalid`, `StoreFault`.
    """
    head = read_inventory(store, work)
    state, stored = _settle_state(store, work, head, content, digests or {})
    stored |= _present(store, work, 1 + (len(head.versions) if head else 0), put)
    if head and state == dict(head.state):
        _delete_leftovers(store, work, len(head.versions) + 1, ())
        return head
    inventory = next_inventory(head, paths.ocfl_id(work), state, message=message, created=created)
    sources = {state[path]: source for path, source in content.items()}
    added = new_content(inventory)
    for path, digest in sorted(added.items()):
        if path not in stored:
            _put_verified(store, f"{paths.ocfl_object(work)}/{path}", sources[digest], digest)
    _delete_leftovers(store, work, len(inventory.versions), added)
    _commit(store, work, inventory)
    return inventory


def put_content(store: ObjectStore, work: str, version: int, path: str, *, source: Path, digest: str) -> None:
    """Put a file ahead of the version that will hold it, and read it back; nothing is put when it is there rightly.

    Many processes may each put their own files of one version; `write_version` then commits it. Raises
    `DigestMismatch`, also when the file is not what its `digest` says any more, and `StoreFault`.
    """
    _put_verified(store, _content_key(work, version, path), source, digest)


def discard_content(store: ObjectStore, work: str) -> None:
    """Delete what was put ahead of a version that will not be made."""
    head = read_inventory(store, work)
    _delete_leftovers(store, work, 1 + (len(head.versions) if head else 0), ())


def read_inventory(store: ObjectStore, work: str) -> Inventory | None:
    """The committed inventory of a work; None when there is none. Raises `DigestMismatch`, `ObjectInvalid`.

    The inventory is held to its sidecar. When a writer died between the two, the sidecar is put right.
    """
    root = paths.ocfl_object(work)
    key = f"{root}/{INVENTORY_NAME}"
    try:
        document = store.read(key)
    except KeyNotFound:
        return None
    digest = sha256([document])
    if _sidecar(store, root) != digest:
        inventory = parse_inventory(document, key)
        if _sidecar(store, f"{root}/{inventory.head}") != digest:
            raise DigestMismatch(key=key)
        store.put(f"{root}/{SIDECAR_NAME}", sidecar_bytes(digest))
    else:
        inventory = parse_inventory(document, key)
    if inventory.identifier != paths.ocfl_id(work):
        raise ObjectInvalid(
            key=key,
            reason=LocalizedText(
                f"编号不符：{inventory.identifier}", f"it is of another object: {inventory.identifier}"
            ),
        )
    return inventory


def read_file(store: ObjectStore, work: str, logical_path: str) -> bytes:
    """A small file of a work's newest version, held to its digest. Raises `KeyNotFound`, `DigestMismatch`."""
    inventory = read_inventory(store, work)
    if inventory is None:
        raise KeyNotFound(key=f"{paths.ocfl_object(work)}/{INVENTORY_NAME}")
    key = file_key(inventory, work, logical_path)
    document = store.read(key)
    if sha256([document]) != inventory.state[logical_path]:
        raise DigestMismatch(key=key)
    return document


def file_key(inventory: Inventory, work: str, logical_path: str) -> str:
    """The store key of a file of the newest version. Raises `KeyNotFound` when the version has no such file."""
    root = paths.ocfl_object(work)
    if logical_path not in inventory.state:
        raise KeyNotFound(key=f"{root} {logical_path}")
    return f"{root}/{inventory.content_path(inventory.state[logical_path])}"


def works(store: ObjectStore) -> Iterator[str]:
    """Every work with a committed object, in the order of their objects' keys. Walks the whole storage root."""
    depth = paths.ocfl_object("").count("/") + 1
    for found in store.list(paths.OCFL_ROOT):
        folder, _, name = found.key.rpartition("/")
        if name == INVENTORY_NAME and found.key.count("/") == depth:
            work = paths.work_of_ocfl_id(folder.rpartition("/")[2].replace("%3a", ":", 1))
            if work and paths.ocfl_object(work) == folder:
                yield work


def _settle_state(
    store: ObjectStore,
    work: str,
    head: Inventory | None,
    content: Mapping[str, Path | bytes],
    known: Mapping[str, str],
) -> tuple[dict[str, str], set[str]]:
    """The digest of every logical path, and the content paths that were stored on the way to it.

    A file whose digest is not known is hashed while it goes into the store when this is the first version, for then
    it is surely new; in a later one it is hashed first, for most files are there already.
    """
    state: dict[str, str] = {}
    stored: set[str] = set()
    for path in sorted(content, key=str.encode):
        source = content[path]
        if path in known:
            state[path] = known[path]
        elif head or isinstance(source, bytes):
            state[path] = sha256(chunks_of(source))
        else:
            state[path] = _put_hashed(store, _content_key(work, 1, path), source)
            stored.add(f"v1/content/{path}")
    return state, stored


def _content_key(work: str, version: int, path: str) -> str:
    return f"{paths.ocfl_object(work)}/v{version}/content/{path}"


def _present(store: ObjectStore, work: str, version: int, put: Collection[str]) -> set[str]:
    """The content paths of what was put ahead of this version and lies there."""
    wanted = {_content_key(work, version, path) for path in put}
    root = paths.ocfl_object(work)
    found = store.list(f"{root}/v{version}/content") if wanted else ()
    return {item.key.removeprefix(f"{root}/") for item in found if item.key in wanted}


def _put_hashed(store: ObjectStore, key: str, source: Path) -> str:
    """Put a file, hashing it on its way, and read it back; its sha256."""
    digester = Digester("sha256")
    store.put(key, digester.transient(chunks_of(source)))
    digest = digester.hexdigest("sha256")
    _read_back(store, key, digest)
    return digest


def _put_verified(store: ObjectStore, key: str, source: Path | bytes, digest: str) -> None:
    """Put what must have this digest and read it back; nothing is put when an earlier run has done so rightly."""
    if store.exists(key) and sha256(store.chunks(key)) == digest:
        return
    store.put(key, source)
    _read_back(store, key, digest)


def _read_back(store: ObjectStore, key: str, digest: str) -> None:
    if sha256(store.chunks(key)) != digest:
        raise DigestMismatch(key=key)


def _delete_leftovers(store: ObjectStore, work: str, uncommitted: int, expected: Collection[str]) -> None:
    """Delete what unfinished runs left in version `uncommitted` and later ones, except for `expected` content paths."""
    root = paths.ocfl_object(work)
    for found in list(store.list(root)):
        path = found.key.removeprefix(f"{root}/")
        version = _VERSION.match(path)
        if version and int(version[1]) >= uncommitted and path not in expected:
            store.delete(found.key)


def _commit(store: ObjectStore, work: str, inventory: Inventory) -> None:
    root = paths.ocfl_object(work)
    document = inventory_bytes(inventory)
    sidecar = sidecar_bytes(sha256([document]))
    store.put(f"{root}/{inventory.head}/{INVENTORY_NAME}", document)
    store.put(f"{root}/{inventory.head}/{SIDECAR_NAME}", sidecar)
    declaration = f"{root}/{OBJECT_DECLARATION}"
    if not store.exists(declaration):
        store.put(declaration, f"{OBJECT_DECLARATION[2:]}\n".encode())
    store.put(f"{root}/{INVENTORY_NAME}", document)
    store.put(f"{root}/{SIDECAR_NAME}", sidecar)


def _sidecar(store: ObjectStore, folder: str) -> str | None:
    key = f"{folder}/{SIDECAR_NAME}"
    try:
        return parse_sidecar(store.read(key), key)
    except KeyNotFound:
        return None
